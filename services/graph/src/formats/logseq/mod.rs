//! A Logseq graph in Markdown: `pages/` and `journals/`.
//!
//! **Nodes.** Each page is a node. Its key is its name: `title::` if it has one, else its file name
//! with `___` and `%2F` as `/` and other `%XX` undone. Journals are of type `journal`, with the date
//! as key (`2024-01-31`) and the name that Logseq shows (`Jan 31st, 2024`). The properties at the
//! page's top are properties, typed by what they look like; `type::` is the type, `tags::` and every
//! `#tag` and `#[[long tag]]` are labels, `alias::` gives further names. The text after them is the
//! property `text`, as in [Markdown](super::markdown).
//!
//! **Edges.** `[[Page]]`: type `link`; `{{embed [[Page]]}}`: `embed`; `name:: [[Page]]`, in the page's
//! properties or in those of a block: `name`; `((block))`: `block_ref`, to the page that has the block
//! with that `id::`; from a page `a/b` to `a`: `namespace`. Names that are no page become
//! placeholders, with a warning except for name spaces. Configuration, backups and assets are
//! passed over.
//!
//! **What is written**: a page for each node, under `pages/` or `journals/`, in the manner of
//! [Markdown](super::markdown), with `weft-key::`, `weft-name::`, `weft-type::`,
//! `weft-labels::`, `weft-properties::` and `weft-edges::` for what has no place of its own.

mod names;
mod read;
mod write;

pub(super) use read::LogseqDialect;
pub(super) use write::LogseqStyle;

/// Type of journals.
const JOURNAL: &str = "journal";
/// Property that holds the key, where the file name does not; name spaces are then not derived.
const KEY: &str = "weft-key";
/// Property that holds the name for people.
const NAME: &str = "weft-name";
/// Property that holds the type, where `type::` would be read as a link.
const TYPE: &str = "weft-type";
/// Property that holds edges, as JSON.
const EDGES: &str = "weft-edges";
/// Property that holds labels that cannot be tags, as JSON.
const LABELS: &str = "weft-labels";
/// Property that holds properties that have no place of their own, as JSON.
const PROPERTIES: &str = "weft-properties";
