//! Gzip on the way in: found by its first bytes, unpacked in small pieces, never all at once.
//!
//! The framing of RFC 1952 is read here and not by a decoder of the library, which cannot tell a
//! stream that is cut from one that is damaged.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{FormatError, Position};

/// The two bytes that every gzip stream begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Longest header; it holds a file name and little else.
const MAX_HEADER_BYTES: usize = 4096;
/// Most bytes that are unpacked at a time, so that the limits meet a bomb piece by piece.
const PIECE_BYTES: usize = 64 << 10;

/// Unpacks a stream if it is gzip and passes it on if not.
pub(super) enum Gunzip {
    /// Fewer than two bytes have come; whether the name asks for gzip.
    Undecided { named: bool, head: Vec<u8> },
    /// Not compressed.
    Plain,
    /// Compressed.
    Packed(Box<Unpacker>),
}

type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), FormatError>;

impl Gunzip {
    /// A stream of a file whose name ends in `.gz` or not.
    pub(super) fn new(named: bool) -> Self {
        Self::Undecided { named, head: Vec::with_capacity(2) }
    }

    /// Unpacks a piece.
    pub(super) fn push(&mut self, path: &str, mut bytes: &[u8], take: Take<'_>) -> Result<(), FormatError> {
        if let Self::Undecided { named, head } = self {
            let missing = (MAGIC.len() - head.len()).min(bytes.len());
            head.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if head.len() < MAGIC.len() {
                return Ok(());
            }
            let head = std::mem::take(head);
            if head == MAGIC {
                *self = Self::Packed(Box::new(Unpacker::new()));
            } else if *named {
                return Err(damaged(path, "its name says gzip, and its content is not"));
            } else {
                *self = Self::Plain;
            }
            self.push(path, &head, take)?;
        }
        match self {
            Self::Undecided { .. } => Ok(()),
            Self::Plain if bytes.is_empty() => Ok(()),
            Self::Plain => take(bytes),
            Self::Packed(unpacker) => unpacker.push(path, bytes, take),
        }
    }

    /// Hands out the rest and checks that the stream is whole.
    pub(super) fn finish(&mut self, path: &str, take: Take<'_>) -> Result<(), FormatError> {
        let whole = match self {
            Self::Undecided { named, head } if !*named => {
                if !head.is_empty() {
                    take(head)?;
                }
                true
            }
            Self::Undecided { .. } => false,
            Self::Plain => true,
            Self::Packed(unpacker) => matches!(unpacker.state, State::Header) && unpacker.frame.is_empty(),
        };
        if whole {
            return Ok(());
        }
        let problem = "the gzip stream ends before it is complete".to_owned();
        Err(FormatError::Truncated { at: Position::file(path), problem })
    }
}

/// Unpacks a gzip stream of one member or several.
pub(super) struct Unpacker {
    state: State,
    /// Part of a header or of the checksum and length at a member's end.
    frame: Vec<u8>,
    inflate: Decompress,
    checksum: Crc,
    piece: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Header,
    Content,
    Trailer,
}

impl Unpacker {
    fn new() -> Self {
        Self {
            state: State::Header,
            frame: Vec::new(),
            inflate: Decompress::new(false),
            checksum: Crc::new(),
            piece: Vec::with_capacity(PIECE_BYTES),
        }
    }

    fn push(&mut self, path: &str, mut bytes: &[u8], take: Take<'_>) -> Result<(), FormatError> {
        while !bytes.is_empty() {
            let read = match self.state {
                State::Header => self.header(path, bytes)?,
                State::Content => self.content(path, bytes, take)?,
                State::Trailer => self.trailer(path, bytes)?,
            };
            bytes = &bytes[read..];
        }
        // What was read may unpack to more than one piece.
        while matches!(self.state, State::Content) && self.content(path, &[], take)? > 0 {}
        Ok(())
    }

    fn header(&mut self, path: &str, bytes: &[u8]) -> Result<usize, FormatError> {
        let before = self.frame.len();
        self.frame.extend_from_slice(&bytes[..bytes.len().min(MAX_HEADER_BYTES - before)]);
        match header_bytes(&self.frame) {
            Ok(Some(length)) => {
                self.frame.clear();
                self.inflate.reset(false);
                self.checksum.reset();
                self.state = State::Content;
                Ok(length - before)
            }
            Ok(None) if self.frame.len() < MAX_HEADER_BYTES => Ok(self.frame.len() - before),
            Ok(None) => Err(damaged(path, "the header of the gzip stream is too long")),
            Err(problem) => Err(damaged(path, problem)),
        }
    }

