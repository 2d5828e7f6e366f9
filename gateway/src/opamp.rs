//! `/v1/opamp`: where collectors of OpenTelemetry, and others that speak OpAMP, belong to the fleet.
//!
//! It is no call of a contract: the messages are other people's, and so is how they come, over a WebSocket or with
//! requests of HTTP. They go to the agent service as they are, in the name of this gateway. A collector shows an enrolment
//! token, which is no credential of the mesh: the service alone knows what it is good for.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::{Code, Status, body::Body};
use weft_kit::{
    Peer, Problem,
    server::{PeerAddress, RateLimits},
};
use weft_proto::weft::agent::v1::{
    CollectorOpen, ReceiveCollectorReportRequest, collector_service_client::CollectorServiceClient,
};

use crate::{body, refusal::Refusal, shared::Shared, ws};

/// Where it is.
pub(crate) const PATH: &str = "/v1/opamp";
/// Largest message, packed and unpacked: what the service takes.
pub(crate) const LARGEST: usize = 2 << 20;
/// Longest token that the service looks at.
const LONGEST_TOKEN: usize = 200;
/// What requests of HTTP hold, and their answers.
const TYPE: &str = "application/x-protobuf";

/// What answers collectors. Clones share everything.
#[derive(Clone)]
pub(crate) struct Collectors {
    agents: CollectorServiceClient<Peer>,
    rates: RateLimits,
}

impl Collectors {
    /// Hands messages to the agent service at `agents`, which is called in this gateway's name.
    pub(crate) fn new(agents: Peer, rates: RateLimits) -> Self {
        Self { agents: CollectorServiceClient::new(agents), rates }
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, shared: &Arc<Shared>, request: Request<Body>) -> Response<Body> {
        let answered = if request.method() == Method::POST {
            self.report(request).await
        } else {
            ws::collector::accept(shared, self, request).await
        };
        answered.unwrap_or_else(|refusal| refusal.into_response(&shared.pool))
    }

    async fn report(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case(TYPE) {
            let problem =
                Problem::invalid_argument("UNSUPPORTED_MEDIA_TYPE", format!("the content is to be {TYPE}"));
            return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
        }
        let CollectorOpen { token, address } = self.open(&parts.headers, &parts.extensions)?;
        let content = body::content(&parts.headers, body, LARGEST, Some(LARGEST)).await?;
        let request = ReceiveCollectorReportRequest { token, address, content };
        let answer = self.agents.clone().receive_collector_report(request).await.map_err(refused)?;
        Ok(respond(answer.into_inner().content))
    }

    /// The agent service, to be called.
    pub(crate) fn agents(&self) -> CollectorServiceClient<Peer> {
        self.agents.clone()
    }

    /// Who asks, who is charged for an attempt to sign in: the mesh, in whose name the service is called, would be for
    /// nothing.
    ///
    /// # Errors
    /// 401 for who shows no token, 429 for whose address has come too often.
    pub(crate) fn open(
        &self,
        headers: &HeaderMap,
        extensions: &http::Extensions,
    ) -> Result<CollectorOpen, Refusal> {
        let open = open(headers, extensions)?;
        self.rates.charge_sign_in(extensions.get::<PeerAddress>().map(|address| address.0.ip()))?;
        Ok(open)
    }
}

fn open(headers: &HeaderMap, extensions: &http::Extensions) -> Result<CollectorOpen, Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty() && token.len() <= LONGEST_TOKEN)
        .ok_or_else(|| {
            let text = "show an enrollment token in the header `Authorization: Bearer weft_enroll_…`";
            Refusal::from(Problem::unauthenticated("CREDENTIALS_REQUIRED", text))
        })?;
    let address = extensions.get::<PeerAddress>().map(|address| address.0.ip().to_string());
    Ok(CollectorOpen { token: token.to_owned(), address: address.unwrap_or_default() })
}

/// What the service refused, in the words of HTTP.
pub(crate) fn refused(status: Status) -> Refusal {
    match status.code() {
        Code::FailedPrecondition => Refusal::http(StatusCode::FORBIDDEN, status),
        _ => status.into(),
    }
}

fn respond(content: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(content)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
