//! AttachAgent: an agent's stream, from its first message to its end.

use std::sync::Arc;

use futures::StreamExt;
use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weft_kit::{Call, Caller, Messages, auth, span};
use weft_proto::weft::agent::v1::{
    AgentFacts, AgentOpen, AgentOpened, AgentSession, AttachAgentRequest, AttachAgentResponse, Heartbeat,
    HeartbeatAnswer, attach_agent_request::Action, attach_agent_response::Event,
};
use weft_store::Timestamp;

use super::key_conflict;
use crate::{
    Error,
    fleet::Entry,
    notices::Notice,
    sessions::{OUTGOING, Outgoing, Session},
    state::State,
    task,
};

/// Heartbeats that may fail to arrive before the agent is gone.
pub(crate) const MISSED: u32 = 3;
/// How often a new session is tried anew because another program was faster.
const TRIES: usize = 4;
/// How long a process that did not answer is taken for gone. Then it is asked anew: it may only have been cut off.
const GONE: Duration = Duration::from_secs(60);

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<Messages<AttachAgentRequest>>,
) -> Result<ReceiverStream<Result<AttachAgentResponse, Status>>, Error> {
    let Call { caller, message: mut messages, .. } = call;
    let Some(first) = messages.next().await else {
        return Err(Error::OutOfTurn("the stream ended before its first message"));
    };
    let AttachAgentRequest { acknowledged_sequence, action, .. } = first?;
    let Some(Action::Open(open)) = action else {
        return Err(Error::OutOfTurn("the first message must be open"));
    };
    if state.lifecycle.is_draining() {
        return Err(Error::Draining);
    }
    let entry = who(state, &caller, &open).await?;
    let (outgoing, answers) = mpsc::channel(OUTGOING);
    let seat = seat(state, &caller, &open);
    let (session, connection) = attach(state, &entry, &open, seat, acknowledged_sequence, &outgoing).await?;
    // What people have set is the second thing that an agent hears.
    state.tell_agent(&*state.fleet.get(&open.name).await?);
    let line = Line { state: Arc::clone(state), session, connection, outgoing };
    state.lifecycle.spawn_future(line.follow(messages));
    Ok(ReceiverStream::new(answers))
}

/// The agent that the caller is: by name, and by the identity that its token carries.
async fn who(state: &State, caller: &Caller, open: &AgentOpen) -> Result<Arc<Entry>, Error> {
    if *caller.name != *open.name {
        return Err(Error::NotThisAgent(open.name.clone()));
    }
    let entry = state.fleet.get(&open.name).await?;
    if *caller.display_name != *entry.uid.to_string() {
        // A token of another agent of this name, which was removed.
        return Err(Error::NotThisAgent(open.name.clone()));
    }
    Ok(entry)
}

/// How a program looks from here.
fn seat(state: &State, caller: &Caller, open: &AgentOpen) -> AgentSession {
    let facts = open.facts.clone().unwrap_or_default();
    let host = facts.host.unwrap_or_default();
    AgentSession {
        start_time: Some(state.now().into()),
        address: caller.address.map(|address| address.to_string()).unwrap_or_default(),
        hostname: host.hostname,
        boot_id: host.boot_id,
        process_id: facts.process_id,
    }
}

