//! How a frame is read back, and what is not one.

use super::{
    FrameEncoding, HEADER_BYTES, Header, IDS, RECORD_AGENT, RECORD_BYTES, RECORD_KNOWLEDGE,
    RECORD_MAX_ORDINAL, Reader,
    body::{Steps, body_length},
    header::four,
};

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer or shorter than its header says, or shorter than a header.
    #[error("a frame of {expected} bytes was expected, {found} were found")]
    Length {
        /// Bytes that it should have.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// It does not begin with the magic bytes.
    #[error("not a position frame")]
    Magic,
    /// A version that is not known here.
    #[error("version {0} of the position frame is not known")]
    Version(u8),
    /// An encoding that is not known here.
    #[error("encoding {0} of the position frame is not known")]
    Encoding(u8),
    /// Flags that are not known here, or not of this encoding.
    #[error("flags {0:#04x} of the position frame are not known")]
    Flags(u8),
    /// The ordinals are not ascending.
    #[error("the ordinals of a position frame must be ascending")]
    Order,
    /// A number is infinite or none at all.
    #[error("{0} of a position frame is not finite")]
    NotFinite(&'static str),
    /// The bytes or bits that fill a column or a block up are not zero.
    #[error("the padding of a position frame is not zero")]
    Padding,
    /// A block of steps is of no known form, or does not end where the frame does.
    #[error("a block of a position frame cannot be read")]
    Block,
    /// It builds on a frame that was not read, or not last.
    #[error("a position frame builds on another one than was read last")]
    Base,
}

/// A frame, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// The nodes' ordinals, ascending; `None` where they are those of the last frame that had some.
    pub ids: Option<Vec<u32>>,
    /// Coordinates x, y and z in layout units; z is empty in two dimensions.
    pub positions: [Vec<f32>; 3],
    /// What records of 34 bytes say beyond the position; `None` in columns.
    pub motion: Option<Motion>,
}

/// What records of 34 bytes say beyond ordinals and positions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Motion {
    /// Bits 14 and 15 of each id.
    pub kinds: Vec<u16>,
    /// Velocities in layout units a step: x, y and z.
    pub velocities: [Vec<f32>; 3],
    /// Distance from the source of a shortest-path query; infinite where there is none.
    pub distances: Vec<f32>,
    /// Parent on that path; −1 where there is none.
    pub parents: Vec<i32>,
}

/// Reads a frame by itself. Needs no more memory than a few times the frame's own length.
///
/// # Errors
/// Whatever is not exactly what `docs/position-frames.md` says is refused, and of
/// [`FrameEncoding::Delta`] whatever is not a keyframe: [`Reader`] reads those.
pub fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let header = Header::read(bytes)?;
    if header.encoding == FrameEncoding::Delta {
        return Reader::default().read(bytes);
    }
    let expected = HEADER_BYTES + body_length(&header);
    if bytes.len() != expected {
        return Err(DecodeError::Length { expected, found: bytes.len() });
    }
    let mut body = &bytes[HEADER_BYTES..];
    let count = header.count as usize;
    let mut ids = None;
    if header.has(IDS) {
        let (column, rest) = body.split_at(count * 4);
        let (column, _) = column.as_chunks::<4>();
        ids = Some(ascending(column.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())?);
        body = rest;
    }
    if header.encoding == FrameEncoding::Record34 {
        return read_records(header, body);
    }
    let mut positions = [const { Vec::new() }; 3];
    let length = (body.len() / header.dimensions()).max(1);
    // Not for an empty body: that has no columns to walk.
    for (axis, column) in body.chunks_exact(length).enumerate() {
        positions[axis] = if header.encoding == FrameEncoding::ColumnsQ16 {
            read_steps(column, count, Steps::of(header.bounds, axis))?
        } else {
            let (column, _) = column.as_chunks::<4>();
            finite(column.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), "a position")?
        };
    }
    Ok(Frame { header, ids, positions, motion: None })
}

fn read_steps(column: &[u8], count: usize, steps: Steps) -> Result<Vec<f32>, DecodeError> {
    let (values, padding) = column.split_at(count * 2);
    if padding.iter().any(|byte| *byte != 0) {
        return Err(DecodeError::Padding);
    }
    let (values, _) = values.as_chunks::<2>();
    Ok(values.iter().map(|bytes| steps.value(u16::from_le_bytes(*bytes))).collect())
}

fn read_records(header: Header, body: &[u8]) -> Result<Frame, DecodeError> {
    let (records, _) = body.as_chunks::<RECORD_BYTES>();
    let tags: Vec<u16> = records.iter().map(|record| u16::from_le_bytes([record[0], record[1]])).collect();
    let ids = ascending(tags.iter().map(|tag| u32::from(*tag) & RECORD_MAX_ORDINAL).collect())?;
    let floats = |at: usize| -> Vec<f32> {
        records.iter().map(|record| f32::from_le_bytes(four(record, at))).collect()
    };
    let vectors = |at: usize, what| -> Result<[Vec<f32>; 3], DecodeError> {
        Ok([finite(floats(at), what)?, finite(floats(at + 4), what)?, finite(floats(at + 8), what)?])
    };
    let mut positions = vectors(2, "a position")?;
    let velocities = vectors(14, "a velocity")?;
    let distances = floats(26);
    if distances.iter().any(|distance| distance.is_nan()) {
        return Err(DecodeError::NotFinite("a distance"));
    }
    let motion = Motion {
        kinds: tags.iter().map(|tag| tag & (RECORD_AGENT | RECORD_KNOWLEDGE)).collect(),
        velocities,
        distances,
        parents: records.iter().map(|record| i32::from_le_bytes(four(record, 30))).collect(),
    };
    if header.dimensions() == 2 {
        positions[2].clear();
    }
    Ok(Frame { header, ids: Some(ids), positions, motion: Some(motion) })
}

pub(super) fn ascending(ids: Vec<u32>) -> Result<Vec<u32>, DecodeError> {
    if ids.is_sorted_by(|before, after| before < after) { Ok(ids) } else { Err(DecodeError::Order) }
}

fn finite(values: Vec<f32>, what: &'static str) -> Result<Vec<f32>, DecodeError> {
    if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(DecodeError::NotFinite(what)) }
}
