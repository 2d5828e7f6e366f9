//! The sessions that this process holds: one for each connected program, over lost connections.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use prost::Message;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tonic::Status;
use uuid::Uuid;
use weft_proto::weft::agent::v1::{
    AgentSettings, AttachAgentResponse, HostAnswer, HostQuestion, Probe, attach_agent_response::Event,
};
use weft_store::Timestamp;

use crate::{Error, opamp::talk::Talk};

/// Frames that wait for one agent to read them.
pub(crate) const OUTGOING: usize = 16;
/// Numbered frames that are kept until the agent has acknowledged them.
const UNACKNOWLEDGED: usize = 64;
/// Largest question about a host, and answer, in bytes.
const LARGEST: usize = 256 << 10;
/// Questions about its host that one agent is asked at a time.
const QUESTIONS: usize = 32;

/// What goes to an agent.
pub(crate) type Outgoing = mpsc::Sender<Result<AttachAgentResponse, Status>>;

/// A program's session.
pub(crate) struct Session {
    pub(crate) agent: Uuid,
    /// Resource name of the agent.
    pub(crate) name: String,
    /// SHA-256 of the session's secret.
    pub(crate) digest: [u8; 32],
    /// The conversation with a collector; none with an agent of our own.
    pub(crate) talk: Option<Talk>,
    /// How long nothing may be heard from who has no connection but comes by and by.
    patience: Duration,
    inner: Mutex<Inner>,
    /// Something was heard.
    heard: Notify,
}

struct Inner {
    /// Counts connections: what an older one says last does not end a newer one.
    connection: u64,
    outgoing: Option<Outgoing>,
    /// Why, and since when nobody is connected.
    lost: Option<(Instant, &'static str)>,
    last_heard: Instant,
    last_seen: Timestamp,
    /// `last_seen` is not written down yet.
    is_news: bool,
    round_trip_micros: Option<i64>,
    clock_offset_micros: Option<i64>,
    /// The highest number of the agent's that has arrived.
    received: i64,
    /// The number of the newest frame that was numbered.
    sent: i64,
    unacknowledged: VecDeque<(i64, Event)>,
    /// What the agent was told last.
    settings: Option<AgentSettings>,
    /// Counts questions about its host.
    asked: i64,
    /// Those whose answers are waited for. They are over with their connection.
    questions: HashMap<i64, oneshot::Sender<HostAnswer>>,
}

impl Session {
    pub(crate) fn new(agent: Uuid, name: String, digest: [u8; 32], seen: Timestamp) -> Self {
        let inner = Inner {
            connection: 0,
            outgoing: None,
            lost: None,
            last_heard: Instant::now(),
            last_seen: seen,
            is_news: true,
            round_trip_micros: None,
            clock_offset_micros: None,
            received: 0,
            sent: 0,
            unacknowledged: VecDeque::new(),
            settings: None,
            asked: 0,
            questions: HashMap::new(),
        };
        Self {
            agent,
            name,
            digest,
            talk: None,
            patience: Duration::ZERO,
            inner: Mutex::new(inner),
            heard: Notify::new(),
        }
    }

