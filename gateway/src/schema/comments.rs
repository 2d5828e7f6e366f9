//! Comments of contracts, as descriptions.

use prost_reflect::{FileDescriptor, prost_types::source_code_info::Location};

/// The comment before the element at `path`, without the line breaks of its source; empty if
/// there is none.
pub(crate) fn of(file: &FileDescriptor, path: &[i32]) -> String {
    if file.parent_pool() == weft_proto::pool() {
        return weft_proto::comment(file.name(), path).map(unwrap).unwrap_or_default();
    }
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    info.and_then(|info| info.location.iter().find(|location| location.path == path))
        .map(Location::leading_comments)
        .map(unwrap)
        .unwrap_or_default()
}

/// The first sentence.
pub(crate) fn summary(description: &str) -> String {
    let end = description.find(". ").or_else(|| description.find("\n\n")).unwrap_or(description.len());
    description[..end].trim_end_matches('.').to_owned()
}

/// The first example that is given: `for example "package"`, or in backticks.
pub(crate) fn example(description: &str) -> Option<&str> {
    const WORDS: &str = "for example ";
    let rest = &description[description.find(WORDS)? + WORDS.len()..];
    let quote = rest.chars().next().filter(|quote| ['"', '`'].contains(quote))?;
    rest[1..].split_once(quote).map(|(example, _)| example)
}

fn unwrap(comment: &str) -> String {
    let mut text = String::with_capacity(comment.len());
    for line in comment.lines().map(str::trim) {
        match line {
            "" if !text.is_empty() => text.push_str("\n\n"),
            _ if text.is_empty() || text.ends_with('\n') => text.push_str(line),
            _ => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_sentences() {
        let text = unwrap(" Gets a graph. It\n may be empty.\n\n Slowly.\n");
        assert_eq!(text, "Gets a graph. It may be empty.\n\nSlowly.");
        assert_eq!(summary(&text), "Gets a graph");
        assert_eq!(summary("One."), "One");
        assert_eq!(example("Type, for example \"package\". Or \"none\"."), Some("package"));
        assert_eq!(example("A name, for example `a/b`."), Some("a/b"));
        assert_eq!(example("For example nothing, for example 1."), None);
        assert_eq!(summary(""), "");
    }
}
