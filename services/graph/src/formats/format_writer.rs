//! What a format has to do to be written.

use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::FormatError;
use super::chunks::Chunks;
use super::schema::Schema;

/// Writes one format.
pub(super) trait FormatWriter: Send {
    fn begin(&mut self, graph: &Graph, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError>;
    fn node(&mut self, node: &Node, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError>;
    fn edge(&mut self, edge: &Edge, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError>;
    fn finish(&mut self, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError>;
}
