//! What a socket knows of its client before anything is said on it.

use http::{Extensions, HeaderMap};

use super::frame::Protocol;

/// What the handshake told.
pub(super) struct Settings {
    pub(super) protocol: Protocol,
    /// Metadata that calls have unless they say otherwise.
    pub(super) metadata: HeaderMap,
    pub(super) extensions: Extensions,
}

impl Settings {
    /// Those of a client who is not known.
    pub(super) fn none(protocol: Protocol) -> Self {
        Self { protocol, metadata: HeaderMap::new(), extensions: Extensions::new() }
    }
}
