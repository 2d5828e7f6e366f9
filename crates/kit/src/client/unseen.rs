//! Which failed calls did no service ever see? They may be made again whatever they do (gRFC A6,
//! "transparent retries").
//!
//! A server that ends, or that lets a connection grow no older, says GOAWAY (RFC 9113, section 6.8). A
//! call that crosses it on the wire fails here although nothing is wrong with it: hyper's server has
//! not taken it, and says so. tonic's client calls that INTERNAL, because the reason in the frame is
//! NO_ERROR; it is neither a fault nor the end of the matter.

use std::error::Error;

/// A call that no service has seen; among the extensions of the answer that says UNAVAILABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Its connection is closed in order: it never left this process, or it came after the last call
    /// that the server's GOAWAY still takes.
    Closing,
    /// The server's HTTP/2 layer refused it with REFUSED_STREAM, and may go on to do so.
    Refused,
}

impl Unseen {
    /// What `failure`, an error from below gRPC, says of its call; `None` if a service may have seen it.
    pub(super) fn of(failure: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = failure.downcast_ref::<hyper::Error>()
            && error.is_canceled()
        {
            // hyper says so only of requests that it still has in its hands.
            return Some(Self::Closing);
        }
        if let Some(error) = failure.downcast_ref::<h2::Error>() {
            return match error.reason() {
                // h2 fails only those calls with it that are beyond the last one; for the others it waits.
                _ if error.is_go_away() && error.is_remote() => Some(Self::Closing),
                Some(h2::Reason::REFUSED_STREAM) if error.is_remote() => Some(Self::Refused),
                _ => None,
            };
        }
        failure.source().and_then(Self::of)
    }
}
