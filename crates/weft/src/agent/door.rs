//! The agents' doors from the agent's side: a WebSocket that is one call of `AttachAgent` or of `AttachReporter`, and
//! the calls that lead to it as Connect's POSTs. All of it is HTTP/1.1, which is what proxies pass on that know nothing better.

use std::{path::Path, time::Duration};

use crate::client::{Dial, Wire, refusal};
use anyhow::{Context, Result, ensure};
use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use prost_reflect::prost::Message;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig},
    },
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use weft_kit::config::Secret;

/// Largest answer, and largest message of the mesh.
const LARGEST: usize = 1 << 20;
/// Bytes that are read at once: frames are small, and agents are many on a small host.
const BUFFER: usize = 4 * 1024;
/// Close codes of statuses begin here.
const STATUSES: u16 = 4000;

/// Where the agents' door is, at the end of an address.
const AGENT: &str = "/v1/agent";
/// Where reports go in.
const REPORTER: &str = "/v1/reporter";

/// Where it is.
#[derive(Clone)]
pub(super) struct Door {
    uri: Uri,
    dial: Dial,
}

impl Door {
    /// The door at `url`, `ws://…` or `wss://…` with the path.
    ///
    /// # Errors
    /// It is no such address, or the authority's file is no good.
    pub(super) fn at(url: &str, ca_file: Option<&Path>) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| url.to_owned())?;
        ensure!(
            uri.path().len() > 1,
            "{url}: the door has a path, which is /v1/agent unless a proxy has another"
        );
        let dial = Dial::new(&uri, ca_file)?;
        Ok(Self { uri, dial })
    }

    /// Calls a method without streams.
    ///
    /// # Errors
    /// The status with which the call ended; UNAVAILABLE where nobody answers.
    pub(super) async fn call<A: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
        patience: Duration,
    ) -> Result<A, Status> {
        let answered =
            tokio::time::timeout(patience, self.post(method, request.encode_to_vec().into())).await;
        let (status, body) = answered.map_err(unavailable)?.map_err(unavailable)?;
        if status != StatusCode::OK {
            return Err(refusal(&body));
        }
        A::decode(body).map_err(|_| Status::internal("the mesh answered something else"))
    }

    /// What is in front of the mesh's own paths: a proxy may have put it below one.
    fn base(&self) -> &str {
        self.uri.path().strip_suffix(AGENT).unwrap_or_default()
    }

    async fn post(&self, method: &str, message: Bytes) -> Result<(StatusCode, Bytes)> {
        let request = Request::post(format!("{}/weft.agent.v1.AgentService/{method}", self.base()))
            .header(header::HOST, self.dial.authority().as_str())
            .header(header::CONTENT_TYPE, "application/proto")
            .header("connect-protocol-version", "1")
            // There are three of these in a quarter of an hour.
            .header(header::CONNECTION, "close")
            .body(Full::new(message))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.dial.connect().await?)).await?;
        let answered = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            drop(sender);
            Ok((status, body.map_err(|error| anyhow::anyhow!(error))?.to_bytes()))
        };
        // The connection has to be driven for anything to come; how it ends the answer tells.
        tokio::join!(answered, connection).0
    }

    /// Goes in, with a token.
    ///
    /// # Errors
    /// Nobody is there, or it is no door.
    pub(super) async fn enter(&self, token: &Secret) -> Result<Socket, Status> {
        self.enter_at(self.uri.clone(), token).await
    }

    /// Goes in where reports do, with a token.
    ///
    /// # Errors
    /// As of `enter`.
    pub(super) async fn enter_reporter(&self, token: &Secret) -> Result<Socket, Status> {
        let mut parts = self.uri.clone().into_parts();
        let path = format!("{}{REPORTER}", self.base());
        parts.path_and_query = Some(path.parse().map_err(unavailable)?);
        self.enter_at(Uri::from_parts(parts).map_err(unavailable)?, token).await
    }

    async fn enter_at(&self, uri: Uri, token: &Secret) -> Result<Socket, Status> {
        let mut request = uri.into_client_request().map_err(unavailable)?;
        let mut credential = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
            .map_err(|_| Status::internal("the mesh gave a token that is none"))?;
        credential.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, credential);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("weft.v1.proto"));
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST))
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(2 * LARGEST);
        let wire = self.dial.connect().await.map_err(unavailable)?;
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, wire, Some(config))
            .await
            .map_err(unavailable)?;
        Ok(Socket(socket))
    }
}

/// A call through the door.
pub(super) struct Socket(WebSocketStream<Box<dyn Wire>>);

impl Socket {
    pub(super) async fn say(&mut self, frame: &impl Message) -> Result<(), Status> {
        let message = tungstenite::Message::Binary(frame.encode_to_vec().into());
        self.0.send(message).await.map_err(unavailable)
    }

    /// The next frame; `None` after the last one of a call that ended well. May be given up and called again
    /// without losing one.
    pub(super) async fn hear<A: Message + Default>(&mut self) -> Result<Option<A>, Status> {
        loop {
            match self.0.next().await {
                Some(Ok(tungstenite::Message::Binary(frame))) => {
                    let frame = A::decode(frame);
                    return frame.map(Some).map_err(|_| Status::internal("the mesh said something else"));
                }
                Some(Ok(tungstenite::Message::Close(why))) => return closed(why).map(|()| None),
                // It answers pings by itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(unavailable(error)),
                None => return Err(Status::unavailable("the connection broke off")),
            }
        }
    }
}

/// The call's status, as the door says it (docs/agents.md).
fn closed(why: Option<CloseFrame>) -> Result<(), Status> {
    let Some(why) = why else { return Err(Status::unavailable("the door fell shut")) };
    let reason = why.reason.as_str();
    match u16::from(why.code).checked_sub(STATUSES).map(|code| Code::from_i32(code.into())) {
        Some(Code::Ok) => Ok(()),
        Some(code) => {
            let details = ErrorDetails::with_error_info(reason, "weft.dev", []);
            Err(Status::with_error_details(code, reason, details))
        }
        None => Err(Status::unavailable(format!("the door fell shut: {} {reason}", why.code))),
    }
}

fn unavailable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("the mesh cannot be reached: {error:#}"))
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    #[test]
    fn how_the_door_is_closed_is_the_status_of_the_call() {
        let closed = |code: u16, reason: &str| {
            let reason = reason.to_owned().into();
            closed(Some(CloseFrame { code: CloseCode::from(code), reason })).map_err(|status| {
                let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
                (status.code(), reason.unwrap_or_default())
            })
        };
        assert_eq!(closed(4000, ""), Ok(()));
        assert_eq!(closed(4005, "AGENT_NOT_FOUND"), Err((Code::NotFound, "AGENT_NOT_FOUND".to_owned())));
        assert_eq!(closed(1001, "the server stops"), Err((Code::Unavailable, String::new())));
    }

    #[test]
    fn a_door_has_a_path() {
        for (url, good) in [
            ("ws://mesh:8081/v1/agent", true),
            ("wss://mesh/fleet/v1/agent", true),
            ("ws://mesh:8081", false),
        ] {
            assert_eq!(Door::at(url, None).is_ok(), good, "{url}");
        }
    }
}
