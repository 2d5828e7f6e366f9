//! Which format a file has, by its name and, where that does not tell, its first characters.

use weft_proto::weft::graph::v1::GraphFormat;

use super::path;

/// How many bytes of text are looked at.
pub(super) const SNIFF_BYTES: usize = 4096;

/// What the name of a file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByName {
    /// Its format.
    Format(GraphFormat),
    /// It is a page; the folder tells which kind.
    Page,
    /// Its first characters must tell. Text that tells nothing is an edge list if `fallback`.
    Sniff { fallback: bool },
    /// It belongs to an application or is hidden: left out without a word.
    Internal,
    /// It is no graph: left out.
    Unknown,
}

/// What a path tells when no format was asked for.
pub(super) fn by_name(full: &str) -> ByName {
    if is_internal(full) {
        return ByName::Internal;
    }
    let (name, _) = path::without_gzip(full);
    let Some((_, extension)) = name.rsplit_once('.') else { return ByName::Sniff { fallback: true } };
    match extension {
        "graphml" => ByName::Format(GraphFormat::Graphml),
        "gexf" => ByName::Format(GraphFormat::Gexf),
        "csv" => ByName::Format(GraphFormat::Csv),
        "json" | "jgf" => ByName::Format(GraphFormat::JsonGraph),
        "md" | "markdown" => ByName::Page,
        "tsv" | "tab" | "txt" | "edges" | "edgelist" | "el" | "nodes" | "dat" => {
            ByName::Sniff { fallback: true }
        }
        "xml" => ByName::Sniff { fallback: false },
        _ => ByName::Unknown,
    }
}

/// Whether a file of a folder is worth reading, by its name: a picture beside the notes is not.
pub(crate) fn is_worth_reading(full: &str, format: GraphFormat) -> bool {
    let (name, _) = path::without_gzip(full);
    let archive = name.rsplit_once('.').is_some_and(|(_, extension)| extension == "tar");
    let by_name = by_name(full);
    match format {
        GraphFormat::Markdown | GraphFormat::Logseq => archive || by_name == ByName::Page,
        GraphFormat::Unspecified => archive || !matches!(by_name, ByName::Internal | ByName::Unknown),
        _ => by_name != ByName::Internal,
    }
}

/// Whether a page belongs to a Logseq graph: by its folder, and by how it is written.
pub(super) fn page_format(full: &str, head: &str) -> GraphFormat {
    let folder = |name: &str| full.split('/').rev().skip(1).any(|part| part == name);
    let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let outline = first.starts_with("- ") || first.trim() == "-" || first.contains(":: ");
    if (folder("journals") || folder("pages")) && outline {
        return GraphFormat::Logseq;
    }
    GraphFormat::Markdown
}

/// Whether a page is read at all in a folder of notes.
pub(super) fn is_page(full: &str) -> bool {
    by_name(full) == ByName::Page
}

/// Hidden files and folders, and those of Logseq itself.
pub(super) fn is_internal(full: &str) -> bool {
    let within = |folder: &str| full.starts_with(&folder[1..]) || full.contains(folder);
    full.split('/').any(|part| part.starts_with('.'))
        || within("/logseq/bak/")
        || within("/logseq/version-files/")
        || matches!(path::file_name(full), "config.edn" | "custom.css" | "metadata.edn")
}

/// What the first characters tell.
pub(super) fn by_content(head: &str, fallback: bool) -> Option<GraphFormat> {
    let text = head.trim_start();
    match text.as_bytes().first() {
        Some(b'<') if text.contains("<graphml") => Some(GraphFormat::Graphml),
        Some(b'<') if text.contains("<gexf") => Some(GraphFormat::Gexf),
        Some(b'{') => Some(GraphFormat::JsonGraph),
        Some(b'<') | None if !fallback => None,
        _ if super::csv::is_header(text.lines().next().unwrap_or_default()) => Some(GraphFormat::Csv),
        _ => fallback.then_some(GraphFormat::EdgeList),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        assert_eq!(by_name("a/b.graphml.gz"), ByName::Format(GraphFormat::Graphml));
        assert_eq!(by_name("x.GEXF"), ByName::Format(GraphFormat::Gexf));
        assert_eq!(by_name("debian.edges.tsv.gz"), ByName::Sniff { fallback: true });
        assert_eq!(by_name("notes/Page.md"), ByName::Page);
        assert_eq!(by_name(".obsidian/app.json"), ByName::Internal);
        assert_eq!(by_name("logseq/bak/pages/a.md"), ByName::Internal);
        assert_eq!(by_name("logseq/pages/a.md"), ByName::Page);
        assert_eq!(by_name("image.png"), ByName::Unknown);
    }

    #[test]
    fn content_tells_the_rest() {
        assert_eq!(by_content("<?xml version='1.0'?>\n<graphml>", false), Some(GraphFormat::Graphml));
        assert_eq!(by_content("<gexf version='1.3'>", false), Some(GraphFormat::Gexf));
        assert_eq!(by_content(" {\"graph\":", true), Some(GraphFormat::JsonGraph));
        assert_eq!(by_content("source\ttarget\n", true), Some(GraphFormat::Csv));
        assert_eq!(by_content("# comment\n0\t1\n", true), Some(GraphFormat::EdgeList));
        assert_eq!(by_content("<html>", false), None);
    }

    #[test]
    fn logseq_is_known_by_folder_and_outline() {
        assert_eq!(page_format("journals/2024_01_31.md", "- hello"), GraphFormat::Logseq);
        assert_eq!(page_format("g/pages/a.md", "type:: book\n\n- x"), GraphFormat::Logseq);
        assert_eq!(page_format("pages/a.md", "# Title\n- x"), GraphFormat::Markdown);
        assert_eq!(page_format("a.md", "- hello"), GraphFormat::Markdown);
    }
}
