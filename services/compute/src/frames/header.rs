//! What the first 64 bytes of a frame say.

use super::{Columns, Corners, DecodeError, FrameEncoding, HEADER_BYTES};

const MAGIC: [u8; 4] = *b"WFPF";
const VERSION: u8 = 1;

/// Flag: every node is in the frame, whatever came before.
pub const KEYFRAME: u8 = 1;
/// Flag: the body begins with the ordinals.
pub const IDS: u8 = 2;
/// Flag: there is a third dimension.
pub const THREE_DIMENSIONS: u8 = 4;
/// Flag: only nodes that the viewer asked for are in the frame.
pub const REGION: u8 = 8;
/// Flag: the body says what has changed since another frame.
pub const DIFFERENCE: u8 = 16;
const FLAGS: u8 = KEYFRAME | IDS | THREE_DIMENSIONS | REGION | DIFFERENCE;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// How the body is encoded.
    pub encoding: FrameEncoding,
    /// [`KEYFRAME`], [`IDS`], [`THREE_DIMENSIONS`], [`REGION`] and [`DIFFERENCE`], together.
    pub flags: u8,
    /// Nodes in the frame.
    pub count: u32,
    /// Number of the node order.
    pub membership: u32,
    /// Number of the state among those that its layout showed; a gap means that some were left out.
    pub sequence: u64,
    /// Step of the simulation.
    pub tick: u64,
    /// Corners of the bounding box of all nodes, also of those that are not in the frame.
    pub bounds: Corners,
    /// Revision of the graph that is laid out.
    pub revision: i64,
}

impl Header {
    pub(super) fn of(columns: &Columns, encoding: FrameEncoding, flags: u8, count: usize) -> Self {
        let dimensions = if columns.three_dimensions { THREE_DIMENSIONS } else { 0 };
        Self {
            encoding,
            flags: flags | dimensions,
            count: count as u32,
            membership: columns.membership,
            sequence: columns.sequence,
            tick: columns.tick,
            bounds: columns.bounds,
            revision: columns.revision,
        }
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Number of dimensions: 2 or 3.
    pub fn dimensions(&self) -> usize {
        if self.has(THREE_DIMENSIONS) { 3 } else { 2 }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.encoding as i32 as u8, self.flags, 0]);
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.membership.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.tick.to_le_bytes());
        for value in self.bounds.0.iter().chain(&self.bounds.1) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&self.revision.to_le_bytes());
    }

    /// Reads the header of a frame; what follows it is not looked at.
    ///
    /// # Errors
    /// Where it is shorter than a header, of another kind or version, has flags that are not known, or a corner that is not
    /// a number.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(DecodeError::Length { expected: HEADER_BYTES, found: bytes.len() });
        };
        if header[..4] != MAGIC {
            return Err(DecodeError::Magic);
        }
        if header[4] != VERSION {
            return Err(DecodeError::Version(header[4]));
        }
        let encoding = FrameEncoding::try_from(i32::from(header[5]))
            .ok()
            .filter(|encoding| *encoding != FrameEncoding::Unspecified)
            .ok_or(DecodeError::Encoding(header[5]))?;
        let flags = header[6];
        let is_known = flags & !FLAGS == 0;
        if !is_known || (flags & DIFFERENCE != 0 && encoding != FrameEncoding::Delta) {
            return Err(DecodeError::Flags(flags));
        }
        let corner = |at: usize| [f32_at(header, at), f32_at(header, at + 4), f32_at(header, at + 8)];
        let bounds = (corner(32), corner(44));
        if !bounds.0.iter().chain(&bounds.1).all(|value| value.is_finite()) {
            return Err(DecodeError::NotFinite("bounds"));
        }
        Ok(Self {
            encoding,
            flags,
            count: u32::from_le_bytes(four(header, 8)),
            membership: u32::from_le_bytes(four(header, 12)),
            sequence: u64::from_le_bytes(eight(header, 16)),
            tick: u64::from_le_bytes(eight(header, 24)),
            bounds,
            revision: i64::from_le_bytes(eight(header, 56)),
        })
    }
}

pub(super) fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    std::array::from_fn(|index| bytes[at + index])
}

pub(super) fn f32_at(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(four(bytes, at))
}
