//! What the service holds, and every RPC works on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use prost::Message;
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;
use weft_bus::Bus;
use weft_kit::{Clock, Ids, Lifecycle, Peer, span};
use weft_proto::weft::agent::v1::{Agent, AgentSettings};
use weft_store::{AgentDocument, AgentRow, AgentStore, AgentUpdate, StoreError, Timestamp};

use crate::{
    Error, Options,
    domain::{challenge::Challenges, record::Record},
    fleet::{Entry, Fleet},
    letter::Letters,
    notices::Notice,
    opamp::{budget::Budgets, talk::Wanted},
    sessions::Sessions,
    work::Work,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 16;
/// Agents whose programs attach at the same moment wait for each other only if they share one of these.
const LOCKS: usize = 64;

/// What the service needs from its process.
#[derive(Clone)]
pub struct Deps {
    /// Where the fleet is kept.
    pub store: Arc<dyn AgentStore>,
    /// How processes tell each other what changed.
    pub bus: Arc<dyn Bus>,
    /// The identity service, called in the name of this one.
    pub identity: Peer,
    /// The command service, called in the name of this one: what agents that are connected here are to do.
    pub commands: Peer,
    /// The mesh's secret: challenges are derived from it.
    pub mesh_secret: [u8; 32],
    /// The time.
    pub clock: Clock,
    /// New identities.
    pub ids: Ids,
    /// The process's life.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deps").finish_non_exhaustive()
    }
}

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn AgentStore>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) identity: Peer,
    pub(crate) challenges: Challenges,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) fleet: Fleet,
    pub(crate) sessions: Sessions,
    pub(crate) work: Work,
    /// This process among those that share the fleet.
    pub(crate) process: String,
    /// Questions to other processes whose answers are waited for: the processes that have answered.
    pub(crate) questions: Mutex<HashMap<Uuid, mpsc::UnboundedSender<String>>>,
    /// Questions about hosts whose agents other processes hold, and whose answers are waited for.
    pub(crate) letters: Letters,
    /// How much collectors may say.
    pub(crate) budgets: Budgets,
    /// Processes that are gone though agents are still theirs, and since when that is known.
    pub(crate) gone: Mutex<HashMap<String, Instant>>,
    /// One program of an agent attaches at a time.
    pub(crate) attaching: [tokio::sync::Mutex<()>; LOCKS],
}

impl State {
    pub(crate) async fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        Ok(Self {
            fleet: Fleet::open(Arc::clone(&deps.store)).await?,
            challenges: Challenges::new(&deps.mesh_secret),
            process: deps.ids.uuid().to_string(),
            options,
            store: deps.store,
            bus: deps.bus,
            identity: deps.identity,
            clock: deps.clock,
            ids: deps.ids,
            lifecycle: deps.lifecycle,
            sessions: Sessions::default(),
            work: Work::new(deps.commands),
            questions: Mutex::default(),
            letters: Letters::default(),
            budgets: Budgets::default(),
            gone: Mutex::default(),
            attaching: std::array::from_fn(|_| tokio::sync::Mutex::default()),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// Takes a row that was just written, and tells the other processes.
    pub(crate) async fn written(&self, row: &AgentRow) -> Result<(), Error> {
        self.fleet.written(row).await?;
        Notice::Revision(row.revision).tell(&*self.bus).await;
        Ok(())
    }

    /// Changes an agent, again and again where somebody else was faster. What `change` leaves as it is is not
    /// written.
    pub(crate) async fn change(
        &self,
        full: &str,
        uid: Option<Uuid>,
        change: impl Fn(&mut Record) -> Result<(), Error> + Send + Sync,
    ) -> Result<Arc<Entry>, Error> {
        self.change_with(full, uid, None, change).await
    }

    /// Changes an agent, and keeps a document of it with that.
    pub(crate) async fn change_with(
        &self,
        full: &str,
        uid: Option<Uuid>,
        document: Option<AgentDocument>,
        change: impl Fn(&mut Record) -> Result<(), Error> + Send + Sync,
    ) -> Result<Arc<Entry>, Error> {
        let mut tries = 0;
        loop {
            let entry = self.fleet.get(full).await?;
            if uid.is_some_and(|uid| uid != entry.uid) {
                return Err(Error::AgentNotFound(full.to_owned()));
            }
            let mut record = entry.record.clone();
            change(&mut record)?;
            record.settle(self.options.clock_tolerance, self.now());
            if record == entry.record {
                return Ok(entry);
            }
            let update = AgentUpdate {
                uid: entry.uid,
                expected_revision: entry.revision,
                record: record.encode_to_vec().into(),
                last_seen: self.sessions.get(entry.uid).and_then(|session| session.take_news()),
                document: document.clone(),
            };
            match self.store.update_agent(update).await {
                Ok(row) => {
                    self.written(&row).await?;
                    let entry = self.fleet.get(full).await?;
                    self.tell_agent(&entry);
                    return Ok(entry);
                }
                Err(StoreError::Stale { .. } | StoreError::NotFound { .. }) if tries < TRIES => {
                    tries += 1;
                    self.fleet.catch_up(i64::MAX).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Tells an agent that is connected here what people have set.
    pub(crate) fn tell_agent(&self, entry: &Entry) {
        if let Some(session) = self.sessions.get(entry.uid) {
            if let Some(talk) = &session.talk {
                talk.want(Wanted::of(&entry.record));
                return;
            }
            let agent = entry.record.agent();
            session.settle(AgentSettings {
                display_name: agent.display_name.clone(),
                labels: agent.labels.clone(),
                in_maintenance: agent.maintenance.is_some(),
            });
        }
    }

    /// The agent as clients see it, with what is known of it at this moment.
    pub(crate) fn message(&self, entry: &Entry) -> Agent {
        self.with_pulse(entry, entry.message())
    }

    /// The same, as lists tell of it.
    pub(crate) fn brief(&self, entry: &Entry) -> Agent {
        self.with_pulse(entry, entry.brief())
    }

    fn with_pulse(&self, entry: &Entry, mut agent: Agent) -> Agent {
        if let Some(session) = self.sessions.get(entry.uid) {
            let (seen, round_trip, offset) = session.pulse();
            agent.last_seen_time = Some(seen.into());
            agent.round_trip_duration = round_trip.map(span::of_micros);
            agent.clock_offset_duration = offset.map(span::of_micros);
        }
        agent
    }

    /// The lock of an agent's attaching programs.
    pub(crate) fn attaching(&self, agent: Uuid) -> &tokio::sync::Mutex<()> {
        &self.attaching[agent.as_u128() as usize % LOCKS]
    }
}
