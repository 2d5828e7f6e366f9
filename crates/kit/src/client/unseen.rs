//! Which failed calls did no service ever see? They may be made again whatever they do (gRFC A6,
//! "transparent retries").
//!
//! A server that ends, or that lets a connection grow no older, says GOAWAY (RFC 9113, section 6.8). A
//! call that crosses it on the wire fails here although nothing is wrong with it: the server has not taken
//! it, and says so. It is neither a fault nor the end of the matter.

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
    /// What `failure` says of its call; `None` if a service may have seen it.
    pub(super) fn of(failure: &h2::Error) -> Option<Self> {
        match failure.reason() {
            // h2 fails only those calls with it that are beyond the last one, or that it has not begun; for
            // the others it waits.
            _ if failure.is_go_away() && failure.is_remote() => Some(Self::Closing),
            Some(h2::Reason::REFUSED_STREAM) if failure.is_remote() => Some(Self::Refused),
            _ => None,
        }
    }
}
