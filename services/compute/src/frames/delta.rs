//! How states become frames of [`FrameEncoding::Delta`], and how a stream of them is read.

use bytes::Bytes;

use super::{
    Columns, DIFFERENCE, DecodeError, Frame, FrameEncoding, HEADER_BYTES, Header, IDS, KEYFRAME, REGION,
    blocks, decode,
    decode::ascending,
    grid::{Grid, State},
};

/// A frame that says where all nodes are, whatever its reader knows; with their ordinals if `ids`.
/// `state` is that of these columns.
pub fn whole(columns: &Columns, state: &State, ids: bool) -> Bytes {
    let flags = if ids { KEYFRAME | IDS } else { 0 };
    let header = Header::of(columns, FrameEncoding::Delta, flags, columns.ids.len());
    write_whole(&header, ids.then_some(&*columns.ids), state)
}

/// A frame of the nodes at these indices, on a grid of their own.
pub(super) fn cut(columns: &Columns, indices: &[u32]) -> Bytes {
    let header = Header::of(columns, FrameEncoding::Delta, IDS | REGION, indices.len());
    let ids: Vec<u32> = indices.iter().map(|index| columns.ids[*index as usize]).collect();
    write_whole(&header, Some(&ids), &State::cut(columns, indices))
}

/// A frame that takes a reader from the state `before` to `now`, which is that of these columns.
/// `None` where no frame can: other nodes, or another grid.
pub fn difference(columns: &Columns, before: &State, now: &State) -> Option<Bytes> {
    if !now.follows(before) {
        return None;
    }
    let header = Header::of(columns, FrameEncoding::Delta, DIFFERENCE, columns.ids.len());
    let mut out = Vec::with_capacity(HEADER_BYTES + columns.ids.len() * 4);
    header.write(&mut out);
    out.extend_from_slice(&before.sequence.to_le_bytes());
    for axis in 0..header.dimensions() {
        blocks::write(&mut out, Some(&before.columns[axis]), &now.columns[axis]);
    }
    Some(out.into())
}

fn write_whole(header: &Header, ids: Option<&[u32]>, state: &State) -> Bytes {
    let mut out = Vec::with_capacity(HEADER_BYTES + Grid::BYTES + header.count as usize * 8);
    header.write(&mut out);
    for id in ids.unwrap_or_default() {
        out.extend_from_slice(&id.to_le_bytes());
    }
    state.grid.write(&mut out);
    for column in &state.columns[..header.dimensions()] {
        blocks::write(&mut out, None, column);
    }
    out.into()
}

/// Reads the frames of one stream in their order, in whatever encoding, and remembers what the next
/// one may build on.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    ids: Vec<u32>,
    membership: u32,
    state: Option<State>,
}

impl Reader {
    /// Reads the next frame. Needs memory for the nodes that the frame names, or that one before it
    /// has named, and no more.
    ///
    /// # Errors
    /// Whatever is not exactly what `docs/position-frames.md` says is refused, and a frame that does
    /// not build on what was read before: its reader then begins the stream anew.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Frame, DecodeError> {
        let header = Header::read(bytes)?;
        let frame = if header.encoding == FrameEncoding::Delta {
            // What fails in the middle leaves nothing to build on.
            let before = self.state.take();
            self.read_steps(header, &bytes[HEADER_BYTES..], before)?
        } else {
            decode(bytes)?
        };
        if let Some(ids) = &frame.ids {
            self.ids.clone_from(ids);
            self.membership = header.membership;
        } else if self.ids.len() != header.count as usize || self.membership != header.membership {
            return Err(DecodeError::Base);
        }
        Ok(frame)
    }

    fn read_steps(
        &mut self,
        header: Header,
        body: &[u8],
        before: Option<State>,
    ) -> Result<Frame, DecodeError> {
        let count = header.count as usize;
        let dimensions = header.dimensions();
        let (ids, body) = if header.has(IDS) {
            let short = DecodeError::Length { expected: HEADER_BYTES + count * 4, found: body.len() };
            let (column, rest) = body.split_at_checked(count * 4).ok_or(short)?;
            let (column, _) = column.as_chunks::<4>();
            (Some(ascending(column.iter().map(|id| u32::from_le_bytes(*id)).collect())?), rest)
        } else if self.ids.len() == count && self.membership == header.membership {
            (None, body)
        } else {
            return Err(DecodeError::Base);
        };
        let (mut state, mut blocks) = if header.has(DIFFERENCE) {
            let (base, blocks) = body.split_first_chunk().ok_or(DecodeError::Block)?;
            let base = u64::from_le_bytes(*base);
            let fits = |state: &State| {
                ids.is_none()
                    && state.sequence == base
                    && state.membership == header.membership
                    && (0..3)
                        .all(|axis| state.columns[axis].len() == if axis < dimensions { count } else { 0 })
            };
            (before.filter(fits).ok_or(DecodeError::Base)?, blocks)
        } else {
            let (grid, blocks) = body.split_first_chunk().ok_or(DecodeError::Block)?;
            let column = |axis: usize| vec![0; if axis < dimensions { count } else { 0 }];
            let columns = [column(0), column(1), column(2)];
            (State { grid: Grid::read(grid)?, columns, ..State::default() }, blocks)
        };
        for column in &mut state.columns[..dimensions] {
            blocks::read(&mut blocks, column)?;
        }
        if !blocks.is_empty() {
            return Err(DecodeError::Block);
        }
        (state.sequence, state.membership) = (header.sequence, header.membership);
        let positions = std::array::from_fn(|axis| state.grid.coordinates(axis, &state.columns[axis]));
        self.state = Some(state);
        Ok(Frame { header, ids, positions, motion: None })
    }
}
