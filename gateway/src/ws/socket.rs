//! One socket: reads what its client says, starts and feeds calls, and closes in order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream::SplitSink};
use http::{Extensions, HeaderMap};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, mpsc},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, protocol::frame::coding::CloseCode},
};
use tonic::{Status, metadata::MetadataMap};
use weft_kit::Problem;

use super::{
    call::{Call, Received},
    frame::{self, Open, Protocol, Said},
    numbers::{NumberError, Numbers},
    outbox::{Outbox, Queued},
    wire::{self, CLOSING, End},
};
use crate::{
    WebSocketOptions,
    call::{self, Head},
    catalog::Entry,
    json, metadata,
    shared::Shared,
    words,
};

/// What the handshake told.
pub(super) struct Settings {
    pub(super) protocol: Protocol,
    /// Metadata that calls have unless they say otherwise.
    pub(super) metadata: HeaderMap,
    pub(super) extensions: Extensions,
}

/// A socket and its calls.
pub(super) struct Socket {
    shared: Arc<Shared>,
    settings: Settings,
    calls: HashMap<u64, Running>,
    tasks: JoinSet<()>,
    /// Which call a task belongs to.
    numbers_of_tasks: HashMap<Id, u64>,
    numbers: Numbers,
    /// Bytes that may wait for all services together.
    room: Arc<Semaphore>,
}

/// A call as the reader sees it.
struct Running {
    entry: Arc<Entry>,
    /// `None` when the client has said all.
    messages: Option<mpsc::UnboundedSender<Received>>,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

impl Running {
    /// The client has said all.
    fn end(&mut self) {
        if let Some(messages) = self.messages.take() {
            // Where nobody receives, the call has ended.
            let _ = messages.send(Received::End);
        }
    }
}

impl Socket {
    pub(super) fn new(shared: Arc<Shared>, settings: Settings) -> Self {
        let room = Arc::new(Semaphore::new(permits(shared.options.websocket.receive_queue_bytes)));
        Self {
            shared,
            settings,
            calls: HashMap::new(),
            tasks: JoinSet::new(),
            numbers_of_tasks: HashMap::new(),
            numbers: Numbers::default(),
            room,
        }
    }

    fn options(&self) -> &WebSocketOptions {
        &self.shared.options.websocket
    }

    /// Runs until either side ends; then its calls are cancelled.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, stream: WebSocketStream<S>) {
        let (mut sink, mut source) = stream.split();
        let (outbox, queued) = Outbox::new(self.options().send_queue_bytes);
        let mut writer = Box::pin(write(&mut sink, queued, self.options().answer_timeout));
        let end = tokio::select! {
            end = self.read(&mut source, &outbox) => end,
            () = &mut writer => End::Gone,
        };
        self.tasks.shutdown().await;
        if let End::Close(code, reason) = end {
            tracing::debug!(code = u16::from(code), reason, "a WebSocket is closed");
            // What was said before is written first; nobody says more.
            drop(outbox);
            let _ = timeout(CLOSING, &mut writer).await;
            drop(writer);
            wire::farewell(&mut sink, &mut source, code, reason).await;
        }
    }

