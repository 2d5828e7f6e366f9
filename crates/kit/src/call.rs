//! What a handler gets: the caller, a message that keeps its contract, and the time it has.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use tokio::time::Instant;
use tonic::{Request, Status, Streaming};
use weft_proto::Validate;

use crate::{Caller, Problem, server::malformed};

/// One call, opened. There is no other way to a request's message than through validation.
#[derive(Debug)]
pub struct Call<T> {
    /// Who is calling.
    pub caller: Caller,
    /// The message; every rule of its contract holds.
    pub message: T,
    /// When the client gives up.
    pub deadline: Option<Instant>,
}

/// When the client gives up, as the pipeline hands it to handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

impl<T: Validate> Call<T> {
    /// Opens a unary or server-streaming call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names every field which breaks its rules.
    pub fn open(mut request: Request<T>) -> Result<Self, Status> {
        let (caller, deadline) = context(request.extensions_mut());
        let message = validated(request.into_inner())?;
        Ok(Self { caller, message, deadline })
    }
}

/// The messages of a client stream; each keeps its contract.
pub type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl<T: Validate + Send + 'static> Call<Messages<T>> {
    /// Opens a client-streaming or bidirectional call. A message that breaks a rule becomes the
    /// stream's error, and its last item.
    pub fn open_stream(mut request: Request<Streaming<T>>) -> Self {
        let (caller, deadline) = context(request.extensions_mut());
        let read = |message: Result<T, Status>| {
            message.map_err(|status| malformed::refusal(&status).unwrap_or(status)).and_then(validated)
        };
        let message = request.into_inner().map(read).boxed();
        Self { caller, message, deadline }
    }
}

fn context(extensions: &mut tonic::Extensions) -> (Caller, Option<Instant>) {
    let caller = extensions.remove::<Caller>().unwrap_or_else(Caller::nobody);
    (caller, extensions.get::<Deadline>().map(|deadline| deadline.0))
}

fn validated<T: Validate>(message: T) -> Result<T, Status> {
    let violations = message.violations();
    if violations.is_empty() { Ok(message) } else { Err(Problem::violations(&violations).into()) }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;
    use weft_proto::weft::graph::v1::GetGraphRequest;

    use super::*;

    #[test]
    fn a_message_that_breaks_its_contract_is_not_opened() {
        let status =
            Call::open(Request::new(GetGraphRequest { name: "graphs/g".into() })).expect_err("a bad name");
        assert_eq!(
            status.get_error_details().bad_request().expect("it names the field").field_violations[0].field,
            "name"
        );
        let good = Request::new(GetGraphRequest { name: "projects/p/graphs/g".into() });
        assert_eq!(Call::open(good).expect("a good name").caller, Caller::nobody());
    }
}
