//! Compression of messages (RFC 7692, permessage-deflate): a stream of bytes beneath the library, which has none.
//!
//! To the library every message looks as if it had come plain, in one frame, and what it writes is compressed
//! on its way out where that pays. Nothing is kept from one message to the next ("no context takeover"): an idle
//! socket has no window, and what one message says cannot be guessed from the size of another.

mod codec;
mod head;
mod input;
mod offer;
mod output;
mod stream;
#[cfg(test)]
mod tests;

use std::io;

pub(super) use offer::Agreed;
pub(super) use stream::Deflated;

/// What a client did that ends its socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    /// Its frames are in no order that RFC 6455 and 7692 know.
    #[error("a compressed message is out of order")]
    Protocol,
    /// It cannot be unpacked.
    #[error("a compressed message cannot be unpacked")]
    Invalid,
    /// It is too large, unpacked.
    #[error("a compressed message is too large")]
    TooLarge,
}

impl Fault {
    /// The fault in an error of the library, if it came from here.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}
