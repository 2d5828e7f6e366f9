//! The agents' doors: a WebSocket that is one call, of AttachAgent or of AttachReporter, and nothing else.
//!
//! There is no envelope: a message of the socket is a message of the call, as protobuf or as JSON by the
//! sub-protocol. The credential is the request's Authorization header; a client that can set none, as in a browser,
//! says it in a first message of its own, the `hello` of other sockets. The call's status closes the socket: the
//! code is 4000 and the status code of gRPC, the text is the reason. Ten thousand of these stay open at once, so a
//! socket has one task, small buffers, and no more than a few messages on their way.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt, stream};
use http::{HeaderMap, Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tonic::{Status, body::Body, metadata::MetadataMap};
use tonic_types::StatusExt;
use weft_kit::Problem;

use super::{
    frame::{self, Heard, Hello, Protocol},
    handshake::{self, Opening},
    wire::{self, CLOSING, End},
};
use crate::{
    call::{self, Head, Messages},
    catalog::Entry,
    json, metadata,
    refusal::Refusal,
    shared::Shared,
    words,
};

/// A place where agents connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where it is.
    pub(crate) path: &'static str,
    /// What is called there.
    pub(crate) method: &'static str,
    /// Largest message of an agent, in either form.
    largest: usize,
}

/// All of them.
pub(crate) const PLACES: [Place; 2] = [
    // Facts of a host with all that is allowed.
    Place { path: "/v1/agent", method: "/weft.agent.v1.AgentService/AttachAgent", largest: 256 * 1024 },
    // A report with samples, and the series that they are of.
    Place {
        path: "/v1/reporter",
        method: "/weft.telemetry.v1.TelemetryService/AttachReporter",
        largest: 4 << 20,
    },
];
/// Bytes that are read at once, and written.
const BUFFER: usize = 2 * 1024;
/// Messages on their way to the service.
const UNDER_WAY: usize = 4;
/// Close codes of statuses begin here.
const STATUSES: u16 = 4000;
/// How long a client without a credential in its request may take to say it.
const SIGN_IN: Duration = Duration::from_secs(5);
/// Longest reason in a closing frame (RFC 6455, 5.5).
const LONGEST_REASON: usize = 120;

/// The door that is there.
pub(crate) fn at(path: &str) -> Option<Place> {
    PLACES.into_iter().find(|place| place.path == path)
}

/// Answers a request for a door, and runs the socket that it becomes.
pub(crate) fn handle(shared: &Arc<Shared>, request: Request<Body>, place: Place) -> Response<Body> {
    accept(shared, request, place).unwrap_or_else(|refusal| refusal.into_response(&shared.pool))
}

fn accept(
    shared: &Arc<Shared>,
    request: Request<Body>,
    Place { method, largest, .. }: Place,
) -> Result<Response<Body>, Refusal> {
    let Opening { response, settings, upgrade } = handshake::begin(shared, request)?;
    let Some(entry) = shared.tables.load().catalog.method(method).cloned() else {
        return Err(words::unknown_method(method).into());
    };
    let door = Door { shared: Arc::clone(shared), entry, protocol: settings.protocol, largest };
    let head = Head {
        metadata: MetadataMap::from_headers(settings.metadata),
        extensions: settings.extensions,
        timeout: None,
    };
    shared.lifecycle.spawn_future(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default()
                    .max_message_size(Some(largest))
                    .max_frame_size(Some(largest))
                    .read_buffer_size(BUFFER)
                    .write_buffer_size(BUFFER)
                    .max_write_buffer_size(2 * largest);
                let io = TokioIo::new(upgraded);
                let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                Box::pin(door.run(socket, head)).await;
            }
            Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
        }
    });
    Ok(response)
}

/// One agent's socket.
struct Door {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    protocol: Protocol,
    largest: usize,
}

impl Door {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(self, mut socket: WebSocketStream<S>, head: Head) {
        let end = match self.greet(&mut socket, head).await {
            Ok((head, first)) => self.attend(&mut socket, head, first).await,
            Err(end) => end,
        };
        if let End::Close(code, reason) = end {
            farewell(&mut socket, code, reason.into()).await;
        }
    }

