//! One socket: reads what its client says, starts and feeds calls, and closes in order. With a session it goes on
//! while its client is away.

use std::{collections::HashMap, mem, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, timeout},
};
use tokio_tungstenite::tungstenite::{self, Message, protocol::frame::coding::CloseCode};
use tonic::{Status, metadata::MetadataMap};
use weft_kit::Problem;

use super::{
    call::{Call, Received},
    frame::{self, Heard, Hello, Open, Protocol, Said, Welcome},
    numbers::{NumberError, Numbers},
    outbox::{Outbox, TooSlow},
    session::{Connection, Return, Session},
    settings::Settings,
    sign_in::{NOT_SIGNED_IN, SignedIn, sign_in},
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

/// The close code for a client that takes nothing of what is said to it. Of a session nothing is lost.
const TOO_SLOW: CloseCode = CloseCode::Library(4008);
/// The close code of a connection whose session goes on over another one.
const MOVED: CloseCode = CloseCode::Library(4009);
/// A client of a session is told how many of its messages have arrived when it is so many more.
const ACK_EVERY: u64 = 16;

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
    outbox: Outbox,
    session: Option<Session>,
    /// How many messages of the session's client have arrived, and how many of them it was told of.
    heard: u64,
    told: u64,
}

/// Why a connection is over, or goes elsewhere.
enum Turn {
    /// As any socket's.
    End(End),
    /// It takes nothing, or says nothing. A session waits for its client.
    Lost(CloseCode, &'static str),
    /// The session's client is back on another one.
    Moved(Box<Return>),
    /// It is that of a client which comes back to its session.
    Back(Box<Back>),
}

/// A client that comes back to its session.
struct Back {
    hello: Hello,
    signed_in: SignedIn,
}

impl From<End> for Turn {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// The client broke the protocol.
fn broken(reason: &'static str) -> End {
    End::Close(CloseCode::Protocol, reason)
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
        let options = &shared.options.websocket;
        let room = Arc::new(Semaphore::new(permits(options.receive_queue_bytes)));
        let outbox = Outbox::new(options.send_queue_bytes);
        Self {
            shared,
            settings,
            calls: HashMap::new(),
            tasks: JoinSet::new(),
            numbers_of_tasks: HashMap::new(),
            numbers: Numbers::default(),
            room,
            outbox,
            session: None,
            heard: 0,
            told: 0,
        }
    }

    fn options(&self) -> &WebSocketOptions {
        &self.shared.options.websocket
    }

    /// Runs until the client is gone for good, or either side ends; then its calls are cancelled.
    pub(super) async fn run(mut self, connection: Connection) {
        let mut next = Some(connection);
        while let Some(connection) = next {
            let (turn, connection) = Box::pin(self.connected(connection)).await;
            next = match turn {
                Turn::End(End::Gone) | Turn::Lost(..) => {
                    drop(connection);
                    Box::pin(self.without_connection()).await
                }
                Turn::End(End::Close(..)) => None,
                Turn::Moved(back) => {
                    self.part_with(connection);
                    Some(Box::pin(self.welcome_back(*back)).await)
                }
                Turn::Back(back) => self.go_back(*back, connection),
            };
        }
        self.tasks.shutdown().await;
    }

    /// Serves one connection. A close is said before it returns.
    async fn connected(&mut self, connection: Connection) -> (Turn, Connection) {
        let (sink, mut source) = connection.split();
        let outbox = self.outbox.clone();
        outbox.connect(sink);
        let mut writer = Box::pin(outbox.write_on(self.options().answer_timeout));
        let turn = tokio::select! {
            turn = self.read(&mut source) => turn,
            written = &mut writer => match written {
                Ok(()) => End::Gone.into(),
                Err(TooSlow) => Turn::Lost(TOO_SLOW, "nothing was taken for too long"),
            },
        };
        let mut sink;
        let part = || outbox.disconnect().expect("it was connected above");
        match turn {
            Turn::End(End::Close(code, reason)) => {
                tracing::debug!(code = u16::from(code), reason, "a WebSocket is closed");
                self.tasks.shutdown().await;
                // What was said before is written first; nobody says more.
                outbox.finish();
                let _ = timeout(CLOSING, writer).await;
                sink = part();
                Box::pin(wire::farewell(&mut sink, &mut source, code, reason)).await;
            }
            Turn::Lost(code, reason) => {
                tracing::debug!(code = u16::from(code), reason, "a WebSocket's client is lost");
                sink = part();
                // Most likely it does not take this either.
                Box::pin(wire::farewell(&mut sink, &mut source, code, reason)).await;
            }
            _ => sink = part(),
        }
        let connection = sink.reunite(source).expect("they are halves of one");
        (turn, connection)
    }

