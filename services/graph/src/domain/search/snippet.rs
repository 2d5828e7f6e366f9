//! Which piece of a node's text shows why it matches?

use weft_kit::words::query_words;

use crate::domain::{memory::NodeRef, properties::Properties};

/// Characters of the piece, without the marks.
const LENGTH: usize = 160;

/// A piece of the first property with a word of the query, with the words between U+0002 and
/// U+0003; empty if no property has one.
pub fn snippet(node: NodeRef<'_>, query: &str) -> String {
    let (words, open) = query_words(query);
    let mut found = String::new();
    Properties(node.properties()).texts(&mut |text| {
        if found.is_empty() {
            found = piece(text, &words, open).unwrap_or_default();
        }
    });
    found
}

fn piece(text: &str, words: &[String], open: bool) -> Option<String> {
    let first = runs(text).find(|(_, run)| is_match(run, words, open))?.0;
    let before: usize = text[..first].chars().rev().take(LENGTH / 3).map(char::len_utf8).sum();
    let start = first - before;
    let length: usize = text[start..].chars().take(LENGTH).map(char::len_utf8).sum();
    let window = &text[start..start + length];
    let mut marked = String::with_capacity(window.len() + 16);
    if start > 0 {
        marked.push('…');
    }
    let mut copied = 0;
    for (at, run) in runs(window).filter(|(_, run)| is_match(run, words, open)) {
        marked.push_str(&window[copied..at]);
        marked.push('\u{2}');
        marked.push_str(run);
        marked.push('\u{3}');
        copied = at + run.len();
    }
    marked.push_str(&window[copied..]);
    if start + length < text.len() {
        marked.push('…');
    }
    Some(marked)
}

/// Runs of letters and digits, and where they begin.
fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(char::is_alphanumeric)?;
        let end = text[start..]
            .find(|letter: char| !letter.is_alphanumeric())
            .map_or(text.len(), |end| start + end);
        rest = end;
        Some((start, &text[start..end]))
    })
}

fn is_match(run: &str, words: &[String], open: bool) -> bool {
    let run = run.to_lowercase();
    words.iter().enumerate().any(|(place, word)| {
        run == *word || (open && place + 1 == words.len() && run.starts_with(word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::piece;

    #[test]
    fn marks_the_words_and_cuts_around_the_first() {
        let words = ["shared".to_owned(), "lib".to_owned()];
        assert_eq!(
            piece("GNU C Library: Shared libraries", &words, true).as_deref(),
            Some("GNU C \u{2}Library\u{3}: \u{2}Shared\u{3} \u{2}libraries\u{3}")
        );
        assert_eq!(piece("nothing here", &words, true), None);
        let long = format!("{} shared {}", "é".repeat(500), "x".repeat(500));
        let cut = piece(&long, &words, false).expect("it has the word");
        assert!(cut.starts_with('…') && cut.ends_with('…') && cut.contains("\u{2}shared\u{3}"));
        assert_eq!(cut.chars().count(), super::LENGTH + 4);
    }
}
