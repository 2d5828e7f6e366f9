//! What the client sends: frames of compressed messages become one plain frame, everything else is left as it is.
//!
//! Whatever is wrong with a frame that is not compressed is the library's to find, as if this were not here.

use super::{
    Fault,
    codec::Unpacking,
    head::{self, CONTINUATION, CONTROL, FIN, Head, OPCODE, RESERVED, RSV1},
};

/// Bytes that are unmasked at once.
const PIECE: usize = 2048;

/// Where in the client's frames its bytes are.
pub(super) struct Input {
    /// Most bytes of a message.
    most: usize,
    head: Head,
    /// Bytes of the frame's payload that are still to come, once the head is whole.
    left: u64,
    /// Whether the frame is of the compressed message.
    is_packed: bool,
    message: Option<Box<Message>>,
}

/// A compressed message whose frames are coming.
struct Message {
    opcode: u8,
    unpacking: Unpacking,
}

impl Input {
    pub(super) fn new(most: usize) -> Self {
        Self { most, head: Head::default(), left: 0, is_packed: false, message: None }
    }

    /// Takes what came, and puts what the library is to read behind what `ready` has.
    pub(super) fn take(&mut self, mut bytes: &[u8], ready: &mut Vec<u8>) -> Result<(), Fault> {
        while let Some(first) = bytes.first() {
            if self.head.is_empty() {
                self.is_packed = self.is_of_packed(*first)?;
            }
            let used = if self.head.is_whole() {
                let used = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload(&bytes[..used], ready)?;
                used
            } else {
                let used = self.head.take(bytes);
                if self.head.is_whole() {
                    self.begin(ready)?;
                }
                used
            };
            bytes = &bytes[used..];
            if self.head.is_whole() && self.left == 0 {
                self.end(ready)?;
            }
        }
        Ok(())
    }

    /// Whether a frame that begins so belongs to a compressed message.
    fn is_of_packed(&self, first: u8) -> Result<bool, Fault> {
        let opcode = first & OPCODE;
        let flags = first & (RSV1 | RESERVED);
        if opcode >= CONTROL {
            return Ok(false);
        }
        match (&self.message, opcode) {
            (Some(_), CONTINUATION) if flags == 0 => Ok(true),
            (Some(_), _) => Err(Fault::Protocol),
            (None, CONTINUATION) => Ok(false),
            (None, _) => Ok(flags == RSV1),
        }
    }

    fn begin(&mut self, ready: &mut Vec<u8>) -> Result<(), Fault> {
        self.left = self.head.length();
        if !self.is_packed {
            ready.extend_from_slice(self.head.bytes());
            return Ok(());
        }
        // A client masks all that it sends.
        if self.head.mask().is_none() {
            return Err(Fault::Protocol);
        }
        if self.message.is_none() {
            let opcode = self.head.first() & OPCODE;
            self.message = Some(Box::new(Message { opcode, unpacking: Unpacking::new(self.most) }));
        }
        Ok(())
    }

    fn payload(&mut self, bytes: &[u8], ready: &mut Vec<u8>) -> Result<(), Fault> {
        let message = self.message.as_mut().filter(|_| self.is_packed);
        let (Some(message), Some(mask)) = (message, self.head.mask()) else {
            ready.extend_from_slice(bytes);
            self.left -= bytes.len() as u64;
            return Ok(());
        };
        for piece in bytes.chunks(PIECE) {
            // The mask begins anew with each frame.
            let at = self.head.length() - self.left;
            let mut plain = [0; PIECE];
            for (index, (plain, byte)) in plain.iter_mut().zip(piece).enumerate() {
                *plain = byte ^ mask[(at as usize).wrapping_add(index) % 4];
            }
            message.unpacking.take(&plain[..piece.len()])?;
            self.left -= piece.len() as u64;
        }
        Ok(())
    }

    /// The frame is over, and with its last one a message.
    fn end(&mut self, ready: &mut Vec<u8>) -> Result<(), Fault> {
        let is_last = self.is_packed && self.head.is_final();
        self.head = Head::default();
        if is_last && let Some(message) = self.message.take() {
            let plain = message.unpacking.finish()?;
            let length = plain.iter().map(Vec::len).sum();
            ready.reserve(length + Head::LONGEST);
            // The library expects of a client that it masks.
            head::write(FIN | message.opcode, Some([0; 4]), length, ready);
            for piece in plain {
                ready.extend_from_slice(&piece);
            }
        }
        Ok(())
    }
}
