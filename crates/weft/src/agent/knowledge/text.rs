//! A piece of a file's text, as it is now.

use std::io::{Read, Seek, SeekFrom};

use cap_std::{ambient_authority, fs::Dir};
use weft_proto::weft::agent::v1::{HostRefusal, ReadKnowledgeFileRequest, ReadKnowledgeFileResponse};

use super::{
    read,
    settings::Folder,
    walk::{Found, Stamp, problem_of},
};
use crate::agent::host::refusal;

/// A piece, if nothing is said, and at most.
const PIECE_BYTES: usize = 64 << 10;
const MAX_PIECE_BYTES: usize = 128 << 10;
/// A character has no more bytes.
const CHARACTER_BYTES: usize = 4;

/// Reads a piece of a file of a folder.
pub(super) fn piece(
    folder: &Folder,
    found: &Found,
    request: &ReadKnowledgeFileRequest,
) -> Result<ReadKnowledgeFileResponse, HostRefusal> {
    let most = match usize::try_from(request.max_bytes).unwrap_or(0) {
        0 => PIECE_BYTES,
        asked => asked.clamp(CHARACTER_BYTES, MAX_PIECE_BYTES),
    };
    let offset = u64::try_from(request.offset_bytes).unwrap_or(0);
    let failed = |error: std::io::Error| refusal::denied(&format!("the file {}", problem_of(&error)));
    let dir = Dir::open_ambient_dir(&folder.settings.folder, ambient_authority()).map_err(failed)?;
    let mut file =
        read::open(&dir, found).map_err(|problem| refusal::denied(&format!("the file {problem}")))?;
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    if offset > stamp.size {
        return Err(refusal::invalid("offset_bytes", "is beyond the end of the file"));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::with_capacity(most);
    file.take(most as u64).read_to_end(&mut bytes).map_err(failed)?;
    let is_end = bytes.len() < most || offset + bytes.len() as u64 >= stamp.size;
    let text = text(bytes, is_end).ok_or_else(|| refusal::denied("the file is no text in UTF-8"))?;
    let next = offset + text.len() as u64;
    Ok(ReadKnowledgeFileResponse {
        next_offset_bytes: if is_end { 0 } else { i64::try_from(next).unwrap_or(0) },
        text,
        size_bytes: i64::try_from(stamp.size).unwrap_or(i64::MAX),
        update_time: Some(super::index::instant(stamp.modified)),
    })
}

/// Bytes as text, without the beginning of a character that goes on behind them; `None` if they are none.
fn text(mut bytes: Vec<u8>, is_end: bool) -> Option<String> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        let is_cut = error.error_len().is_none() && !is_end;
        if !is_cut {
            return None;
        }
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_cut_between_characters_and_only_there() {
        let of = |bytes: &[u8], is_end| text(bytes.to_vec(), is_end);
        assert_eq!(of("zwölf".as_bytes(), true).as_deref(), Some("zwölf"));
        assert_eq!(of(&"zwö".as_bytes()[..3], false).as_deref(), Some("zw"));
        assert_eq!(of(&"zwö".as_bytes()[..3], true), None);
        assert_eq!(of(b"a\xffb", false), None);
        assert_eq!(of(b"a\0b", false), None);
    }
}