    /// Waits for the session's client, if there is a session and a place for it.
    async fn without_connection(&mut self) -> Option<Connection> {
        let lifecycle = self.shared.lifecycle.clone();
        if lifecycle.is_draining() || !self.session.as_ref()?.may_wait() {
            return None;
        }
        let mut window = pin!(tokio::time::sleep(self.shared.options.websocket.resume_window));
        let back = loop {
            let session = self.session.as_mut()?;
            tokio::select! {
                back = session.knocked() => break back,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(&ended),
                () = &mut window => return None,
                () = lifecycle.draining() => return None,
            }
        };
        self.session.as_ref()?.goes_on();
        Some(self.welcome_back(*back).await)
    }

    /// The session's client is back: it gets what it has not yet, or begins anew where that is not kept.
    async fn welcome_back(&mut self, back: Return) -> Connection {
        let Return { connection, settings, caller, received } = back;
        let protocol = settings.protocol;
        self.settings = settings;
        if self.outbox.can_resume(received) {
            self.told = self.heard;
            self.outbox.resume(received, self.welcome(&caller, true));
        } else {
            self.tasks.shutdown().await;
            let settings = mem::replace(&mut self.settings, Settings::none(protocol));
            *self = Self::new(Arc::clone(&self.shared), settings);
            self.begin_session(&caller);
        }
        connection
    }

    /// This socket is new, and its client wants to go on with a session: it gets the connection. Where
    /// there is no such session, this becomes one, and keeps it.
    fn go_back(&mut self, back: Back, connection: Connection) -> Option<Connection> {
        let Back { hello, signed_in: SignedIn { metadata, caller } } = back;
        let none = Settings::none(self.settings.protocol);
        let mut settings = mem::replace(&mut self.settings, none);
        settings.metadata = metadata;
        let returned = Box::new(Return { connection, settings, caller, received: hello.received });
        let refused = self.shared.sessions.hand_over(&hello.session, returned).err()?;
        self.settings = refused.settings;
        self.begin_session(&refused.caller);
        Some(refused.connection)
    }

    /// Closes a connection that the session no longer uses, without waiting for it.
    fn part_with(&self, connection: Connection) {
        self.shared.lifecycle.spawn_future(async move {
            let (mut sink, mut source) = connection.split();
            wire::farewell(&mut sink, &mut source, MOVED, "the session goes on elsewhere").await;
        });
    }

    /// Begins a session, and says so.
    fn begin_session(&mut self, caller: &Arc<str>) {
        self.outbox.keep(self.options().send_queue_bytes);
        self.session = Some(self.shared.sessions.begin(Arc::clone(caller), self.settings.protocol));
        self.outbox.push_own(self.welcome(caller, false));
    }

    fn welcome(&self, caller: &str, resumed: bool) -> Message {
        let session = self.session.as_ref();
        let welcome = Welcome {
            caller,
            session: session.map(|session| session.id.as_str()),
            resumed,
            received: self.heard,
            resume_seconds: session.map(|_| self.options().resume_window.as_secs()),
        };
        frame::welcome(self.settings.protocol, &welcome)
    }

