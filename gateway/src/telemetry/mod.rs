//! Other people's contracts for numbers over time, logs and traces: OTLP and Prometheus, at the addresses that their
//! programs know.
//!
//! What is sent becomes a call of a service of `weft.telemetry.v1` ([`otlp`], [`write`]), as do questions of
//! Prometheus' HTTP API ([`query`], whose parameters are in [`params`] and whose answers in [`answer`]). Credentials are those of
//! every other call. The project is the one that the path names (`/prometheus/PROJECT/api/v1/…`), or the header
//! `x-scope-orgid`, or `default`.

mod answer;
mod ask;
mod otlp;
mod params;
mod port;
mod query;
mod rules;
mod write;

use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use tonic::body::Body;

use crate::shared::Shared;

use otlp::Signal;
pub use port::OtlpPort;

/// What is asked for where nobody names a project.
const DEFAULT: &str = "default";

/// What of these contracts a path is.
enum Found<'p> {
    OtlpGrpc(Signal),
    OtlpHttp(Signal),
    RemoteWrite { project: Option<&'p str> },
    Question { project: Option<&'p str>, what: &'p str },
}

fn find(path: &str) -> Option<Found<'_>> {
    if let Some(signal) = Signal::of_method(path) {
        return Some(Found::OtlpGrpc(signal));
    }
    if let Some(signal) = Signal::of_address(path) {
        return Some(Found::OtlpHttp(signal));
    }
    let (project, rest) = match path.strip_prefix("/prometheus/") {
        Some(rest) => {
            let (project, rest) = rest.split_once('/')?;
            (Some(project), rest)
        }
        None => (None, path.strip_prefix('/')?),
    };
    match rest.strip_prefix("api/v1/")? {
        "write" => Some(Found::RemoteWrite { project }),
        what => Some(Found::Question { project, what }),
    }
}

/// Whether a path is one of OTLP's.
pub(crate) fn is_otlp(path: &str) -> bool {
    Signal::of_method(path).or_else(|| Signal::of_address(path)).is_some()
}

/// Whether a path is of one of these contracts. A question may still be one that is not known.
pub(crate) fn may_answer(path: &str) -> bool {
    find(path).is_some()
}

/// Answers a request of one of these contracts; gives back what is none.
pub(crate) async fn handle(
    shared: &Arc<Shared>,
    request: Request<Body>,
) -> Result<Response<Body>, Request<Body>> {
    let path = request.uri().path().to_owned();
    match find(&path) {
        None => Err(request),
        Some(Found::OtlpGrpc(signal)) => Ok(otlp::grpc(Arc::clone(shared), request, signal).await),
        Some(Found::OtlpHttp(signal)) => Ok(otlp::http(shared, request, signal).await),
        Some(Found::RemoteWrite { project }) => Ok(write::remote_write(shared, request, project).await),
        Some(Found::Question { project, what }) => query::handle(shared, request, project, what).await,
    }
}

/// The project's name.
fn parent(headers: &HeaderMap, named: Option<&str>) -> String {
    let header = headers.get("x-scope-orgid").and_then(|project| project.to_str().ok());
    format!("projects/{}", named.or(header).unwrap_or(DEFAULT))
}
