//! The head of a frame (RFC 6455, 5.2), byte by byte.

/// The first byte of the last frame of a message.
pub(super) const FIN: u8 = 0x80;
/// The message is compressed; said in its first frame.
pub(super) const RSV1: u8 = 0x40;
/// What neither of the RFCs uses.
pub(super) const RESERVED: u8 = 0x30;
pub(super) const OPCODE: u8 = 0x0f;
/// The opcode of a frame that is not a message's first.
pub(super) const CONTINUATION: u8 = 0;
/// Opcodes from here on are of control frames, which stand between the frames of a message.
pub(super) const CONTROL: u8 = 8;
/// The second byte: a mask follows the length.
const MASKED: u8 = 0x80;
/// Lengths from 126 on are in two more bytes, or in eight.
const IN_TWO: u8 = 126;
const IN_EIGHT: u8 = 127;

/// As much of a frame's head as there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    bytes: [u8; Self::LONGEST],
    have: u8,
}

impl Head {
    /// Bytes of the longest one.
    pub(super) const LONGEST: usize = 14;

    /// Takes its part of the bytes, and says how many these were.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while !self.is_whole() && used < bytes.len() {
            self.bytes[usize::from(self.have)] = bytes[used];
            self.have += 1;
            used += 1;
        }
        used
    }

    /// None of its bytes are there.
    pub(super) fn is_empty(&self) -> bool {
        self.have == 0
    }

    /// All of its bytes are there.
    pub(super) fn is_whole(&self) -> bool {
        usize::from(self.have) >= 2 && usize::from(self.have) == self.mask_at() + self.mask_length()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.have)]
    }

    /// Flags and opcode.
    pub(super) fn first(&self) -> u8 {
        self.bytes[0]
    }

    pub(super) fn is_final(&self) -> bool {
        self.first() & FIN != 0
    }

    /// Bytes of the payload. Of a whole head.
    pub(super) fn length(&self) -> u64 {
        let far: [u8; 8] = self.bytes[2..10].try_into().expect("it has eight bytes");
        match self.bytes[1] & !MASKED {
            IN_TWO => u64::from(u16::from_be_bytes([far[0], far[1]])),
            IN_EIGHT => u64::from_be_bytes(far),
            length => u64::from(length),
        }
    }

    /// What the payload is masked with. Of a whole head.
    pub(super) fn mask(&self) -> Option<[u8; 4]> {
        let at = self.mask_at();
        (self.mask_length() == 4).then(|| self.bytes[at..at + 4].try_into().expect("it has four bytes"))
    }

    fn mask_at(&self) -> usize {
        match self.bytes[1] & !MASKED {
            IN_TWO => 4,
            IN_EIGHT => 10,
            _ => 2,
        }
    }

    fn mask_length(&self) -> usize {
        if self.bytes[1] & MASKED == 0 { 0 } else { 4 }
    }
}

/// Writes a head.
pub(super) fn write(first: u8, mask: Option<[u8; 4]>, length: usize, out: &mut Vec<u8>) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < IN_TWO => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | IN_TWO);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | IN_EIGHT);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend(mask.into_iter().flatten());
}
