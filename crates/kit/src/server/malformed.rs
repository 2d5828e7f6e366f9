//! Requests that are no messages: the client's mistake, and told as such.
//!
//! The gRPC library answers them with INTERNAL and no details. To its clients that means a fault of
//! ours, to operators an alert, and to programs nothing that they could act on.

use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status, metadata::MetadataValue};

use crate::Problem;

/// A message that cannot be read, in the words of its decoder.
pub(crate) fn malformed(problem: impl Into<String>) -> Status {
    Problem::invalid_argument("MALFORMED_MESSAGE", problem).into()
}

/// What the library says of a request that it cannot read, as a refusal of ours; `None` for every other
/// status. Statuses of ours have details, the library's have none.
pub(crate) fn refusal(status: &Status) -> Option<Status> {
    if !status.details().is_empty() {
        return None;
    }
    let text = status.message();
    match status.code() {
        Code::Internal if is_about_a_message(text) => Some(malformed(text)),
        Code::OutOfRange | Code::ResourceExhausted if is_about_its_size(text) => {
            Some(Problem::resource_exhausted("MESSAGE_TOO_LARGE", text).into())
        }
        _ => None,
    }
}

/// Whether the messages of a request are compressed (with gzip: nothing else is spoken).
///
/// # Errors
/// UNIMPLEMENTED for another compression.
pub(crate) fn is_gzip(headers: &HeaderMap) -> Result<bool, Status> {
    match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(false),
        Some(b"gzip") => Ok(true),
        Some(_) => {
            let problem =
                Problem::unimplemented("COMPRESSION_UNKNOWN", "messages may be compressed with gzip only");
            let mut status = Status::from(problem);
            status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static("gzip"));
            Err(status)
        }
    }
}

/// Texts of tonic's `codec::decode` and `server::grpc`, and of prost's decoder.
fn is_about_a_message(text: &str) -> bool {
    [
        "failed to decode Protobuf message",
        "protocol error: received message with",
        "Error decompressing",
        "Unexpected EOF decoding stream",
        "Missing request message",
    ]
    .iter()
    .any(|begin| text.starts_with(begin))
}

fn is_about_its_size(text: &str) -> bool {
    ["Error, decoded message length too large", "Error decompressing: size limit"]
        .iter()
        .any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn the_librarys_words_become_ours_and_no_others_do() {
        let read = refusal(&Status::internal(prost_error())).expect("it is about a message");
        assert_eq!(read.code(), Code::InvalidArgument);
        assert_eq!(read.get_error_details().error_info().expect("why").reason, "MALFORMED_MESSAGE");
        let large = Status::out_of_range("Error, decoded message length too large: found 9 bytes");
        let large = refusal(&large).expect("it is about a message");
        assert_eq!(large.get_error_details().error_info().expect("why").reason, "MESSAGE_TOO_LARGE");
        assert!(refusal(&Status::internal("a fault")).is_none());
        let ours = Problem::internal("INTERNAL", "Missing request message, says a handler");
        assert!(refusal(&ours.into()).is_none());
    }

    /// What prost says of a message that is cut.
    fn prost_error() -> String {
        use prost::Message;
        let error =
            weft_proto::weft::graph::v1::GetGraphRequest::decode(&b"\x0a"[..]).expect_err("it is cut");
        error.to_string()
    }
}
