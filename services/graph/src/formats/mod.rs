//! How graphs come in from files and go out to them.
//!
//! [`Reader`] is pushed the bytes of one file after another and hands elements to a [`Sink`] as
//! soon as they are complete; [`Writer`] is pushed elements and hands out chunks of bytes. Neither
//! waits, opens anything or reads a clock. What they hold at a time is bounded by [`ReadLimits`]
//! and by one element, except for what a format can only tell at its end: the links between pages,
//! and the edges of an edge list whose nodes file has not come yet.
//!
//! | format | read | written as |
//! | --- | --- | --- |
//! | edge list | lines, see [`edge_list`] | one `.tsv` |
//! | CSV | one or more tables, see [`csv`] | tar of `nodes.csv`, `edges.csv` |
//! | GraphML 1.0 | see [`graphml`] | one `.graphml` |
//! | GEXF 1.2, 1.3 | see [`gexf`] | one `.gexf` (1.3) |
//! | JSON Graph Format 1, 2, node-link | see [`json_graph`] | one `.json` (version 2) |
//! | Markdown folder | see [`markdown`] | tar of pages |
//! | Logseq graph | see [`logseq`] | tar of `pages/` |
//!
//! Any file may be compressed with gzip, and any import may be one tar archive (`.tar`, `.tar.gz`,
//! `.tgz`): what a [`Writer`] wrote can be read again as it is.
//!
//! Everything that a client sends is taken as hostile: depth, size, compression ratio, encoding and
//! paths are checked before anything is kept, and every problem is a [`FormatError`] with its place.

mod about;
mod archive;
mod chunks;
mod core;
pub mod csv;
mod detect;
mod document;
pub mod edge_list;
mod error;
mod format_reader;
mod format_writer;
pub mod gexf;
pub mod graphml;
mod gzip;
pub mod json_graph;
pub mod logseq;
pub mod markdown;
mod options;
mod out;
mod pages;
mod path;
mod reader;
mod schema;
mod source;
mod text;
mod value;
mod writer;
mod xml;

use weft_proto::weft::graph::v1::{Edge, ImportWarning, Node};

pub use about::{AboutPage, PageDialect, about_page};
pub use chunks::MAX_CHUNK_BYTES;
pub(crate) use detect::is_worth_reading;
pub use error::{FormatError, FormatErrorKind, Position};
pub use options::{ReadLimits, ReadOptions};
pub(crate) use path::check_plain as check_path;
pub use reader::Reader;
pub use writer::Writer;

/// Takes what a [`Reader`] finds, in the order in which it is found.
///
/// Elements keep the contract's limits on keys, types, names and labels; their properties are never
/// nested deeper than 24. The same key may come twice: the later one replaces the earlier one.
pub trait Sink {
    /// A node that the files declare.
    fn node(&mut self, node: Node) -> Result<(), FormatError>;

    /// An edge. An end point may come later, or never: most edge lists declare no nodes at all. The
    /// sink makes the end points that are neither in the files nor in the graph, with the default
    /// node type.
    fn edge(&mut self, edge: Edge) -> Result<(), FormatError>;

    /// A node that the files refer to and do not declare, such as a page that a link points to but
    /// nobody has written. It is to be made if it is neither in the graph nor in the import, and
    /// never to replace one.
    fn placeholder(&mut self, node: Node) -> Result<(), FormatError>;

    /// Something odd that is not wrong. There is no bound on how many come.
    fn warn(&mut self, warning: ImportWarning);
}