    /// Unpacks one piece and tells how many bytes it took; with none given, how many it made.
    fn content(&mut self, path: &str, bytes: &[u8], take: Take<'_>) -> Result<usize, FormatError> {
        self.piece.clear();
        let before = self.inflate.total_in();
        let status = self
            .inflate
            .decompress_vec(bytes, &mut self.piece, FlushDecompress::None)
            .map_err(|error| damaged(path, &format!("the gzip stream is damaged: {error}")))?;
        let read = (self.inflate.total_in() - before) as usize;
        self.checksum.update(&self.piece);
        if !self.piece.is_empty() {
            take(&self.piece)?;
        }
        if status == Status::StreamEnd {
            self.state = State::Trailer;
        } else if read == 0 && self.piece.is_empty() && !bytes.is_empty() {
            return Err(damaged(path, "the gzip stream is damaged: it does not go on"));
        }
        Ok(if bytes.is_empty() { self.piece.len() } else { read })
    }

    fn trailer(&mut self, path: &str, bytes: &[u8]) -> Result<usize, FormatError> {
        let read = bytes.len().min(8 - self.frame.len());
        self.frame.extend_from_slice(&bytes[..read]);
        if let [a, b, c, d, rest @ ..] = self.frame.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(rest)
        {
            let checksum = u32::from_le_bytes([*a, *b, *c, *d]);
            if checksum != self.checksum.sum() || u32::from_le_bytes(length) != self.checksum.amount() {
                return Err(damaged(path, "the gzip stream is damaged: its checksum is wrong"));
            }
            self.frame.clear();
            self.state = State::Header;
        }
        Ok(read)
    }
}

/// Length of a member's header, once it is whole (RFC 1952, section 2.3).
fn header_bytes(frame: &[u8]) -> Result<Option<usize>, &'static str> {
    const HEADER_CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    if !MAGIC.starts_with(&frame[..frame.len().min(2)]) {
        return Err("bytes that are not gzip follow the gzip stream");
    }
    let Some(fixed) = frame.get(..10) else { return Ok(None) };
    let flags = fixed[3];
    if fixed[2] != 8 || flags & 0xe0 != 0 {
        return Err("the gzip stream is of an unknown kind");
    }
    let mut length = 10;
    if flags & EXTRA != 0 {
        let Some([low, high]) = frame.get(length..length + 2) else { return Ok(None) };
        length += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let Some(end) = frame.get(length..).and_then(|rest| memchr::memchr(0, rest)) else {
                return Ok(None);
            };
            length += end + 1;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        length += 2;
    }
    Ok((frame.len() >= length).then_some(length))
}

fn damaged(path: &str, problem: &str) -> FormatError {
    FormatError::Syntax { at: Position::file(path), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack_all(packed: &[u8], step: usize, named: bool) -> Result<(Vec<u8>, usize), FormatError> {
        let mut gunzip = Gunzip::new(named);
        let (mut plain, mut largest) = (Vec::new(), 0);
        let mut take = |bytes: &[u8]| {
            largest = largest.max(bytes.len());
            plain.extend_from_slice(bytes);
            Ok(())
        };
        for piece in packed.chunks(step) {
            gunzip.push("f.gz", piece, &mut take)?;
        }
        gunzip.finish("f.gz", &mut take)?;
        Ok((plain, largest))
    }

    #[test]
    fn members_follow_each_other() {
        let packed = [pack(b"first "), pack(b"second")].concat();
        for step in [1, 7, 1000] {
            assert_eq!(unpack_all(&packed, step, true).unwrap().0, b"first second");
        }
    }

    #[test]
    fn every_cut_is_truncated() {
        let packed = pack(&b"some text that is repeated, some text".repeat(20));
        for end in 0..packed.len() {
            let error = unpack_all(&packed[..end], 16, true).unwrap_err();
            assert!(matches!(error, FormatError::Truncated { .. }), "cut at {end}: {error}");
        }
    }

    #[test]
    fn a_bomb_comes_in_small_pieces() {
        let packed = pack(&vec![0; 64 << 20]);
        assert!(packed.len() < 1 << 20, "{} bytes", packed.len());
        let (plain, largest) = unpack_all(&packed, packed.len(), true).unwrap();
        assert_eq!(plain.len(), 64 << 20);
        assert!(largest <= 64 << 10, "a piece of {largest} bytes");
    }

    #[test]
    fn headers_may_carry_names_and_more() {
        let mut encoder = GzBuilder::new()
            .filename("a name")
            .comment("a comment")
            .extra(vec![7; 300])
            .write(Vec::new(), Compression::fast());
        encoder.write_all(b"content").unwrap();
        let packed = encoder.finish().unwrap();
        for step in [1, 5, 1000] {
            assert_eq!(unpack_all(&packed, step, true).unwrap().0, b"content");
        }
    }

    #[test]
    fn damage_is_found() {
        let mut packed = pack(b"content");
        let last = packed.len() - 8;
        packed[last] ^= 1;
        let error = unpack_all(&packed, 100, true).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
        assert!(unpack_all(b"not gzip", 100, true).is_err(), "the name says gzip");
        assert_eq!(unpack_all(b"not gzip", 1, false).unwrap().0, b"not gzip");
    }
}