    /// A collector's. With a `patience` it has no connection, but comes by again and again.
    pub(crate) fn of_collector(self, talk: Talk, patience: Duration) -> Self {
        Self { talk: Some(talk), patience, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with it")
    }

    /// A connection of this program; an older one is told, and ends. `opened` is the first thing that it is told,
    /// and after it what it has not acknowledged.
    pub(crate) fn connect(
        &self,
        outgoing: Outgoing,
        opened: Event,
        acknowledged: i64,
        seen: Timestamp,
    ) -> u64 {
        let mut inner = self.lock();
        if let Some(older) = inner.outgoing.take() {
            // Where it is full or gone, its end is seen anyway.
            let _ = older.try_send(Err(Error::Replaced.into()));
        }
        inner.connection += 1;
        inner.lost = None;
        inner.questions.clear();
        inner.heard(seen);
        inner.acknowledge(acknowledged);
        inner.outgoing = Some(outgoing);
        inner.push(0, opened);
        for (sequence, event) in inner.unacknowledged.clone() {
            inner.push(sequence, event);
        }
        inner.connection
    }

    /// Whether its program has no connection, but comes by again and again.
    pub(crate) fn comes_by(&self) -> bool {
        !self.patience.is_zero()
    }

    /// Its program has come by.
    pub(crate) fn visit(&self, seen: Timestamp) {
        let mut inner = self.lock();
        inner.heard(seen);
        inner.lost = Some((Instant::now(), "NO_HEARTBEAT"));
    }

    /// That connection is no more, unless a newer one has taken its place.
    pub(crate) fn disconnect(&self, connection: u64, reason: &'static str) -> bool {
        let mut inner = self.lock();
        let is_it = inner.connection == connection && inner.lost.is_none();
        if is_it {
            inner.outgoing = None;
            inner.questions.clear();
            inner.lost = Some((Instant::now(), reason));
        }
        is_it
    }

    /// Ends whatever connection there is.
    pub(crate) fn end(&self, error: Error) {
        if let Some(outgoing) = self.lock().outgoing.take() {
            let _ = outgoing.try_send(Err(error.into()));
        }
    }

    /// Why it is to be given up, if its program has not come back for so long.
    pub(crate) fn given_up(&self, grace: Duration) -> Option<&'static str> {
        self.lock()
            .lost
            .filter(|(since, _)| since.elapsed() >= grace.max(self.patience))
            .map(|(_, reason)| reason)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.lock().lost.is_none()
    }

    /// Something was heard on a connection; whether it is still the one that counts.
    pub(crate) fn hear(&self, connection: u64, acknowledged: i64, seen: Timestamp) -> bool {
        let mut inner = self.lock();
        if inner.connection != connection {
            return false;
        }
        inner.heard(seen);
        inner.acknowledge(acknowledged);
        drop(inner);
        self.heard.notify_waiters();
        true
    }

    /// Whether a numbered frame is new. One that has arrived before is not, and one that leaves a gap is no
    /// frame of ours.
    pub(crate) fn receive(&self, sequence: i64) -> Result<bool, Error> {
        let mut inner = self.lock();
        if sequence <= inner.received {
            return Ok(false);
        }
        if sequence != inner.received + 1 {
            return Err(Error::OutOfTurn("numbered frames are 1, 2, 3 and so on"));
        }
        inner.received = sequence;
        Ok(true)
    }

    /// What a heartbeat said.
    pub(crate) fn note(&self, round_trip_micros: Option<i64>, clock_offset_micros: Option<i64>) {
        let mut inner = self.lock();
        inner.round_trip_micros = round_trip_micros.or(inner.round_trip_micros);
        inner.clock_offset_micros = clock_offset_micros.or(inner.clock_offset_micros);
    }

    /// When it was heard last, and its newest round trip and clock offset in microseconds.
    pub(crate) fn pulse(&self) -> (Timestamp, Option<i64>, Option<i64>) {
        let inner = self.lock();
        (inner.last_seen, inner.round_trip_micros, inner.clock_offset_micros)
    }

    /// When it was heard last, if that is not written down yet.
    pub(crate) fn take_news(&self) -> Option<Timestamp> {
        let mut inner = self.lock();
        std::mem::take(&mut inner.is_news).then_some(inner.last_seen)
    }

    /// Says something that is good for the moment.
    pub(crate) fn say(&self, event: Event) {
        self.lock().push(0, event);
    }

    /// Tells what people have set, if it is not what it was told last.
    pub(crate) fn settle(&self, settings: AgentSettings) {
        let mut inner = self.lock();
        if inner.settings.as_ref() == Some(&settings) {
            return;
        }
        inner.settings = Some(settings.clone());
        inner.sent += 1;
        let (sequence, event) = (inner.sent, Event::Settings(settings));
        // Each says all that is set: of more than fit the oldest are no loss.
        if inner.unacknowledged.len() == UNACKNOWLEDGED {
            inner.unacknowledged.pop_front();
        }
        inner.unacknowledged.push_back((sequence, event.clone()));
        inner.push(sequence, event);
    }

