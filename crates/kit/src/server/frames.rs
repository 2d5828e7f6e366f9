//! Where the frames of HTTP/2 begin, in bytes that come in pieces of any size.

/// What every frame begins with (RFC 9113, 4.1); the stream's number is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Bytes of payload.
    pub(super) length: usize,
    /// Which frame it is.
    pub(super) kind: u8,
    /// What its flags say.
    pub(super) flags: u8,
}

const HEAD: usize = 9;

/// Reads the heads of frames; payloads are passed over and never kept.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes before the next head.
    skip: usize,
    /// A head that has not come whole.
    head: [u8; HEAD],
    have: usize,
}

impl Frames {
    /// The first frame comes after so many bytes.
    pub(super) fn after(skip: usize) -> Self {
        Self { skip, head: [0; HEAD], have: 0 }
    }

    /// The next head within `bytes`, of which what was read is taken off.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<FrameHead> {
        let passed = self.skip.min(bytes.len());
        self.skip -= passed;
        *bytes = &bytes[passed..];
        if self.have == 0
            && let Some((head, rest)) = bytes.split_first_chunk()
        {
            *bytes = rest;
            return Some(self.begin(*head));
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(HEAD - self.have));
        self.head[self.have..][..piece.len()].copy_from_slice(piece);
        self.have += piece.len();
        *bytes = rest;
        if self.have < HEAD {
            return None;
        }
        self.have = 0;
        Some(self.begin(self.head))
    }

    fn begin(&mut self, head: [u8; HEAD]) -> FrameHead {
        let [a, b, c, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        self.skip = length;
        FrameHead { length, kind, flags }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(frames: &mut Frames, mut bytes: &[u8]) -> Vec<FrameHead> {
        let mut heads = Vec::new();
        while let Some(head) = frames.next(&mut bytes) {
            heads.push(head);
        }
        assert!(bytes.is_empty(), "all of it is read");
        heads
    }

    /// Bytes to pass over, and frames of lengths around every border.
    fn bytes() -> (Vec<u8>, Vec<FrameHead>) {
        let mut bytes = b"hello".to_vec();
        let mut expected = Vec::new();
        for (index, length) in [0, 1, 8, 9, 10, 0, 0, 300, 5].into_iter().enumerate() {
            let (kind, flags) = (index as u8, 0xf0 | index as u8);
            bytes.extend(&(length as u32).to_be_bytes()[1..]);
            bytes.extend([kind, flags, 0x80, 0, 0, 7]);
            bytes.extend(vec![0xff; length]);
            expected.push(FrameHead { length, kind, flags });
        }
        (bytes, expected)
    }

    #[test]
    fn it_does_not_matter_where_reads_end() {
        let (bytes, expected) = bytes();
        for first in 0..=bytes.len() {
            for second in (first..=bytes.len()).filter(|second| second - first < 40) {
                let mut frames = Frames::after(5);
                let mut found = heads(&mut frames, &bytes[..first]);
                found.extend(heads(&mut frames, &bytes[first..second]));
                found.extend(heads(&mut frames, &bytes[second..]));
                assert_eq!(found, expected, "cut at {first} and {second}");
            }
        }
        for size in 1..=20 {
            let mut frames = Frames::after(5);
            let found: Vec<_> = bytes.chunks(size).flat_map(|piece| heads(&mut frames, piece)).collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn the_largest_frame_is_passed_over() {
        let mut frames = Frames::after(0);
        assert_eq!(heads(&mut frames, b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")[0].length, (1 << 24) - 1);
        assert!(heads(&mut frames, &vec![0; (1 << 24) - 1]).is_empty());
        assert_eq!(heads(&mut frames, &[0; 9]).len(), 1);
    }
}
