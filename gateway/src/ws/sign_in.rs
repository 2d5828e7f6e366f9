//! Who is at the other end of a socket, as the identity service says.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, header};
use prost::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tonic::{Code, Status, metadata::MetadataMap};
use weft_kit::Problem;
use weft_proto::weft::identity::v1::{
    AccessToken, IssueTokenRequest, Principal, WhoAmIRequest, issue_token_request::Credential,
};

use super::{frame::Hello, wire::End};
use crate::{
    call::{self, Head},
    metadata,
    shared::Shared,
    words,
};

/// How long it may take to find out.
const PATIENCE: Duration = Duration::from_secs(10);

/// The close code of a socket whose hello has no good credential.
pub(super) const NOT_SIGNED_IN: CloseCode = CloseCode::Library(4001);

/// Somebody who has signed in.
pub(super) struct SignedIn {
    /// Metadata of its calls.
    pub(super) metadata: HeaderMap,
    pub(super) caller: Arc<str>,
}

/// Adds to `metadata` what `hello` says, and asks whom that is.
///
/// # Errors
/// How the socket ends: with [`NOT_SIGNED_IN`], or, where the credential could not be looked at, 1013 (try
/// again later).
pub(super) async fn sign_in(
    shared: &Shared,
    hello: &Hello,
    mut metadata: HeaderMap,
    extensions: &Extensions,
) -> Result<SignedIn, End> {
    for (key, value) in &hello.metadata {
        metadata::insert(&mut metadata, key, value)
            .map_err(|_| End::Close(CloseCode::Protocol, "what hello has is no metadata"))?;
    }
    let asked = async {
        if !hello.ticket.is_empty() {
            let credential = Some(Credential::Ticket(hello.ticket.clone()));
            let request = IssueTokenRequest { credential, request_id: String::new() };
            // A ticket stands for itself: nobody has to be signed in to use it.
            let token: AccessToken =
                ask(shared, "IssueToken", &request, HeaderMap::new(), extensions).await?;
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.token));
            metadata.insert(
                header::AUTHORIZATION,
                bearer.map_err(|_| Status::internal("a token is visible ASCII"))?,
            );
        }
        let principal: Principal =
            ask(shared, "WhoAmI", &WhoAmIRequest {}, metadata.clone(), extensions).await?;
        Ok::<_, Status>(SignedIn { metadata, caller: principal.name.into() })
    };
    asked.await.map_err(|status| {
        tracing::debug!(%status, "a client of a WebSocket could not be signed in");
        match status.code() {
            Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition => End::Close(NOT_SIGNED_IN, "the credential is not good"),
            _ => End::Close(CloseCode::Again, "the credential cannot be looked at now"),
        }
    })
}

/// Calls a method of the identity service, as a client of the edge could.
async fn ask<A: Message + Default>(
    shared: &Shared,
    method: &str,
    request: &impl Message,
    metadata: HeaderMap,
    extensions: &Extensions,
) -> Result<A, Status> {
    let path = format!("/weft.identity.v1.IdentityService/{method}");
    let Some(entry) = shared.tables.load().catalog.method(&path).cloned() else {
        return Err(words::unknown_method(&path));
    };
    let head = Head {
        metadata: MetadataMap::from_headers(metadata),
        extensions: extensions.clone(),
        timeout: Some(PATIENCE),
    };
    let most = shared.options.max_message_bytes;
    let answer = call::unary(&entry, head, Bytes::from(request.encode_to_vec()), most).await?;
    A::decode(answer.message)
        .map_err(|_| Problem::internal("NO_ANSWER", "the identity service answered something else").into())
}