    /// Asks its program about its host, and waits for the answer for so long.
    pub(crate) async fn ask(&self, question: HostQuestion, patience: Duration) -> Result<HostAnswer, Error> {
        if question.encoded_len() > LARGEST {
            return Err(Error::HostFailed("the question is too large".to_owned()));
        }
        let answer = self.put(question)?;
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(answer)) if answer.encoded_len() <= LARGEST => Ok(answer),
            Ok(Ok(_)) => Err(Error::HostFailed("its answer is too large".to_owned())),
            Ok(Err(_)) | Err(_) => Err(Error::AgentSilent),
        }
    }

    /// Sends a question. The receiver fails where the connection is lost before the answer.
    fn put(&self, mut question: HostQuestion) -> Result<oneshot::Receiver<HostAnswer>, Error> {
        let mut inner = self.lock();
        // Nobody waits any more for answers whose receivers are gone.
        inner.questions.retain(|_, asker| !asker.is_closed());
        let Some(room) = inner.outgoing.as_ref().map(mpsc::Sender::capacity) else {
            return Err(Error::AgentSilent);
        };
        // Half of the room is left for what must be said.
        if inner.questions.len() >= QUESTIONS || room <= OUTGOING / 2 {
            return Err(Error::HostBusy);
        }
        inner.asked += 1;
        question.id = inner.asked;
        let (asker, answer) = oneshot::channel();
        inner.questions.insert(question.id, asker);
        inner.push(0, Event::HostQuestion(question));
        Ok(answer)
    }

    /// What its program answers.
    pub(crate) fn answer(&self, answer: HostAnswer) {
        if let Some(asker) = self.lock().questions.remove(&answer.id) {
            // Where nobody waits any more it is late.
            let _ = asker.send(answer);
        }
    }

    /// Whether its program answers a probe in time.
    pub(crate) async fn answers(&self, timeout: Duration) -> bool {
        if !self.is_connected() {
            return false;
        }
        let heard = self.heard.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        self.say(Event::Probe(Probe {}));
        tokio::time::timeout(timeout, heard).await.is_ok()
    }
}

impl Inner {
    fn heard(&mut self, seen: Timestamp) {
        self.last_heard = Instant::now();
        self.last_seen = seen;
        self.is_news = true;
    }

    fn acknowledge(&mut self, acknowledged: i64) {
        while self.unacknowledged.front().is_some_and(|(sequence, _)| *sequence <= acknowledged) {
            self.unacknowledged.pop_front();
        }
    }

    /// Nobody who reads too slowly holds others up: the connection ends, and the session goes on with the next.
    fn push(&mut self, sequence: i64, event: Event) {
        let frame =
            AttachAgentResponse { sequence, acknowledged_sequence: self.received, event: Some(event) };
        if let Some(outgoing) = &self.outgoing
            && outgoing.try_send(Ok(frame)).is_err()
        {
            self.outgoing = None;
        }
    }
}

/// All sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Uuid, Arc<Session>>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Session>>> {
        self.0.lock().expect("nobody panics with it")
    }

    pub(crate) fn get(&self, agent: Uuid) -> Option<Arc<Session>> {
        self.lock().get(&agent).cloned()
    }

    pub(crate) fn insert(&self, session: Arc<Session>) {
        self.lock().insert(session.agent, session);
    }

    /// Lets go of a session, unless the agent has another one by now.
    pub(crate) fn remove(&self, session: &Session) {
        let mut sessions = self.lock();
        if sessions.get(&session.agent).is_some_and(|there| there.digest == session.digest) {
            sessions.remove(&session.agent);
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }
}
