//! How an import is read, and how much of it.

use weft_proto::weft::graph::v1::{GraphFormat, PropertyLink};

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Format of all files. `None` and `Unspecified`: found out for each file from its name and
    /// first bytes; files of no known format are then left out with a warning.
    pub format: Option<GraphFormat>,
    /// Type of declared nodes for which the files tell none. Empty: none, or `page` and `journal`
    /// in folders of notes.
    pub default_node_type: String,
    /// Type of edges for which the files tell none. Empty: none, or `link` in folders of notes.
    pub default_edge_type: String,
    /// Properties of pages whose values become nodes.
    pub property_links: Vec<PropertyLink>,
    /// How much is read.
    pub limits: ReadLimits,
}

/// How much is read before an import is refused with [`TooLarge`](super::FormatError::TooLarge).
#[derive(Clone, Debug)]
pub struct ReadLimits {
    /// Bytes of one file, decompressed. 1 GiB unless changed.
    pub max_file_bytes: u64,
    /// Bytes of all files, decompressed. 4 GiB unless changed.
    pub max_total_bytes: u64,
    /// Number of files, those inside archives included. 200,000 unless changed.
    pub max_files: u64,
    /// Bytes of the smallest whole: a line, a table row, an XML tag or text, a JSON node or edge.
    /// 1 MiB unless changed.
    pub max_record_bytes: usize,
    /// Levels of nesting of XML elements and JSON values. 64 unless changed.
    pub max_depth: usize,
    /// Bytes of one page of a folder of notes, which is read whole. 8 MiB unless changed.
    pub max_page_bytes: usize,
    /// Bytes of a page's text that are kept in its property `text`; longer text is cut. 64 KiB
    /// unless changed.
    pub max_text_bytes: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_file_bytes: 1 << 30,
            max_total_bytes: 4 << 30,
            max_files: 200_000,
            max_record_bytes: 1 << 20,
            max_depth: 64,
            max_page_bytes: 8 << 20,
            max_text_bytes: 64 << 10,
        }
    }
}