    async fn read<T>(&mut self, source: &mut T) -> Turn
    where
        T: futures::Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    {
        let draining = self.shared.lifecycle.draining_token();
        let mut is_draining = false;
        let mut ticks = interval(self.options().ping_interval);
        let mut last_heard = Instant::now();
        loop {
            if is_draining && self.calls.is_empty() {
                return End::Close(CloseCode::Away, "this server is about to stop").into();
            }
            let knocked = async {
                match &mut self.session {
                    Some(session) => session.knocked().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = source.next() => {
                    let Some(message) = message else { return End::Gone.into() };
                    if let Err(turn) = self.hear(message).await {
                        return turn;
                    }
                    // Not before: a service that is slow to read is no fault of the client.
                    last_heard = Instant::now();
                }
                back = knocked => return Turn::Moved(back),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(&ended),
                _ = ticks.tick() => {
                    if last_heard.elapsed() >= self.options().answer_timeout {
                        return Turn::Lost(CloseCode::Policy, "no answer to pings");
                    }
                    self.outbox.ping();
                    self.tell_what_arrived();
                }
                () = draining.cancelled(), if !is_draining => is_draining = true,
            }
        }
    }

    async fn hear(&mut self, message: Result<Message, tungstenite::Error>) -> Result<(), Turn> {
        if matches!(message, Ok(Message::Close(_))) {
            // Who says goodbye does not come back.
            self.session = None;
        }
        match self.understand(message)? {
            None => {}
            Some(Heard::OfCall(number, said)) => {
                self.obey(number, said).await?;
                self.heard += 1;
                if self.heard - self.told >= ACK_EVERY {
                    self.tell_what_arrived();
                }
            }
            // Said once: a socket that waits need not keep room for it.
            Some(Heard::Hello(json)) => Box::pin(self.hello(&json)).await?,
            Some(Heard::Ack(number)) => self.outbox.acknowledged(number).map_err(broken)?,
        }
        Ok(())
    }

    fn tell_what_arrived(&mut self) {
        if self.session.is_some() && self.told < self.heard {
            self.told = self.heard;
            self.outbox.push_own(frame::ack(self.settings.protocol, self.heard));
        }
    }

    async fn hello(&mut self, json: &[u8]) -> Result<(), Turn> {
        let hello = Hello::read(json).map_err(broken)?;
        let is_back = !hello.session.is_empty();
        if (is_back || hello.resumable) && (self.session.is_some() || self.heard > 0) {
            return Err(broken("a session begins with the first message").into());
        }
        let Settings { metadata, extensions, .. } = &self.settings;
        let signed_in = sign_in(&self.shared, &hello, metadata.clone(), extensions).await?;
        if is_back {
            return Err(Turn::Back(Box::new(Back { hello, signed_in })));
        }
        let SignedIn { metadata, caller } = signed_in;
        if self.session.as_ref().is_some_and(|session| session.caller != caller) {
            return Err(End::Close(NOT_SIGNED_IN, "a session stays with its caller").into());
        }
        self.settings.metadata = metadata;
        if hello.resumable {
            self.begin_session(&caller);
        } else {
            self.outbox.push_own(self.welcome(&caller, false));
        }
        Ok(())
    }

    /// What a WebSocket message says; `None` for one of the protocol's own.
    fn understand(&self, message: Result<Message, tungstenite::Error>) -> Result<Option<Heard>, End> {
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

    async fn obey(&mut self, number: u64, said: Said) -> Result<(), End> {
        let broken = |reason| Err(broken(reason));
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
            if let Err(status) = self.open(number, &head) {
                self.refuse(number, &status).await;
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
            self.refuse(number, &status).await;
        }
        Ok(())
    }

    fn open(&mut self, number: u64, open: &Open) -> Result<(), Status> {
        if self.shared.lifecycle.is_draining() {
            return Err(words::draining());
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
            outbox: self.outbox.clone(),
            protocol: self.settings.protocol,
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
            self.outbox.forget(number);
        }
    }

    async fn refuse(&self, number: u64, status: &Status) {
        let last = frame::status(self.settings.protocol, number, status, &self.shared.pool);
        // Where the socket is gone nobody waits for it.
        let _ = self.outbox.send(number, last).await;
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(number) = self.numbers_of_tasks.remove(&id) else { return };
        self.calls.remove(&number);
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(call = number, "a call of a WebSocket panicked");
            let status = Problem::internal("PANICKED", "the gateway failed").into();
            let last = frame::status(self.settings.protocol, number, &status, &self.shared.pool);
            self.outbox.send_last(number, last);
        }
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
