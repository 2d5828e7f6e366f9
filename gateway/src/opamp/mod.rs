//! `/v1/opamp`: where collectors of OpenTelemetry, and others that speak OpAMP, belong to the fleet.
//!
//! It is no call of a contract: the messages are other people's, and so is how they come, over a WebSocket or with
//! requests of HTTP. They go to the agent service as they are, in the name of this gateway. A collector shows an enrolment
//! token, which is no credential of the mesh: the service alone knows what it is good for.

mod collectors;
mod socket;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;
use weft_kit::Problem;
use weft_proto::weft::agent::v1::{CollectorOpen, ReceiveCollectorReportRequest};

pub(crate) use collectors::Collectors;
use collectors::{LARGEST, refused};

use crate::{body, refusal::Refusal, shared::Shared};

/// Where it is.
pub(crate) const PATH: &str = "/v1/opamp";
/// What requests of HTTP hold, and their answers.
const TYPE: &str = "application/x-protobuf";

/// Answers a request.
pub(crate) async fn handle(
    collectors: &Collectors,
    shared: &Arc<Shared>,
    request: Request<Body>,
) -> Response<Body> {
    let answered = if request.method() == Method::POST {
        report(collectors, request).await
    } else {
        socket::accept(shared, collectors, request).await
    };
    answered.unwrap_or_else(|refusal| refusal.into_response(&shared.pool))
}

async fn report(collectors: &Collectors, request: Request<Body>) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(TYPE) {
        let problem =
            Problem::invalid_argument("UNSUPPORTED_MEDIA_TYPE", format!("the content is to be {TYPE}"));
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    }
    let CollectorOpen { token, address } = collectors.open(&parts.headers, &parts.extensions)?;
    let content = body::content(&parts.headers, body, LARGEST, Some(LARGEST)).await?;
    let request = ReceiveCollectorReportRequest { token, address, content };
    let answer = collectors.agents().receive_collector_report(request).await.map_err(refused)?;
    Ok(respond(answer.into_inner().content))
}

fn respond(content: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(content)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
