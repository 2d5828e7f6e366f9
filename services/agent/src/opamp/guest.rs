//! Letting a collector in: by the enrolment token that it shows each time, and the instance that it says it is.
//!
//! Token and instance together are what a key is to an agent of our own: whoever has another token cannot speak as this
//! collector, whatever instance it says it is.

use std::{sync::Arc, time::Duration};

use prost::Message;
use uuid::Uuid;
use weft_kit::auth;
use weft_proto::weft::agent::v1::{
    Agent, AgentKind, AgentOpened, AgentSession, Collector, CollectorTransport, attach_agent_response::Event,
};
use weft_store::{EnrollmentTokenRow, NewAgent, StoreError, Timestamp};

use super::{report, talk::Talk, wire::AgentToServer};
use crate::{
    Error,
    domain::{name, record::Record},
    fleet::Entry,
    notices::Notice,
    rpc::{
        attach_agent::{MISSED, is_held, take_seat},
        enroll_agent,
    },
    sessions::{Outgoing, Session},
    state::State,
};

/// How often a session is tried anew because another process was faster.
const TRIES: usize = 4;
/// Three of a collector's own heartbeats.
const LEAST_PATIENCE: Duration = Duration::from_secs(90);

/// Who has shown a token.
pub(crate) struct Guest {
    token: [u8; 32],
    address: String,
    transport: CollectorTransport,
}

/// Looks at a token. One that lets nobody in any more is still good for those who have joined with it.
pub(crate) async fn admit(
    state: &State,
    secret: &str,
    address: String,
    transport: CollectorTransport,
) -> Result<Guest, Error> {
    let token = report::token(secret).ok_or(Error::TokenInvalid)?;
    if !state.fleet.knows_token(&token) {
        let row = match state.store.enrollment_token_by_digest(&token).await {
            Ok(row) => row,
            Err(StoreError::NotFound { .. }) => return Err(Error::TokenInvalid),
            Err(error) => return Err(error.into()),
        };
        if !is_open(&row, state.now()) {
            // A collector may have joined by another process.
            state.fleet.catch_up(i64::MAX).await?;
            if !state.fleet.knows_token(&token) {
                return Err(Error::TokenInvalid);
            }
        }
    }
    Ok(Guest { token, address, transport })
}

fn is_open(token: &EnrollmentTokenRow, now: Timestamp) -> bool {
    token.revoked.is_none() && now < token.expires
}

/// Counts what is said, before anything is done about it; `None` is an instance that could not be understood.
pub(crate) fn charge(state: &State, guest: &Guest, instance: Option<Uuid>) -> Result<(), Error> {
    let token = &guest.token;
    let joined = instance.filter(|instance| state.fleet.knows_key(&report::key(token, instance.as_bytes())));
    let may_speak = match joined {
        Some(instance) => state.budgets.may_speak(token, instance),
        None => state.budgets.may_stranger_speak(token),
    };
    if may_speak { Ok(()) } else { Err(Error::TooManyMessages) }
}

/// How long nothing may be heard from a collector before it is taken for gone. Collectors have heartbeats of their own,
/// of half a minute where nobody has said otherwise, whatever those of agents are.
pub(crate) fn patience(state: &State) -> Duration {
    (state.options.heartbeat_interval * MISSED).max(LEAST_PATIENCE)
}

