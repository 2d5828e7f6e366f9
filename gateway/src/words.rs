//! What every protocol refuses in the same words.

use std::time::Duration;

use tonic::{Code, Status};
use weft_kit::Problem;

/// A call of a method that there is not. `path` is `/package.Service/Method`.
pub(crate) fn unknown_method(path: &str) -> Status {
    Problem::unimplemented("UNKNOWN_METHOD", format!("there is no method {path}")).into()
}

/// A method that takes one message got another number of them: UNIMPLEMENTED, as gRPC's status codes
/// have it for a wrong cardinality.
pub(crate) fn one_message(path: &str) -> Status {
    Problem::unimplemented("ONE_MESSAGE", format!("{path} takes one message")).into()
}

/// A message of more than `limit` bytes, however it came.
pub(crate) fn too_large(limit: usize) -> Status {
    Problem::resource_exhausted("MESSAGE_TOO_LARGE", format!("a message has at most {limit} bytes"))
        .with("limit_bytes", limit)
        .into()
}

/// What the runtime of a service says, too, when the client's time is over.
pub(crate) fn time_is_over() -> Status {
    let text = "the call's deadline passed before it was done";
    Problem::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", text).into()
}

/// This process is about to end: to whoever begins something, and to streams that can be begun anew.
pub(crate) fn draining() -> Status {
    let text = "this server is about to stop; connect again";
    Problem::unavailable("DRAINING", text).retry_after(Duration::from_millis(100)).into()
}

/// What is no message, or no envelope around one.
pub(crate) fn malformed(problem: &str) -> Status {
    Problem::invalid_argument("MALFORMED_MESSAGE", problem).into()
}
