//! Packing and unpacking one message (RFC 7692, 7.2). Each thread keeps a few machines for it, as no message needs
//! what another left in them.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Fault;

/// What ends each packed message and is not sent (7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// What a message is tried with before all of it is packed.
const SAMPLE: usize = 4096;
/// Largest piece of what is unpacked: one that grew would be copied, and leave its former places behind.
const PIECE: usize = 64 << 10;
/// Machines that a thread keeps, of each kind: 40 KB to unpack, 300 KB to pack.
const KEPT: usize = 4;

thread_local! {
    static UNPACKERS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
    static PACKERS: RefCell<Vec<(u8, Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Packs a message behind what `out` has, if it gets smaller. A part at its front says whether to try: much of what is
/// large here, frames of positions above all, is packed already.
pub(super) fn pack_if_smaller(message: &[u8], window: u8, out: &mut Vec<u8>) -> bool {
    let before = out.len();
    if let Some(sample) = message.get(..SAMPLE).filter(|_| message.len() > 2 * SAMPLE) {
        pack(sample, window, out);
        let packed = out.len() - before;
        out.truncate(before);
        // Texts give more than half. Less than a quarter is not worth the time of both sides: of positions there are
        // some hundred kilobytes, many times a second.
        if packed > SAMPLE - SAMPLE / 4 {
            return false;
        }
    }
    pack(message, window, out);
    if out.len() - before < message.len() {
        return true;
    }
    out.truncate(before);
    false
}

/// Packs a message behind what `out` has.
pub(super) fn pack(mut message: &[u8], window: u8, out: &mut Vec<u8>) {
    let kept = PACKERS.with_borrow_mut(|packers| {
        let at = packers.iter().position(|(bits, _)| *bits == window)?;
        Some(packers.swap_remove(at).1)
    });
    let mut packer =
        kept.unwrap_or_else(|| Compress::new_with_window_bits(Compression::fast(), false, window));
    loop {
        out.reserve(message.len() / 4 + 64);
        let before = packer.total_in();
        packer
            .compress_vec(message, out, FlushCompress::Sync)
            .expect("only a dictionary in its middle could disturb a packer");
        let used = usize::try_from(packer.total_in() - before).expect("it is at most the message");
        message = &message[used..];
        // Where room is left, it has said all.
        if message.is_empty() && out.len() < out.capacity() {
            break;
        }
    }
    if out.ends_with(&TAIL) {
        out.truncate(out.len() - TAIL.len());
    }
    packer.reset();
    PACKERS.with_borrow_mut(|packers| {
        if packers.len() < KEPT {
            packers.push((window, packer));
        }
    });
}

/// A message that is being unpacked.
pub(super) struct Unpacking {
    unpacker: Option<Decompress>,
    pieces: Vec<Vec<u8>>,
    /// Bytes of all pieces.
    length: usize,
    /// Bytes that it was given.
    taken: usize,
    /// Most bytes of the message.
    most: usize,
}

impl Unpacking {
    pub(super) fn new(most: usize) -> Self {
        let kept = UNPACKERS.with_borrow_mut(Vec::pop);
        let unpacker = kept.unwrap_or_else(|| Decompress::new(false));
        Self { unpacker: Some(unpacker), pieces: Vec::new(), length: 0, taken: 0, most }
    }

    /// Unpacks what came. What it makes is bounded while it is made, whatever the ratio.
    pub(super) fn take(&mut self, packed: &[u8]) -> Result<(), Fault> {
        self.taken = self.taken.saturating_add(packed.len());
        // What cannot be packed grows by five bytes in 64 KiB; more is blocks with nothing in them.
        if self.taken / 2 > self.most.saturating_add(1024) {
            return Err(Fault::TooLarge);
        }
        self.unpack(packed)
    }

    /// The message in pieces, when all of it came.
    pub(super) fn finish(mut self) -> Result<Vec<Vec<u8>>, Fault> {
        self.unpack(&TAIL)?;
        Ok(std::mem::take(&mut self.pieces))
    }

    fn unpack(&mut self, mut packed: &[u8]) -> Result<(), Fault> {
        let unpacker = self.unpacker.as_mut().expect("it is there until this is dropped");
        loop {
            if self.pieces.last().is_none_or(|piece| piece.len() == piece.capacity()) {
                let more = self.length.clamp(512, PIECE).min(self.most + 1 - self.length);
                self.pieces.push(Vec::with_capacity(more));
            }
            let piece = self.pieces.last_mut().expect("there is one now");
            let (before, length) = (unpacker.total_in(), piece.len());
            let status =
                unpacker.decompress_vec(packed, piece, FlushDecompress::Sync).map_err(|_| Fault::Invalid)?;
            let used = usize::try_from(unpacker.total_in() - before).map_err(|_| Fault::Invalid)?;
            packed = &packed[used..];
            self.length += piece.len() - length;
            if self.length > self.most {
                return Err(Fault::TooLarge);
            }
            let is_full = piece.len() == piece.capacity();
            match status {
                // A block may say that it is the last; what follows begins anew (7.2.3.4).
                Status::StreamEnd => unpacker.reset(false),
                _ if is_full => continue,
                Status::BufError if !packed.is_empty() => return Err(Fault::Invalid),
                _ => {}
            }
            if packed.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        let Some(mut unpacker) = self.unpacker.take() else { return };
        UNPACKERS.with_borrow_mut(|unpackers| {
            if unpackers.len() < KEPT {
                unpacker.reset(false);
                unpackers.push(unpacker);
            }
        });
    }
}