/// Gives a program its session: the one that it had, or a new one if no other program has one.
async fn attach(
    state: &State,
    entry: &Entry,
    open: &AgentOpen,
    seat: AgentSession,
    acknowledged: i64,
    outgoing: &Outgoing,
) -> Result<(Arc<Session>, u64), Error> {
    let _one_at_a_time = state.attaching(entry.uid).lock().await;
    let interval = Some(span::of(state.options.heartbeat_interval));
    let shown = (!open.session.is_empty()).then(|| auth::digest(&open.session));
    if let Some(session) = state.sessions.get(entry.uid)
        && shown == Some(session.digest)
    {
        let opened =
            AgentOpened { session: open.session.clone(), resumed: true, heartbeat_interval: interval };
        let connection = session.connect(outgoing.clone(), Event::Opened(opened), acknowledged, state.now());
        if let Some(facts) = &open.facts {
            take_facts(state, &session, facts).await?;
        }
        return Ok((session, connection));
    }

    let secret = state.ids.secret();
    let session = Arc::new(Session::new(entry.uid, entry.name(), auth::digest(&secret), state.now()));
    // Of two processes that come to this at once one writes first; the other sees that, and looks again.
    let mut tries = 0;
    let held_elsewhere = loop {
        let entry = state.fleet.get(&session.name).await?;
        let is_same_program = shown.is_some_and(|shown| entry.record.session == shown);
        if !is_same_program && is_held(state, &entry).await {
            key_conflict::note(state, &entry, &seat).await?;
            return Err(Error::KeyUsedTwice);
        }
        match take_seat(state, &entry, &session, &seat, open.facts.as_ref()).await {
            Ok(()) => break !entry.record.process.is_empty() && entry.record.process != state.process,
            Err(Error::KeyUsedTwice) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    };
    if held_elsewhere {
        Notice::Moved { agent: session.agent, process: state.process.clone() }.tell(&*state.bus).await;
    }
    if let Some(older) = state.sessions.get(session.agent) {
        older.end(Error::Replaced);
    }
    let opened = AgentOpened { session: secret, resumed: false, heartbeat_interval: interval };
    let connection = session.connect(outgoing.clone(), Event::Opened(opened), 0, state.now());
    state.sessions.insert(Arc::clone(&session));
    Ok((session, connection))
}

/// Writes down who holds the agent's session now. `KeyUsedTwice` if that has changed since `entry` was read.
pub(crate) async fn take_seat(
    state: &State,
    entry: &Entry,
    session: &Session,
    seat: &AgentSession,
    facts: Option<&AgentFacts>,
) -> Result<(), Error> {
    let changed = state.change(&session.name, Some(session.agent), |record| {
        if record.session != entry.record.session {
            return Err(Error::KeyUsedTwice);
        }
        record.session = session.digest.to_vec();
        record.process.clone_from(&state.process);
        record.agent_mut().session = Some(seat.clone());
        if let Some(facts) = facts {
            record.take_facts(facts);
        }
        Ok(())
    });
    changed.await.map(drop)
}

/// Whether another program holds the agent's session, and still answers, here or at another process.
pub(crate) async fn is_held(state: &State, entry: &Entry) -> bool {
    if let Some(session) = state.sessions.get(entry.uid) {
        return session.answers(state.options.probe_timeout).await;
    }
    let process = &entry.record.process;
    if process.is_empty() || *process == state.process || is_gone(state, process) {
        return false;
    }
    let question = state.ids.uuid();
    let notice = Notice::Probe { agent: entry.uid, question };
    // The process that is asked takes as long as its program may; the answer must come back, too.
    let patience = state.options.probe_timeout * 2;
    let roll = state.ids.uuid();
    let (answers, here) = tokio::join!(
        task::ask(state, question, notice, patience, |_| true),
        task::ask(state, roll, Notice::Roll { question: roll }, patience, |there| there == process),
    );
    // Where not even this process's own voice comes back, the bus is down, and that says nothing.
    if here.contains(&state.process) && !here.contains(process) {
        let mut gone = state.gone.lock().expect("nobody panics with it");
        gone.retain(|_, since| since.elapsed() < GONE);
        gone.insert(process.clone(), Instant::now());
    }
    !answers.is_empty()
}

/// Whether a process was found to be gone: all whose agents it had come at once, and are not to wait for it each.
fn is_gone(state: &State, process: &str) -> bool {
    let gone = state.gone.lock().expect("nobody panics with it");
    gone.get(process).is_some_and(|since| since.elapsed() < GONE)
}

async fn take_facts(state: &State, session: &Session, facts: &AgentFacts) -> Result<(), Error> {
    let changed = state.change(&session.name, Some(session.agent), |record| {
        if record.session == session.digest {
            record.take_facts(facts);
        }
        Ok(())
    });
    changed.await.map(drop)
}

/// One connection of a program.
struct Line {
    state: Arc<State>,
    session: Arc<Session>,
    connection: u64,
    outgoing: Outgoing,
}

impl Line {
    async fn follow(self, messages: Messages<AttachAgentRequest>) {
        let (reason, told) = match self.read(messages).await {
            Ok(reason) => (reason, None),
            Err(error) => (
                if matches!(error, Error::NoHeartbeat) { "NO_HEARTBEAT" } else { "CONNECTION_LOST" },
                Some(error),
            ),
        };
        if let Some(error) = told {
            // Where the agent is gone nobody reads it.
            let _ = self.outgoing.try_send(Err(error.into()));
        }
        let Self { state, session, .. } = &self;
        if !session.disconnect(self.connection, reason) {
            return;
        }
        // Where another program has a session by now, its work is none of this one's business.
        let is_newest =
            state.sessions.get(session.agent).is_none_or(|newest| newest.digest == session.digest);
        if is_newest {
            state.work.left(session.agent, reason == "STOPPED").await;
        }
        if reason == "STOPPED" {
            let ended = task::end(state, &session.name, session.agent, &session.digest, reason).await;
            state.sessions.remove(session);
            if let Err(error) = ended {
                tracing::warn!(%error, agent = %session.name, "an agent's goodbye was not noted");
            }
        }
    }

    /// Until the agent is gone; why.
    async fn read(&self, mut messages: Messages<AttachAgentRequest>) -> Result<&'static str, Error> {
        let patience = self.state.options.heartbeat_interval * MISSED;
        loop {
            let message = tokio::select! {
                message = tokio::time::timeout(patience, messages.next()) => message,
                () = self.outgoing.closed() => return Ok("CONNECTION_LOST"),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            };
            let message = match message {
                Err(_) => return Err(Error::NoHeartbeat),
                Ok(None | Some(Err(_))) if self.outgoing.is_closed() => return Ok("CONNECTION_LOST"),
                Ok(None) => return Ok("CONNECTION_LOST"),
                Ok(Some(message)) => message?,
            };
            if !self.session.hear(self.connection, message.acknowledged_sequence, self.state.now()) {
                return Err(Error::Replaced);
            }
            if message.sequence > 0 && !self.session.receive(message.sequence)? {
                continue;
            }
            match message.action {
                None | Some(Action::ProbeAnswer(_)) => {}
                Some(Action::Open(_)) => return Err(Error::OutOfTurn("open may only be the first message")),
                Some(Action::Heartbeat(heartbeat)) => self.heartbeat(&heartbeat).await?,
                Some(Action::Facts(facts)) => take_facts(&self.state, &self.session, &facts).await?,
                Some(Action::Work(report)) => {
                    self.state.work.report(self.session.agent, &self.session.name, report).await;
                }
                Some(Action::HostAnswer(answer)) => self.session.answer(answer),
                Some(Action::Goodbye(_)) => return Ok("STOPPED"),
            }
        }
    }

    /// Answers, and writes what it says only if the agent's state changes by it.
    async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), Error> {
        let state = &self.state;
        let round_trip =
            heartbeat.round_trip_duration.as_ref().map(span::micros).filter(|micros| *micros >= 0);
        let offset = heartbeat.send_time.as_ref().map(|sent| {
            let arrived = state.now().as_micros() - round_trip.unwrap_or(0) / 2;
            Timestamp::from(sent).as_micros().saturating_sub(arrived)
        });
        self.session.note(round_trip, offset);
        self.session.say(Event::HeartbeatAnswer(HeartbeatAnswer {}));
        state.work.alive(self.session.agent).await;
        let tolerance = i64::try_from(state.options.clock_tolerance.as_micros()).unwrap_or(i64::MAX);
        let is_off = offset.is_some_and(|offset| offset.saturating_abs() > tolerance);
        let changed = state.change(&self.session.name, Some(self.session.agent), |record| {
            if record.session == self.session.digest {
                let agent = record.agent_mut();
                agent.problems.clone_from(&heartbeat.problems);
                // How far it is off changes with every heartbeat; whether it is too far does not.
                if is_off != agent.clock_offset_duration.is_some() {
                    agent.clock_offset_duration = offset.filter(|_| is_off).map(span::of_micros);
                }
            }
            Ok(())
        });
        changed.await.map(drop)
    }
}