/// The collector's session: the one that it has, where it comes by for another visit, or a new one.
/// `KeyUsedTwice` where another program is connected as this instance.
pub(crate) async fn enter(
    state: &State,
    guest: &Guest,
    said: &AgentToServer,
    instance: Uuid,
    outgoing: Option<Outgoing>,
) -> Result<(Arc<Session>, u64), Error> {
    let key = report::key(&guest.token, instance.as_bytes());
    let entry = match state.fleet.by_key(&key).await? {
        Some(entry) => entry,
        None => join(state, guest, said, instance, key).await?,
    };
    let _one_at_a_time = state.attaching(entry.uid).lock().await;
    if outgoing.is_none()
        && let Some(session) = state.sessions.get(entry.uid)
        && session.comes_by()
    {
        session.visit(state.now());
        return Ok((session, 0));
    }
    let session = Arc::new(new_session(state, &entry, outgoing.is_none()));
    let seat = seat(state, guest, said);
    let mut tries = 0;
    let held_elsewhere = loop {
        let entry = state.fleet.get(&session.name).await?;
        if !comes_by(&entry) && is_held(state, &entry).await {
            return Err(Error::KeyUsedTwice);
        }
        match take_seat(state, &entry, &session, &seat, None).await {
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
    let connection = if let Some(outgoing) = outgoing {
        session.connect(outgoing, Event::Opened(AgentOpened::default()), 0, state.now())
    } else {
        session.visit(state.now());
        0
    };
    state.sessions.insert(Arc::clone(&session));
    Ok((session, connection))
}

/// Whether its program has no connection on which it could be asked whether it is there.
fn comes_by(entry: &Entry) -> bool {
    let collector = entry.record.agent().collector.as_ref();
    collector.is_some_and(|collector| collector.transport() == CollectorTransport::Http)
}

fn new_session(state: &State, entry: &Entry, comes_by: bool) -> Session {
    let before = state.sessions.get(entry.uid);
    let talk = Talk::after(before.as_ref().and_then(|before| before.talk.as_ref()));
    let patience = if comes_by { patience(state) } else { Duration::ZERO };
    let digest = auth::digest(&state.ids.secret());
    Session::new(entry.uid, entry.name(), digest, state.now()).of_collector(talk, patience)
}

/// How a collector looks from here.
fn seat(state: &State, guest: &Guest, said: &AgentToServer) -> AgentSession {
    AgentSession {
        start_time: Some(state.now().into()),
        address: guest.address.clone(),
        hostname: report::cut(report::identity(said, "host.name"), 255),
        ..AgentSession::default()
    }
}

/// Lets a new instance in, and counts a use of the token.
async fn join(
    state: &State,
    guest: &Guest,
    said: &AgentToServer,
    instance: Uuid,
    key: [u8; 32],
) -> Result<Arc<Entry>, Error> {
    let token = match state.store.enrollment_token_by_digest(&guest.token).await {
        Err(StoreError::NotFound { .. }) => return Err(Error::TokenInvalid),
        other => other?,
    };
    let (service, host) = (report::identity(said, "service.name"), report::identity(said, "host.name"));
    let now = state.now();
    let agent = Agent {
        labels: token.labels.clone().into_iter().collect(),
        kind: AgentKind::Collector.into(),
        enrollment_token: name::of_token(&token.project, &token.id),
        create_time: Some(now.into()),
        update_time: Some(now.into()),
        collector: Some(Collector {
            instance_uid: instance.to_string(),
            transport: guest.transport.into(),
            ..Collector::default()
        }),
        ..Agent::default()
    };
    let mut record = Record::new(agent, now);
    record.token = guest.token.to_vec();
    let new = NewAgent {
        token_digest: guest.token,
        project: token.project.clone(),
        id: String::new(),
        uid: state.ids.uuid(),
        public_key: key,
        record: record.encode_to_vec().into(),
        at: now,
    };
    enroll_agent::join(state, &token, new, &wish(service, host), true).await
}

/// The id that a collector would have: what it is, and where.
fn wish(service: &str, host: &str) -> String {
    let of = |text: &str, otherwise: &str| {
        if text.is_empty() { otherwise.to_owned() } else { name::slug(text) }
    };
    let service: String = of(service, "collector").chars().take(24).collect();
    if host.is_empty() {
        return service.trim_end_matches('-').to_owned();
    }
    let host: String = name::slug(host).chars().take(32).collect();
    format!("{service}-{host}").trim_end_matches('-').to_owned()
}

impl Guest {
    /// SHA-256 of the token that it shows.
    pub(crate) fn token(&self) -> &[u8; 32] {
        &self.token
    }

    /// How it is connected.
    pub(crate) fn transport(&self) -> CollectorTransport {
        self.transport
    }
}

#[cfg(test)]
mod tests {
    use super::wish;

    #[test]
    fn a_collector_is_called_by_what_it_is_and_where() {
        for (service, host, id) in [
            ("otelcol-contrib", "node7.example.org", "otelcol-contrib-node7"),
            ("", "DB_01", "collector-db-01"),
            ("io.opentelemetry.collector", "", "io"),
            ("", "", "collector"),
            ("--", "--", "agent-agent"),
        ] {
            assert_eq!(wish(service, host), id);
        }
        let long = wish(&"x-".repeat(100), &"y-".repeat(100));
        assert!(long.len() <= 58 && !long.ends_with('-'), "{long}");
    }
}
