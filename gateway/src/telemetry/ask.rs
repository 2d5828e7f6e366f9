//! A call of the telemetry service, with the credential of the request that it answers.

use http::{Extensions, HeaderMap};
use prost::Message;
use tonic::Status;
use weft_kit::Problem;

use crate::{
    call::{self, Head},
    metadata,
    shared::Shared,
};

/// Largest answer that is read: many series over a long time.
const LARGEST: usize = 64 << 20;

/// Who asks, and how long they wait.
pub(super) struct From<'r> {
    pub(super) headers: &'r HeaderMap,
    pub(super) extensions: Extensions,
}

/// Calls a method by the last parts of its name, `Service/Method`.
///
/// # Errors
/// The status with which the service, or the way to it, refused.
pub(super) async fn ask<Request: Message, Answer: Message + Default>(
    shared: &Shared,
    from: &From<'_>,
    method: &str,
    request: &Request,
) -> Result<Answer, Status> {
    let path = format!("/weft.telemetry.v1.{method}");
    let tables = shared.tables.load_full();
    let entry = tables.catalog.method(&path).ok_or_else(|| {
        Status::from(Problem::unimplemented("UNKNOWN_METHOD", "this mesh has no telemetry service"))
    })?;
    let mut head = Head {
        metadata: metadata::from_headers(from.headers),
        extensions: from.extensions.clone(),
        timeout: metadata::timeout(from.headers)?,
    };
    // It is about the body of the request, which is another one now.
    for header in
        ["content-encoding", "content-type", "content-length", "accept", "accept-encoding", "grpc-encoding"]
    {
        head.metadata.remove(header);
    }
    let whole = call::unary(entry, head, request.encode_to_vec().into(), LARGEST).await?;
    Answer::decode(whole.message)
        .map_err(|_| Problem::internal("NO_ANSWER", "the service answered with something else").into())
}
