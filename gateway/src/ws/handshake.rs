//! Letting a WebSocket in (RFC 6455, 4.2).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tonic::body::Body;
use weft_kit::Problem;

use super::{
    deflate::{Agreed, Deflated},
    frame::Protocol,
    settings::Settings,
    socket::Socket,
    wire,
};
use crate::{metadata, refusal::Refusal, shared::Shared, words};

/// Shorter messages are not compressed: a smaller packet is no fewer packets.
const COMPRESSED_FROM: usize = 1024;

/// Answers a request for the WebSocket, and runs the socket that it becomes.
pub(crate) fn handle(shared: &Arc<Shared>, request: Request<Body>) -> Response<Body> {
    accept(shared, request).unwrap_or_else(|refusal| refusal.into_response(&shared.pool))
}

fn accept(shared: &Arc<Shared>, request: Request<Body>) -> Result<Response<Body>, Refusal> {
    let agreed = Agreed::on(request.headers()).filter(|_| shared.options.websocket.compression);
    let Opening { mut response, settings, upgrade } = begin(shared, request)?;
    if let Some(agreed) = agreed {
        response.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, agreed.answer());
    }
    let socket_shared = Arc::clone(shared);
    shared.lifecycle.spawn_future(async move {
        match upgrade.await {
            Ok(upgraded) => {
                // JSON of a message is larger than the message, and a number and a kind come before it.
                let most = socket_shared.options.max_message_bytes.saturating_mul(2).saturating_add(1024);
                let stream = Deflated::new(TokioIo::new(upgraded), agreed, COMPRESSED_FROM, most);
                let stream = wire::open(stream, most).await;
                Box::pin(Socket::new(socket_shared, settings).run(stream)).await;
            }
            Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
        }
    });
    Ok(response)
}

/// A connection that becomes a WebSocket, whatever is spoken on it.
pub(crate) struct Switch {
    /// What its client is answered.
    pub(crate) response: Response<Body>,
    /// What becomes the socket once the answer is written.
    pub(crate) upgrade: OnUpgrade,
}

/// A socket that is let in.
pub(super) struct Opening {
    /// What its client is answered.
    pub(super) response: Response<Body>,
    /// What the handshake told.
    pub(super) settings: Settings,
    /// What becomes the socket once the answer is written.
    pub(super) upgrade: OnUpgrade,
}

/// Looks at a request, and lets it in or not.
pub(super) fn begin(shared: &Arc<Shared>, mut request: Request<Body>) -> Result<Opening, Refusal> {
    let protocol = Protocol::asked(request.headers());
    let Switch { mut response, upgrade } = switch(shared, &mut request)?;
    let protocol = protocol.ok_or_else(|| {
        let text = "Sec-WebSocket-Protocol must name weft.v1.proto or weft.v1.json";
        Refusal::from(Problem::invalid_argument("NO_SUB_PROTOCOL", text))
    })?;
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.name()));
    let settings = Settings {
        protocol,
        metadata: metadata::from_headers(request.headers()).into_headers(),
        extensions: std::mem::take(request.extensions_mut()),
    };
    Ok(Opening { response, settings, upgrade })
}

/// Looks at a request, and turns its connection into a WebSocket or not.
pub(crate) fn switch(shared: &Shared, request: &mut Request<Body>) -> Result<Switch, Refusal> {
    let accept = check(request)?;
    if !shared.origins.may_connect(request) {
        let problem = Problem::permission_denied(
            "ORIGIN_NOT_ALLOWED",
            "pages of this origin may not open a WebSocket here",
        );
        return Err(problem.into());
    }
    if shared.lifecycle.is_draining() {
        return Err(words::draining().into());
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(|| {
        Refusal::from(Problem::internal("NO_UPGRADE", "this server cannot turn connections into WebSockets"))
    })?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(Switch { response, upgrade })
}

fn check(request: &Request<Body>) -> Result<HeaderValue, Refusal> {
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    if !is_upgrade {
        return Err(upgrade_required(
            "here is a WebSocket: connect with GET over HTTP/1.1 and Upgrade: websocket",
        ));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(upgrade_required("the version of the WebSocket protocol must be 13"));
    }
    let bad = |reason, text: &str| Refusal::from(Problem::invalid_argument(reason, text));
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24)
        .ok_or_else(|| bad("BAD_HANDSHAKE", "Sec-WebSocket-Key must be 16 bytes in base64"))?;
    Ok(HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 is visible ASCII"))
}

fn upgrade_required(text: &str) -> Refusal {
    Refusal::http(StatusCode::UPGRADE_REQUIRED, Problem::invalid_argument("NOT_A_WEBSOCKET", text))
        .with_header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(header::CONNECTION, HeaderValue::from_static("upgrade"))
        .with_header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
