//! What running work tells the desk.

use bytes::Bytes;
use weft_proto::weft::command::v1::OutputStream;

use super::journal::End;

/// What running work tells.
pub(super) enum Event {
    /// It has written something.
    Wrote { id: String, stream: OutputStream, data: Bytes },
    /// It has ended.
    Ended { id: String, end: End },
}
