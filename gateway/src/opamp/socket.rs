//! A collector's WebSocket: OpAMP's frames, handed on as they are.
//!
//! Who shows no good enrolment token is refused before there is a socket. The service's questions whether the program is
//! still there become pings, and pongs its answers.

use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};
use tonic::{Code, Status, Streaming, body::Body};
use weft_proto::weft::agent::v1::{
    AttachCollectorRequest, AttachCollectorResponse, ProbeAnswer, attach_collector_request::Action,
    attach_collector_response::Event,
};

use super::collectors::{Collectors, LARGEST, refused};
use crate::{
    WebSocketOptions,
    refusal::Refusal,
    shared::Shared,
    ws::{
        handshake::{self, Switch},
        wire::{self, End},
    },
};

/// Frames on their way to the service.
const UNDER_WAY: usize = 4;

/// Lets a collector in, and runs its socket.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    collectors: &Collectors,
    mut request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let Switch { response, upgrade } = handshake::switch(shared, &mut request)?;
    let open = collectors.open(request.headers(), request.extensions())?;
    let (say, said) = mpsc::channel(UNDER_WAY);
    // It is empty.
    let _ = say.try_send(AttachCollectorRequest { action: Some(Action::Open(open)) });
    let told =
        collectors.agents().attach_collector(ReceiverStream::new(said)).await.map_err(refused)?.into_inner();
    let collector = Collector { shared: Arc::clone(shared), say, told };
    shared.lifecycle.spawn_future(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let mut socket = wire::open(TokioIo::new(upgraded), LARGEST).await;
                if let End::Close(code, reason) = Box::pin(collector.attend(&mut socket)).await {
                    let (mut sink, mut source) = socket.split();
                    wire::farewell(&mut sink, &mut source, code, reason).await;
                }
            }
            Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
        }
    });
    Ok(response)
}

/// One collector's socket.
struct Collector {
    shared: Arc<Shared>,
    say: mpsc::Sender<AttachCollectorRequest>,
    told: Streaming<AttachCollectorResponse>,
}

impl Collector {
    /// Until either side ends. Dropping the call, as this does at its end, cancels it.
    async fn attend<S: AsyncRead + AsyncWrite + Unpin>(mut self, socket: &mut WebSocketStream<S>) -> End {
        let options: WebSocketOptions = self.shared.options.websocket.clone();
        let period = options.ping_interval.max(Duration::from_millis(1));
        let mut pings = interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_heard = Instant::now();
        loop {
            let message = tokio::select! {
                told = self.told.message() => match told {
                    Ok(Some(AttachCollectorResponse { event: Some(Event::Frame(frame)) })) => Message::Binary(frame),
                    Ok(Some(AttachCollectorResponse { event: Some(Event::Probe(_)) })) => Message::Ping(Bytes::new()),
                    Ok(Some(_)) => continue,
                    Ok(None) => return End::Close(CloseCode::Normal, ""),
                    Err(status) => return ended(&status),
                },
                heard = socket.next() => {
                    last_heard = Instant::now();
                    let action = match heard {
                        None | Some(Ok(Message::Close(_))) => return End::Gone,
                        Some(Ok(Message::Binary(frame))) => Action::Frame(frame),
                        Some(Ok(Message::Pong(_))) => Action::ProbeAnswer(ProbeAnswer {}),
                        Some(Ok(Message::Text(_))) => {
                            return End::Close(CloseCode::Unsupported, "OpAMP is binary");
                        }
                        Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
                        Some(Err(error)) => return wire::broken(&error),
                    };
                    let said = self.say.send(AttachCollectorRequest { action: Some(action) });
                    match timeout(options.stall_timeout, said).await {
                        // Where the call is over, its status is what comes next.
                        Ok(_) => continue,
                        Err(_) => return End::Close(CloseCode::Again, "the service does not read"),
                    }
                }
                () = self.shared.lifecycle.draining() => return End::Close(CloseCode::Restart, "come back"),
                _ = pings.tick() => {
                    if last_heard.elapsed() >= options.answer_timeout {
                        return End::Close(CloseCode::Policy, "no answer to pings");
                    }
                    Message::Ping(Bytes::new())
                }
            };
            if !matches!(timeout(options.answer_timeout, socket.send(message)).await, Ok(Ok(()))) {
                return End::Gone;
            }
        }
    }
}

/// How a call's status closes the socket.
fn ended(status: &Status) -> End {
    tracing::debug!(code = ?status.code(), message = status.message(), "a collector's connection ends");
    match status.code() {
        Code::Unavailable => End::Close(CloseCode::Restart, "come back"),
        Code::ResourceExhausted => End::Close(CloseCode::Again, "too much; come back later"),
        Code::Aborted => End::Close(CloseCode::Policy, "another connection goes on"),
        Code::NotFound => End::Close(CloseCode::Policy, "removed from the fleet"),
        Code::Unauthenticated | Code::FailedPrecondition => {
            End::Close(CloseCode::Policy, "the token lets nobody in")
        }
        _ => End::Close(CloseCode::Error, "the service has failed"),
    }
}