    async fn read<T>(&mut self, source: &mut T, outbox: &Outbox) -> End
    where
        T: futures::Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    {
        let draining = self.shared.lifecycle.draining_token();
        let mut is_draining = false;
        let mut ticks = interval(self.options().ping_interval);
        let mut last_heard = Instant::now();
        loop {
            if is_draining && self.calls.is_empty() {
                return End::Close(CloseCode::Away, "this server is about to stop");
            }
            tokio::select! {
                message = source.next() => {
                    let said = match message {
                        None => return End::Gone,
                        Some(message) => self.understand(message),
                    };
                    let result = match said {
                        Ok(Some((number, said))) => self.obey(number, said, outbox).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    };
                    if let Err(end) = result {
                        return end;
                    }
                    // Not before: a service that is slow to read is no fault of the client.
                    last_heard = Instant::now();
                }
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended, outbox).await,
                _ = ticks.tick() => {
                    if last_heard.elapsed() >= self.options().answer_timeout {
                        return End::Close(CloseCode::Policy, "no answer to pings");
                    }
                    outbox.ping();
                }
                () = draining.cancelled(), if !is_draining => is_draining = true,
            }
        }
    }

    /// What a WebSocket message says; `None` for one of the protocol's own.
    fn understand(&self, message: Result<Message, tungstenite::Error>) -> Result<Option<(u64, Said)>, End> {
        let broken = |reason| End::Close(CloseCode::Protocol, reason);
        match (message, self.settings.protocol) {
            (Ok(Message::Binary(bytes)), Protocol::Proto) => {
                frame::read_binary(bytes).map(Some).map_err(broken)
            }
            (Ok(Message::Text(text)), Protocol::Json) => frame::read_text(&text).map(Some).map_err(broken),
            (Ok(Message::Binary(_)), Protocol::Json) => {
                Err(End::Close(CloseCode::Unsupported, "weft.v1.json is text"))
            }
            (Ok(Message::Text(_)), Protocol::Proto) => {
                Err(End::Close(CloseCode::Unsupported, "weft.v1.proto is binary"))
            }
            (Ok(_), _) => Ok(None),
            (Err(error), _) => Err(wire::broken(&error)),
        }
    }

    async fn obey(&mut self, number: u64, said: Said, outbox: &Outbox) -> Result<(), End> {
        let broken = |reason| Err(End::Close(CloseCode::Protocol, reason));
        if let Said::Open(head) = said {
            match self.numbers.take(number) {
                Ok(()) => {}
                Err(NumberError::Zero) => return broken("calls are numbered from 1"),
                Err(NumberError::Used) => return broken("a call's number is good once"),
                Err(NumberError::Scattered) => return broken("calls are numbered 1, 2, 3 and so on"),
            }
            let head = match Open::read(&head) {
                Ok(head) => head,
                Err(problem) => return broken(problem),
            };
            if let Err(status) = self.open(number, &head, outbox) {
                self.refuse(number, &status, outbox).await;
            }
            return Ok(());
        }
        if !self.numbers.contains(number) {
            return broken("a call begins with open");
        }
        // What is said of a call that has ended crossed its status on the way.
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let result = match said {
            Said::Message(message) if call.messages.is_some() => self.feed(number, message).await,
            Said::Message(_) if call.entry.client_streaming => return broken("a message after end"),
            Said::Message(_) => Err(words::one_message(call.entry.path.as_str())),
            Said::End if call.messages.is_some() && !call.entry.client_streaming => {
                Err(words::one_message(call.entry.path.as_str()))
            }
            Said::End => {
                call.end();
                Ok(())
            }
            Said::Cancel => {
                self.drop_call(number);
                Ok(())
            }
            Said::Open(_) => Ok(()),
        };
        if let Err(status) = result {
            self.drop_call(number);
            self.refuse(number, &status, outbox).await;
        }
        Ok(())
    }

    fn open(&mut self, number: u64, open: &Open, outbox: &Outbox) -> Result<(), Status> {
        if self.shared.lifecycle.is_draining() {
            return Err(Problem::unavailable("DRAINING", "this server is about to stop").into());
        }
        if self.calls.len() >= self.options().max_calls {
            let text = format!("at most {} calls run at once on one socket", self.options().max_calls);
            return Err(Problem::resource_exhausted("TOO_MANY_CALLS", text)
                .with("limit", self.options().max_calls)
                .into());
        }
        let path = format!("/{}", open.method.strip_prefix('/').unwrap_or(&open.method));
        let Some(entry) = self.shared.tables.load().catalog.method(&path).cloned() else {
            return Err(words::unknown_method(&path));
        };
        let mut headers = self.settings.metadata.clone();
        for (key, value) in &open.metadata {
            metadata::insert(&mut headers, key, value)?;
        }
        let head = Head {
            metadata: MetadataMap::from_headers(headers),
            extensions: self.settings.extensions.clone(),
            timeout: open.timeout_ms.map(|millis| Duration::from_millis(millis).min(metadata::LONGEST)),
        };
        let (messages, received) = mpsc::unbounded_channel();
        let call = Call {
            number,
            entry: Arc::clone(&entry),
            head,
            received,
            outbox: outbox.clone(),
            protocol: self.settings.protocol,
            pool: self.shared.pool.clone(),
            max_message_bytes: self.shared.options.max_message_bytes,
        };
        let task = self.tasks.spawn(call.run());
        self.numbers_of_tasks.insert(task.id(), number);
        let room = Arc::new(Semaphore::new(permits(self.options().call_queue_bytes)));
        self.calls.insert(number, Running { entry, messages: Some(messages), room, task });
        Ok(())
    }

    /// Hands a message to its call, and waits while its queue is full.
    async fn feed(&mut self, number: u64, message: Bytes) -> Result<(), Status> {
        let options = self.shared.options.websocket.clone();
        let call = self.calls.get_mut(&number).expect("it was just looked up");
        let message = match self.settings.protocol {
            Protocol::Proto => message,
            Protocol::Json => {
                json::decode(&call.entry.input, &message, self.shared.options.max_json_depth, None)?
                    .into_bytes()?
            }
        };
        let message = call::fitting(message, self.shared.options.max_message_bytes)?;
        let places = async {
            let of = |room: &Arc<Semaphore>, capacity: usize| {
                let size = (message.len() + 64).min(permits(capacity));
                Arc::clone(room).acquire_many_owned(u32::try_from(size).unwrap_or(u32::MAX))
            };
            let own = of(&call.room, options.call_queue_bytes).await;
            let common = of(&self.room, options.receive_queue_bytes).await;
            [own, common].map(|place| place.expect("nobody closes these"))
        };
        let Ok(places) = timeout(options.stall_timeout, places).await else {
            return Err(Problem::resource_exhausted(
                "CALL_STALLED",
                "the service does not read the call's messages",
            )
            .into());
        };
        if let Some(messages) = &call.messages {
            // Where nobody receives, the call has ended and its status is on the way.
            let _ = messages.send(Received::Message(message, places));
        }
        if !call.entry.client_streaming {
            call.end();
        }
        Ok(())
    }

    fn drop_call(&mut self, number: u64) {
        if let Some(call) = self.calls.remove(&number) {
            self.numbers_of_tasks.remove(&call.task.id());
            call.task.abort();
        }
    }

    async fn refuse(&self, number: u64, status: &Status, outbox: &Outbox) {
        let last = frame::status(self.settings.protocol, number, status, &self.shared.pool);
        // Where the socket is gone nobody waits for it.
        let _ = outbox.send(last).await;
    }

    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>, outbox: &Outbox) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(number) = self.numbers_of_tasks.remove(&id) else { return };
        self.calls.remove(&number);
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(call = number, "a call of a WebSocket panicked");
            self.refuse(number, &Problem::internal("PANICKED", "the gateway failed").into(), outbox).await;
        }
    }
}

/// Writes what is queued until the client is gone, or takes nothing for too long.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
    mut queued: mpsc::UnboundedReceiver<Queued>,
    patience: Duration,
) {
    while let Some(Queued { message, place }) = queued.recv().await {
        let written = async {
            sink.feed(message).await?;
            // Messages that are ready together travel together.
            if queued.is_empty() { sink.flush().await } else { Ok(()) }
        };
        if !matches!(timeout(patience, written).await, Ok(Ok(()))) {
            return;
        }
        drop(place);
    }
}

fn interval(period: Duration) -> Interval {
    let period = period.max(Duration::from_millis(1));
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn permits(bytes: usize) -> usize {
    bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize))
}
