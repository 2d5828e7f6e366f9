//! Webhooks: `POST /hooks/{token}`, handed to the trigger service as it came.
//!
//! It is no call of a contract: whoever sends one has no credential of the mesh, and what they sign is the body to the
//! byte. So the request goes to the service in one message, in the name of this gateway, and the service says what is
//! answered. The token in the path is the only thing that names the trigger; it is in no log and no metric.

use std::{collections::HashMap, convert::Infallible, fmt, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::{Code, Status, body::Body};
use tower::Service;
use weft_kit::{Ids, Peer, Problem, server::PeerAddress};
use weft_proto::weft::trigger::v1::{
    ReceiveWebhookRequest, ReceiveWebhookResponse, trigger_service_client::TriggerServiceClient,
};

use crate::{body, refusal::Refusal};

/// Where webhooks arrive.
pub const HOOKS: &str = "/hooks";
/// Largest body that any webhook takes.
const LARGEST: usize = 1 << 20;
/// Headers that a request may have.
const HEADERS: usize = 200;
/// Characters that are kept of a query.
const QUERY: usize = 4_096;
/// Longer than the longest that a webhook waits for a run.
const PATIENCE: Duration = Duration::from_secs(75);

/// What answers webhooks. Clones share everything.
#[derive(Clone)]
pub struct Hooks {
    triggers: TriggerServiceClient<Peer>,
    ids: Ids,
}

impl Hooks {
    /// Hands requests to the trigger service at `triggers`, which is called in this gateway's name.
    pub fn new(triggers: Peer, ids: Ids) -> Self {
        let triggers = TriggerServiceClient::new(triggers).max_encoding_message_size(LARGEST * 4);
        Self { triggers, ids }
    }

    async fn answer(mut self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let path = request.uri().path();
        let token = path.strip_prefix(HOOKS).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
        if token.is_empty() || token.len() > 100 || token.contains('/') {
            return Err(Problem::not_found("WEBHOOK_NOT_FOUND", "there is no webhook at this address").into());
        }
        if request.method() != Method::POST {
            let problem = Problem::unimplemented("WRONG_HTTP_METHOD", "webhooks are sent with POST");
            return Err(Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
                .with_header(header::ALLOW, HeaderValue::from_static("POST")));
        }
        let token = token.to_owned();
        let query = request.uri().query().unwrap_or_default().chars().take(QUERY).collect();
        let (parts, body) = request.into_parts();
        let address = parts.extensions.get::<PeerAddress>();
        let address = address.map(|address| address.0.ip().to_string()).unwrap_or_default();
        let body = body::read(&parts.headers, body, LARGEST).await.map_err(too_large)?;
        let headers = headers(&parts.headers);
        let request_id = self.ids.uuid().to_string();
        let mut call =
            tonic::Request::new(ReceiveWebhookRequest { token, headers, body, address, request_id, query });
        call.set_timeout(PATIENCE);
        let answer = self.triggers.receive_webhook(call).await.map_err(refused)?;
        Ok(respond(answer.into_inner()))
    }
}

/// A body that is too large is 413 here, as a client of HTTP knows it.
fn too_large(status: Status) -> Refusal {
    match status.code() {
        Code::ResourceExhausted => Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status),
        _ => status.into(),
    }
}

/// What the service refused, in the words of HTTP.
fn refused(status: Status) -> Refusal {
    match status.code() {
        Code::OutOfRange => Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status),
        Code::Unimplemented => Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, status),
        Code::FailedPrecondition => Refusal::http(StatusCode::CONFLICT, status),
        _ => status.into(),
    }
}

/// Headers as the service takes them; what is no text is left out.
fn headers(headers: &HeaderMap) -> HashMap<String, String> {
    let mut taken: HashMap<String, String> = HashMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if let Some(before) = taken.get_mut(name.as_str()) {
            before.push(',');
            before.push_str(value);
        } else if taken.len() < HEADERS {
            taken.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    taken
}

fn respond(answer: ReceiveWebhookResponse) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(answer.body)));
    let status = u16::try_from(answer.http_status).ok().and_then(|code| StatusCode::from_u16(code).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(answer.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Service<Request<Body>> for Hooks {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let hooks = self.clone();
        Box::pin(async move {
            let answered = hooks.answer(request).await;
            Ok(answered.unwrap_or_else(|refusal| refusal.into_response(weft_proto::pool())))
        })
    }
}
