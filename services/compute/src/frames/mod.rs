//! How positions look on the wire: the encodings of `docs/position-frames.md`, both ways.
//!
//! [`Columns`] are what a frame is made from, [`encode`] makes the bytes, and [`decode`] reads them
//! back and refuses everything that is not exactly a frame; [`Reader`] reads a stream of them, some of
//! which say only what has changed. Nothing here knows of layouts or gRPC,
//! so that tests and load generators can use it alone.

mod blocks;
mod body;
mod decode;
pub mod delta;
#[cfg(test)]
mod delta_tests;
mod encode;
mod grid;
mod header;
#[cfg(test)]
mod tests;

pub use decode::{DecodeError, Frame, Motion, decode};
pub use delta::Reader;
pub use encode::{EncodeError, Selection, encode, inside};
pub use grid::{Grid, State};
pub use header::{DIFFERENCE, Header, IDS, KEYFRAME, REGION, THREE_DIMENSIONS};
pub use weft_proto::weft::compute::v1::FrameEncoding;

/// Length of a header in bytes.
pub const HEADER_BYTES: usize = 64;
/// Length of one record of [`FrameEncoding::Record34`] in bytes.
pub const RECORD_BYTES: usize = 34;
/// The largest ordinal that [`FrameEncoding::Record34`] can name: 14 bits.
pub const RECORD_MAX_ORDINAL: u32 = 0x3fff;
/// Bit of a record's id that says: an agent.
pub const RECORD_AGENT: u16 = 1 << 15;
/// Bit of a record's id that says: a node of a knowledge graph.
pub const RECORD_KNOWLEDGE: u16 = 1 << 14;

/// Lower and upper corner of an axis-parallel box, in layout units.
pub type Corners = ([f32; 3], [f32; 3]);

/// One state of a layout, as columns of equal length in ascending order of the ordinals.
/// Everything is finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The nodes' ordinals, ascending.
    pub ids: std::sync::Arc<[u32]>,
    /// Coordinates x, y and z, in layout units; z is empty in two dimensions.
    pub positions: [Vec<f32>; 3],
    /// Velocities in layout units a step, as [`Self::positions`]; empty where no node could be
    /// told by a record, which alone shows them.
    pub velocities: [Vec<f32>; 3],
    /// Whether there is a third dimension.
    pub three_dimensions: bool,
    /// What kind of nodes: 0, [`RECORD_AGENT`] or [`RECORD_KNOWLEDGE`].
    pub kind: u16,
    /// Number of the node order; another one when nodes come or go.
    pub membership: u32,
    /// Number of this state among those that its layout showed.
    pub sequence: u64,
    /// Steps that the simulation has made.
    pub tick: u64,
    /// Revision of the graph that is laid out.
    pub revision: i64,
    /// Corners of the bounding box of all nodes; zero where there are none.
    pub bounds: Corners,
}

impl Columns {
    /// Number of dimensions: 2 or 3.
    pub fn dimensions(&self) -> usize {
        if self.three_dimensions { 3 } else { 2 }
    }

    /// Whether records of 34 bytes can name all nodes.
    pub fn fits_records(&self) -> bool {
        self.ids.last().is_none_or(|last| *last <= RECORD_MAX_ORDINAL)
    }
}
