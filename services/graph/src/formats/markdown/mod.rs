//! A folder of Markdown files, as Obsidian and others keep it.
//!
//! **Nodes.** Each `.md` file is a node of type `page` (or what front matter or the import says). Its
//! key is its path without `.md`; its name the `title` of its front matter, or of a page in a folder
//! the last part of its path. Its labels are the tags in the text (`#tag`, `#a/b`) and the front
//! matter's `tags`. Other front matter is properties, and the text is the property `text`, cut to
//! [`max_text_bytes`](super::ReadLimits::max_text_bytes) (then `text_truncated` is true). Front
//! matter that is no YAML is reported and left out. Other files and hidden folders are passed over.
//!
//! **Edges.** `[[Page]]`, `[[Page|alias]]`, `[[Page#heading]]`, Markdown links to `.md` files: type
//! `link` (or what the import says); `![[Page]]`: type `embed`; `name:: [[Page]]` on a line, and front
//! matter whose value is `[[Page]]` or a list of such: type `name`. One edge for each page and type;
//! where there are several links, the weight counts them. A name means, in this order: a whole path,
//! a path from the page's folder, the end of a path (the shortest), an alias of front matter; case
//! does not matter. A name that is no page becomes a placeholder with `missing: true`, and a warning.
//! Code, HTML and URLs are not looked into.
//!
//! **What is written**: one page for each node. Plain edges are listed after the text, below a comment
//! that marks them; edges with weights, keys or properties are in the front matter, in `weft_edges`.
//! A key that a path cannot hold is in `weft_key`. Read back, the text's own links and tags are found
//! again besides; nothing is lost.

mod read;
mod write;

pub(super) use read::MarkdownDialect;
pub(super) use write::MarkdownStyle;

/// The text after the front matter, if there is any.
pub(super) fn without_front_matter(text: &str) -> &str {
    read::split_front_matter(text).1
}

/// Front matter that holds the key, where the path does not.
const KEY: &str = "weft_key";
/// Front matter that holds edges.
const EDGES: &str = "weft_edges";
/// Front matter that holds labels that cannot be tags.
const LABELS: &str = "weft_labels";
/// Front matter that holds properties whose names or values mean something else.
const PROPERTIES: &str = "weft_properties";
