//! What Markdown folders and Logseq graphs share: pages that are read whole, link to each other by
//! name, and are resolved when all of them are known.

mod index;
pub(super) mod read;
pub(super) mod scan;
pub(super) mod write;

use weft_proto::weft::graph::v1::{Edge, Node};

/// Edge type of links, unless the import names another.
pub(super) const LINK: &str = "link";
/// Node type of pages, unless the import names another.
pub(super) const PAGE: &str = "page";
/// Property that holds a page's text.
pub(super) const TEXT: &str = "text";
/// Separates a page's text from the list of its edges, when it was written here. Both programs hide
/// it, and show the links after it.
pub(super) const LINKS_MARK: &str = "<!-- weft: links -->";

/// A page as its dialect understands it.
#[derive(Default)]
pub(super) struct Page {
    /// Its node; the key is set.
    pub(super) node: Node,
    /// Whether its name is one that it gives itself, and not its file's.
    pub(super) is_titled: bool,
    /// Other names that links may use.
    pub(super) aliases: Vec<String>,
    /// Ids of blocks in it that links may use.
    pub(super) blocks: Vec<String>,
    pub(super) links: Vec<Link>,
    /// Edges that were written out whole. Their sources are set.
    pub(super) edges: Vec<Edge>,
}

/// A link in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: Target,
    /// Type of the edge.
    pub(super) kind: String,
    /// Line from 1; 0 of one that is implied.
    pub(super) line: u64,
    /// Type of the node that is made where it points to no page. None: a page that is missing.
    pub(super) node_type: Option<String>,
    /// It is in the list of the page's edges rather than in its text: it counts once, and replaces
    /// what the text tells.
    pub(super) listed: bool,
}

/// What a link points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The name of a page, as in `[[name]]`.
    Name(String),
    /// The path of a page without its ending, relative to the imported folder.
    Path(String),
    /// The id of a block in some page.
    Block(String),
}
