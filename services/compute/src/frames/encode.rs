//! How one state of a layout becomes the bytes of a frame.

use bytes::Bytes;

use super::{
    Columns, Corners, FrameEncoding, HEADER_BYTES, Header, IDS, KEYFRAME, RECORD_MAX_ORDINAL, REGION,
    body::{Steps, body_length},
    delta,
    grid::{Grid, State},
};

/// Why a state cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Records of 34 bytes cannot name this ordinal.
    #[error("records of 34 bytes name ordinals up to 16,383, and the graph has {ordinal}")]
    TooNarrow {
        /// The largest ordinal of the graph.
        ordinal: u32,
    },
}

/// What of a state goes into a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Selection<'a> {
    /// All nodes, and which they are: the first frame of a stream, and whenever nodes came or went.
    Key,
    /// All nodes; which they are is known from the last key frame.
    Following,
    /// The nodes at these indices, ascending.
    Cut(&'a [u32]),
}

/// Encodes a state. [`FrameEncoding::Unspecified`] is taken as columns of 32-bit floats.
///
/// # Errors
/// Records of 34 bytes are refused where an ordinal is too large for them; nothing is ever cut off.
pub fn encode(
    columns: &Columns,
    encoding: FrameEncoding,
    selection: Selection<'_>,
) -> Result<Bytes, EncodeError> {
    let encoding = match encoding {
        FrameEncoding::Unspecified => FrameEncoding::ColumnsF32,
        FrameEncoding::Delta => return Ok(encode_delta(columns, selection)),
        given => given,
    };
    let records = encoding == FrameEncoding::Record34;
    let (mut flags, indices) = match selection {
        Selection::Key => (KEYFRAME | IDS, None),
        Selection::Following => (0, None),
        Selection::Cut(indices) => (IDS | REGION, Some(indices)),
    };
    if records {
        // A record holds its ordinal itself.
        flags &= !IDS;
    }
    let count = indices.map_or(columns.ids.len(), <[u32]>::len);
    let header = Header::of(columns, encoding, flags, count);
    let mut out = Vec::with_capacity(HEADER_BYTES + body_length(&header));
    header.write(&mut out);
    if header.has(IDS) {
        match indices {
            None => fixed(&mut out, &columns.ids, u32::to_le_bytes),
            Some(indices) => {
                fixed(&mut out, indices, |index| columns.ids[index as usize].to_le_bytes());
            }
        }
    }
    if records {
        write_records(&mut out, columns, indices)?;
        return Ok(out.into());
    }
    for axis in 0..columns.dimensions() {
        let column = &columns.positions[axis];
        match (encoding, indices) {
            (FrameEncoding::ColumnsQ16, _) => {
                let steps = Steps::of(columns.bounds, axis);
                match indices {
                    None => fixed(&mut out, column, |value| steps.quantise(value)),
                    Some(indices) => fixed(&mut out, indices, |index| steps.quantise(column[index as usize])),
                }
                out.resize(out.len().next_multiple_of(4), 0);
            }
            (_, None) => fixed(&mut out, column, f32::to_le_bytes),
            (_, Some(indices)) => fixed(&mut out, indices, |index| column[index as usize].to_le_bytes()),
        }
    }
    debug_assert_eq!(out.len(), HEADER_BYTES + body_length(&header), "the length is that of the contract");
    Ok(out.into())
}

/// On a grid of its own: [`delta::whole`] takes that of a layout.
fn encode_delta(columns: &Columns, selection: Selection<'_>) -> Bytes {
    let whole = |ids| delta::whole(columns, &State::of(columns, Grid::of(columns.bounds)), ids);
    match selection {
        Selection::Key => whole(true),
        Selection::Following => whole(false),
        Selection::Cut(indices) => delta::cut(columns, indices),
    }
}

/// Indices of the nodes in a box, its border included.
pub fn inside(columns: &Columns, (min, max): Corners) -> Vec<u32> {
    let [x, y, z] = &columns.positions;
    let within = |value: f32, axis: usize| min[axis] <= value && value <= max[axis];
    (0..columns.ids.len())
        .filter(|&at| within(x[at], 0) && within(y[at], 1) && (!columns.three_dimensions || within(z[at], 2)))
        .map(|at| at as u32)
        .collect()
}

/// Appends each value as `N` bytes. Written so that the compiler makes block copies of it.
fn fixed<T: Copy, const N: usize>(out: &mut Vec<u8>, values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + values.len() * N, 0);
    let (places, _) = out[start..].as_chunks_mut::<N>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = bytes(*value);
    }
}

fn write_records(out: &mut Vec<u8>, columns: &Columns, indices: Option<&[u32]>) -> Result<(), EncodeError> {
    if let Some(&ordinal) = columns.ids.last()
        && ordinal > RECORD_MAX_ORDINAL
    {
        return Err(EncodeError::TooNarrow { ordinal });
    }
    let mut write = |at: usize| {
        out.extend_from_slice(&(columns.ids[at] as u16 | columns.kind).to_le_bytes());
        for column in columns.positions.iter().chain(&columns.velocities) {
            // In two dimensions the third column is empty, and z is 0.
            let value = column.get(at).copied().unwrap_or(0.0);
            out.extend_from_slice(&value.to_le_bytes());
        }
        // No shortest-path query runs with a layout: no distance, and no parent.
        out.extend_from_slice(&f32::INFINITY.to_le_bytes());
        out.extend_from_slice(&(-1_i32).to_le_bytes());
    };
    match indices {
        None => (0..columns.ids.len()).for_each(&mut write),
        Some(indices) => indices.iter().for_each(|&at| write(at as usize)),
    }
    Ok(())
}
