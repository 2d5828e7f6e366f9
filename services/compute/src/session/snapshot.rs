//! One state of a layout as all its viewers share it.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::frames::{self, Columns, Corners, EncodeError, FrameEncoding, Selection};

/// One state, never changed, and its encodings: each is made when the first viewer asks for it, and
/// then shared. A hundred viewers cost no more encoding than one.
#[derive(Debug)]
pub(crate) struct Snapshot {
    columns: Columns,
    /// Frames by encoding, with and without ordinals.
    encoded: [OnceLock<Result<Bytes, EncodeError>>; 6],
}

/// Something that a layout must never show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulation gave a position that is not finite")]
pub(crate) struct NotFinite;

impl Snapshot {
    /// Takes a state in.
    ///
    /// # Errors
    /// Nothing that is not finite ever leaves a layout, so it is refused here.
    pub(crate) fn new(columns: Columns) -> Result<Self, NotFinite> {
        let finite = |column: &Vec<f32>| column.iter().all(|value| value.is_finite());
        if columns.positions.iter().chain(&columns.velocities).all(finite) {
            Ok(Self { columns, encoded: Default::default() })
        } else {
            Err(NotFinite)
        }
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// All nodes; with their ordinals if it is a keyframe.
    pub(crate) fn frame(&self, encoding: FrameEncoding, key: bool) -> Result<Bytes, EncodeError> {
        let row = match encoding {
            FrameEncoding::Unspecified | FrameEncoding::ColumnsF32 => 0,
            FrameEncoding::ColumnsQ16 => 2,
            FrameEncoding::Record34 => 4,
        };
        let selection = if key { Selection::Key } else { Selection::Following };
        self.encoded[row + usize::from(key)]
            .get_or_init(|| frames::encode(&self.columns, encoding, selection))
            .clone()
    }

    /// The nodes in a box. Each viewer has its own box, so this is made for one.
    pub(crate) fn cut(&self, encoding: FrameEncoding, region: Corners) -> Result<Bytes, EncodeError> {
        let indices = frames::inside(&self.columns, region);
        frames::encode(&self.columns, encoding, Selection::Cut(&indices))
    }

    /// The first encoding that can carry this graph; columns of 32-bit floats if none is asked for.
    ///
    /// # Errors
    /// Why the last one cannot.
    pub(crate) fn choose(&self, encodings: &[FrameEncoding]) -> Result<FrameEncoding, EncodeError> {
        let fits =
            |encoding: FrameEncoding| encoding != FrameEncoding::Record34 || self.columns.fits_records();
        match encodings.iter().copied().find(|encoding| fits(*encoding)) {
            Some(FrameEncoding::Unspecified) => Ok(FrameEncoding::ColumnsF32),
            Some(encoding) => Ok(encoding),
            None if encodings.is_empty() => Ok(FrameEncoding::ColumnsF32),
            None => Err(EncodeError::TooNarrow { ordinal: self.columns.ids.last().copied().unwrap_or(0) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(last: u32) -> Columns {
        Columns {
            ids: [1, last].into(),
            positions: [vec![0.0, 1.0], vec![0.0, 2.0], vec![]],
            bounds: ([0.0; 3], [1.0, 2.0, 0.0]),
            ..Columns::default()
        }
    }

    #[test]
    fn viewers_share_the_bytes() {
        let snapshot = Snapshot::new(columns(7)).unwrap();
        for encoding in [FrameEncoding::ColumnsF32, FrameEncoding::ColumnsQ16, FrameEncoding::Record34] {
            for key in [false, true] {
                let first = snapshot.frame(encoding, key).unwrap();
                let second = snapshot.frame(encoding, key).unwrap();
                assert_eq!(first.as_ptr(), second.as_ptr());
                let header = frames::Header::read(&first).unwrap();
                assert_eq!((header.encoding, header.has(frames::KEYFRAME)), (encoding, key));
            }
        }
    }

    #[test]
    fn the_first_encoding_that_can_carry_the_graph_is_chosen() {
        use FrameEncoding::{ColumnsF32, ColumnsQ16, Record34, Unspecified};
        let (small, large) = (Snapshot::new(columns(7)).unwrap(), Snapshot::new(columns(20_000)).unwrap());
        assert_eq!(small.choose(&[Record34, ColumnsQ16]), Ok(Record34));
        assert_eq!(large.choose(&[Record34, ColumnsQ16]), Ok(ColumnsQ16));
        assert_eq!(large.choose(&[]), Ok(ColumnsF32));
        assert_eq!(large.choose(&[Unspecified]), Ok(ColumnsF32));
        assert_eq!(large.choose(&[Record34]), Err(EncodeError::TooNarrow { ordinal: 20_000 }));
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut bad = columns(7);
        bad.positions[1][1] = f32::NAN;
        assert_eq!(Snapshot::new(bad).unwrap_err(), NotFinite);
        let mut bad = columns(7);
        bad.velocities[0] = vec![0.0, f32::INFINITY];
        assert_eq!(Snapshot::new(bad).unwrap_err(), NotFinite);
    }
}
