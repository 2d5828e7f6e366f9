//! What the server sends: a message that gets smaller by it leaves compressed, everything else as it is.

use super::{
    codec,
    head::{self, CONTINUATION, CONTROL, Head, OPCODE, RSV1},
};

/// Which messages are packed, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    /// Logarithm of how far back they may refer.
    pub(super) window: u8,
    /// Shorter ones are not. With 0, all are, smaller by it or not.
    pub(super) from: usize,
}

/// Where in the server's frames its bytes are.
pub(super) struct Output {
    packing: Packing,
    head: Head,
    /// Bytes of the frame's payload that are still to come, once the head is whole.
    left: u64,
    /// What there is of a message that is to be packed.
    message: Option<Vec<u8>>,
}

impl Output {
    pub(super) fn new(packing: Packing) -> Self {
        Self { packing, head: Head::default(), left: 0, message: None }
    }

    /// Takes what the library writes, and puts what the client is to read behind what `ready` has.
    pub(super) fn take(&mut self, mut bytes: &[u8], ready: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let used = if self.head.is_whole() {
                let used = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.message.as_mut().unwrap_or(ready).extend_from_slice(&bytes[..used]);
                self.left -= used as u64;
                used
            } else {
                let used = self.head.take(bytes);
                if self.head.is_whole() {
                    self.begin(ready);
                }
                used
            };
            bytes = &bytes[used..];
            if self.head.is_whole() && self.left == 0 {
                self.end(ready);
            }
        }
    }

    fn begin(&mut self, ready: &mut Vec<u8>) {
        self.left = self.head.length();
        let opcode = self.head.first() & OPCODE;
        // The library says a message in one frame.
        let is_message = self.head.is_final() && opcode != CONTINUATION && opcode < CONTROL;
        match usize::try_from(self.left) {
            Ok(length) if is_message && length >= self.packing.from => {
                self.message = Some(Vec::with_capacity(length));
            }
            _ => ready.extend_from_slice(self.head.bytes()),
        }
    }

    fn end(&mut self, ready: &mut Vec<u8>) {
        if let Some(message) = self.message.take() {
            let mut packed = Vec::new();
            let Packing { window, from } = self.packing;
            let is_packed = if from == 0 {
                codec::pack(&message, window, &mut packed);
                true
            } else {
                codec::pack_if_smaller(&message, window, &mut packed)
            };
            if is_packed {
                head::write(self.head.first() | RSV1, None, packed.len(), ready);
                ready.extend_from_slice(&packed);
            } else {
                ready.extend_from_slice(self.head.bytes());
                ready.extend_from_slice(&message);
            }
        }
        self.head = Head::default();
    }
}
