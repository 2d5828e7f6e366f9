//! A call that is handed on to another process of its service: once, in the name of the same caller.

use tonic::{Code, Extensions, Request, Status, metadata::MetadataMap};
use uuid::Uuid;
use weft_kit::problem;

use crate::Members;

/// Says which process has handed a call on, so that it is not handed on again. What no process of these has said counts for
/// nothing: a client may send anything.
const HANDED_ON: &str = "weft-handed-on";

/// What a handed on call carries of the one that came.
#[derive(Debug)]
pub struct Origin {
    metadata: MetadataMap,
    extensions: Extensions,
    /// The call was handed on to this process: it is answered here or nowhere.
    pub was_handed_on: bool,
}

impl Origin {
    /// Of a call that has come, to one of several processes or to one that is alone.
    pub fn of<'m, T>(
        request: &Request<T>,
        members: Option<&'m Members>,
    ) -> impl Future<Output = Self> + Send + use<'m, T> {
        let (metadata, extensions) = (request.metadata().clone(), request.extensions().clone());
        async move {
            let from = metadata.get(HANDED_ON).and_then(|from| Uuid::try_parse(from.to_str().ok()?).ok());
            let was_handed_on = match (from, members) {
                (Some(from), Some(members)) => matches!(members.peer_of(from).await, Ok(Some(_))),
                _ => false,
            };
            Self { metadata, extensions, was_handed_on }
        }
    }

    /// The same request, for this process.
    pub fn here<T>(&self, message: T) -> Request<T> {
        Request::from_parts(self.metadata.clone(), self.extensions.clone(), message)
    }

    /// The same request, for another process: in the name of the same caller, and marked.
    pub fn there<T>(&self, me: Uuid, message: T) -> Request<T> {
        let mut metadata = MetadataMap::new();
        if let Some(credential) = self.metadata.get("authorization") {
            metadata.insert("authorization", credential.clone());
        }
        metadata.insert(HANDED_ON, me.to_string().parse().expect("letters, digits and dashes"));
        // Where the client is; trace, request id and deadline are added by whoever sends it.
        Request::from_parts(metadata, self.extensions.clone(), message)
    }
}

/// Whether a call that was handed on has no answer, so that nobody knows whether it was done.
#[must_use]
pub fn is_lost(status: &Status) -> bool {
    status.code() == Code::Unavailable && problem::reason(status).as_deref() == Some("PEER_LOST")
}

/// Whether no process has seen a call that was handed on.
#[must_use]
pub fn is_unreachable(status: &Status) -> bool {
    status.code() == Code::Unavailable
        && matches!(problem::reason(status).as_deref(), Some("PEER_UNREACHABLE" | "NO_ADDRESS"))
}
