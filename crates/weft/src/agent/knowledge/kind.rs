//! What kind of file is it, by the ending of its name?

use std::path::Path;

use weft_proto::weft::agent::v1::KnowledgeFileKind as Kind;

/// Kinds, the words for them, and the endings that mean them.
const KINDS: [(Kind, &str, &[&str]); 9] = [
    (Kind::Markdown, "markdown", &["md", "markdown"]),
    (Kind::Text, "text", &["txt", "text", "rst", "adoc", "org", "tex"]),
    (Kind::Html, "html", &["html", "htm", "xhtml"]),
    (Kind::Pdf, "pdf", &["pdf"]),
    (Kind::Document, "document", &["docx", "odt", "rtf", "epub", "pptx", "odp"]),
    (Kind::Table, "table", &["csv", "tsv", "xlsx", "ods"]),
    (Kind::Data, "data", &["json", "jsonl", "yaml", "yml", "toml", "xml"]),
    (Kind::Notebook, "notebook", &["ipynb"]),
    (Kind::Other, "other", &[]),
];

/// The kind of a file; `Other` if its ending is none of those that are known.
pub(super) fn of(path: &Path) -> Kind {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let known =
        KINDS.iter().find(|(.., endings)| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    known.map_or(Kind::Other, |(kind, ..)| *kind)
}

/// The word for a kind.
pub(super) fn word(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, ..)| *known == kind).map_or("unspecified", |(_, word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_kinds_whatever_their_case() {
        for (path, kind) in [
            ("a/b.md", "markdown"),
            ("B.PDF", "pdf"),
            ("x.tar.JSON", "data"),
            ("x.md.bak", "other"),
            ("md", "other"),
            (".md", "other"),
        ] {
            assert_eq!(word(of(Path::new(path))), kind, "{path}");
        }
    }
}