    /// Waits for the credential, if the request had none. What a client says in its place is the call's first
    /// message: the service refuses it as it refuses any stranger, and so it does for one who says nothing.
    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        mut head: Head,
    ) -> Result<(Head, Option<Bytes>), End> {
        if head.metadata.contains_key(header::AUTHORIZATION.as_str()) {
            return Ok((head, None));
        }
        let first = timeout(SIGN_IN, async {
            loop {
                match socket.next().await {
                    None => return Err(End::Gone),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(message) => return Ok(message),
                }
            }
        });
        let Ok(first) = first.await else { return Ok((head, None)) };
        let first = first?;
        if let Ok(Message::Text(text)) = &first
            && let Ok(Heard::Hello(hello)) = frame::read_text(text)
        {
            let bad = |what| End::Close(CloseCode::Protocol, what);
            let hello = Hello::read(&hello).map_err(bad)?;
            if !hello.is_only_metadata() {
                return Err(bad("the door's hello has metadata and nothing else"));
            }
            let mut known: HeaderMap = head.metadata.into_headers();
            for (key, value) in &hello.metadata {
                metadata::insert(&mut known, key, value).map_err(|_| bad("what hello has is no metadata"))?;
            }
            head.metadata = MetadataMap::from_headers(known);
            return Ok((head, None));
        }
        match self.understand(first) {
            Ok(message) => Ok((head, message)),
            Err(Broken::Socket(end)) => Err(end),
            Err(Broken::Message(status)) => Err(self.close(socket, &status).await),
        }
    }

    /// Until either side ends. Dropping the call, as this does at its end, cancels it.
    async fn attend<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        head: Head,
        first: Option<Bytes>,
    ) -> End {
        let (said, messages) = mpsc::channel(UNDER_WAY);
        if let Some(first) = first {
            // It is empty.
            let _ = said.try_send(first);
        }
        let options = &self.shared.options.websocket;
        let answering = call::call(&self.entry, head, requests(messages), self.largest);
        let mut answering = std::pin::pin!(answering);
        let mut answers: Option<Box<Messages>> = None;
        let period = options.ping_interval.max(Duration::from_millis(1));
        let mut pings = interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_heard = Instant::now();
        loop {
            let next = async {
                match &mut answers {
                    Some(answers) => Next::Message(answers.next().await),
                    None => Next::Answer(answering.as_mut().await.map(|answer| Box::new(answer.messages))),
                }
            };
            let written = tokio::select! {
                next = next => match next {
                    Next::Answer(Ok(messages)) => {
                        answers = Some(messages);
                        continue;
                    }
                    Next::Message(Ok(Some(message))) => match self.framed(message) {
                        Ok(message) => timeout(options.answer_timeout, socket.send(message)).await,
                        Err(status) => return self.close(socket, &status).await,
                    },
                    Next::Message(Ok(None)) => return self.close(socket, &Status::ok("")).await,
                    Next::Answer(Err(status)) | Next::Message(Err(status)) => {
                        return self.close(socket, &status).await;
                    }
                },
                heard = socket.next() => {
                    let Some(heard) = heard else { return End::Gone };
                    last_heard = Instant::now();
                    let message = match self.understand(heard) {
                        Ok(Some(message)) => message,
                        Ok(None) => continue,
                        Err(Broken::Socket(end)) => return end,
                        Err(Broken::Message(status)) => return self.close(socket, &status).await,
                    };
                    match timeout(options.stall_timeout, said.send(message)).await {
                        // Where the call is over, its status is what comes next.
                        Ok(_) => continue,
                        Err(_) => return End::Close(CloseCode::Again, "the service does not read"),
                    }
                }
                _ = pings.tick() => {
                    if last_heard.elapsed() >= options.answer_timeout {
                        return End::Close(CloseCode::Policy, "no answer to pings");
                    }
                    timeout(options.answer_timeout, socket.send(Message::Ping(Bytes::new()))).await
                }
            };
            if !matches!(written, Ok(Ok(()))) {
                return End::Gone;
            }
        }
    }

    /// A message of the call in what a WebSocket message says; `None` for one of the protocol's own.
    fn understand(&self, heard: Result<Message, tungstenite::Error>) -> Result<Option<Bytes>, Broken> {
        match (heard, self.protocol) {
            (Ok(Message::Binary(bytes)), Protocol::Proto) => Ok(Some(bytes)),
            (Ok(Message::Text(text)), Protocol::Json) => {
                let depth = self.shared.options.max_json_depth;
                let decoded = json::decode(&self.entry.input, text.as_bytes(), depth, None);
                decoded
                    .and_then(json::Decoded::into_bytes)
                    .map(Some)
                    .map_err(|status| Broken::Message(Box::new(status)))
            }
            (Ok(Message::Binary(_)), Protocol::Json) => {
                Err(Broken::Socket(End::Close(CloseCode::Unsupported, "weft.v1.json is text")))
            }
            (Ok(Message::Text(_)), Protocol::Proto) => {
                Err(Broken::Socket(End::Close(CloseCode::Unsupported, "weft.v1.proto is binary")))
            }
            (Ok(_), _) => Ok(None),
            (Err(error), _) => Err(Broken::Socket(wire::broken(&error))),
        }
    }

    fn framed(&self, message: Bytes) -> Result<Message, Status> {
        match self.protocol {
            Protocol::Proto => Ok(Message::Binary(message)),
            Protocol::Json => {
                let json = self.entry.output_json.encode(message)?;
                let text = String::from_utf8(json)
                    .map_err(|_| Problem::internal("NOT_UTF8", "JSON that is no text"))?;
                Ok(Message::Text(Utf8Bytes::from(text)))
            }
        }
    }

    /// Closes the socket with a call's status.
    async fn close<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: &mut WebSocketStream<S>,
        status: &Status,
    ) -> End {
        let code = CloseCode::from(STATUSES + u16::try_from(i32::from(status.code())).unwrap_or(2));
        let details = status.get_error_details();
        let reason = details.error_info().map_or(status.message(), |info| &*info.reason);
        let reason: String = reason
            .char_indices()
            .take_while(|(at, _)| *at < LONGEST_REASON - 4)
            .map(|(_, letter)| letter)
            .collect();
        farewell(socket, code, reason.into()).await;
        End::Gone
    }
}

/// What comes from the service.
enum Next {
    Answer(Result<Box<Messages>, Status>),
    Message(Result<Option<Bytes>, Status>),
}

/// What cannot be passed on.
enum Broken {
    Socket(End),
    Message(Box<Status>),
}

/// The call's messages. When the socket is gone they do not end: see [`call::call`].
fn requests(messages: mpsc::Receiver<Bytes>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(messages, |mut messages| async {
        match messages.recv().await {
            Some(message) => Some((message, messages)),
            None => std::future::pending().await,
        }
    })
}

/// Says why, and waits a while for the client to close too.
async fn farewell<T>(socket: &mut T, code: CloseCode, reason: Utf8Bytes)
where
    T: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Unpin,
{
    let close = async {
        socket.send(Message::Close(Some(CloseFrame { code, reason }))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, tungstenite::Error>(())
    };
    // Where the client does not close it is gone all the same.
    let _ = timeout(CLOSING, close).await;
}
