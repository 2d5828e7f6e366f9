//! How positions are kept while nothing runs: a small head, then an exact keyframe.

use bytes::Bytes;

use crate::frames::{self, Columns, DecodeError, Frame, FrameEncoding, Selection};

const MAGIC: [u8; 4] = *b"WFLP";
const VERSION: u8 = 1;
const HEAD: usize = 16;

/// Positions as they are kept: 16 bytes of head (magic `WFLP`, u8 version, u8 whether it had
/// settled, two zero bytes, i64 version of parameters and constraints, little-endian), then a keyframe of
/// 32-bit columns, which also tells tick and revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    /// Whether nothing would have moved any more.
    pub(crate) settled: bool,
    /// Version of the parameters and constraints that it had settled under.
    pub(crate) parameters_version: i64,
    /// Where the nodes were.
    pub(crate) frame: Frame,
}

/// Why saved positions cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SavedError {
    #[error("not saved positions of a known version")]
    Head,
    #[error(transparent)]
    Frame(#[from] DecodeError),
    #[error("saved positions without ordinals")]
    NoOrdinals,
}

/// Writes positions down.
pub(crate) fn encode(settled: bool, parameters_version: i64, columns: &Columns) -> Bytes {
    let frame = frames::encode(columns, FrameEncoding::ColumnsF32, Selection::Key)
        .expect("columns of floats can carry every graph");
    let mut out = Vec::with_capacity(HEAD + frame.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, u8::from(settled), 0, 0]);
    out.extend_from_slice(&parameters_version.to_le_bytes());
    out.extend_from_slice(&frame);
    out.into()
}

/// Reads them back.
pub(crate) fn decode(bytes: &[u8]) -> Result<Saved, SavedError> {
    let (head, frame) = bytes.split_first_chunk::<HEAD>().ok_or(SavedError::Head)?;
    if head[..4] != MAGIC || head[4] != VERSION {
        return Err(SavedError::Head);
    }
    let (_, version) = head.split_last_chunk::<8>().ok_or(SavedError::Head)?;
    let frame = frames::decode(frame)?;
    if frame.ids.is_none() {
        return Err(SavedError::NoOrdinals);
    }
    Ok(Saved { settled: head[5] == 1, parameters_version: i64::from_le_bytes(*version), frame })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_exactly() {
        let columns = Columns {
            ids: [2, 5].into(),
            positions: [vec![0.1, -7.25], vec![3.0, 1e-7], vec![]],
            bounds: ([-7.25, 1e-7, 0.0], [0.1, 3.0, 0.0]),
            tick: 12,
            revision: 4,
            ..Columns::default()
        };
        let bytes = encode(true, 9, &columns);
        assert_eq!(bytes[..16], [b'W', b'F', b'L', b'P', 1, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        let saved = decode(&bytes).unwrap();
        assert!(saved.settled);
        assert_eq!(saved.parameters_version, 9);
        assert_eq!(saved.frame.ids.as_deref(), Some(&[2, 5][..]));
        assert_eq!(saved.frame.positions, columns.positions);
        assert_eq!((saved.frame.header.tick, saved.frame.header.revision), (12, 4));

        assert!(matches!(decode(&bytes[..15]), Err(SavedError::Head)));
        assert!(matches!(decode(&bytes[..90]), Err(SavedError::Frame(_))));
        let mut newer = bytes.to_vec();
        newer[4] = 2;
        assert!(matches!(decode(&newer), Err(SavedError::Head)));
    }
}
