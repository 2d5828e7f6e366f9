//! The fleet in memory: every agent as it is, and in what order they changed.
//!
//! Filled from the store at the start, and brought up to date after every write, whoever made it: a process
//! that writes says so on the bus, and the others read on from the revision that they have.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, RwLock},
};

use prost::Message;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;
use weft_proto::weft::agent::v1::{Agent, AgentKind, FleetChanges};
use weft_store::{AgentRow, AgentStore, StoreError, Timestamp};

use crate::{
    Error,
    domain::{name, record::Record},
};

/// Rows that are read from the store at once.
const ROWS: u32 = 1_000;
/// Agents in one message of a watch.
const BATCH: usize = 200;

/// An agent as the store has it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) project: String,
    pub(crate) id: String,
    pub(crate) uid: Uuid,
    pub(crate) public_key: [u8; 32],
    pub(crate) revision: i64,
    pub(crate) record: Record,
    pub(crate) last_seen: Option<Timestamp>,
}

impl Entry {
    fn of(row: &AgentRow) -> Result<Self, Error> {
        let record = Record::decode(row.record.clone()).map_err(|error| StoreError::Corrupt {
            table: "agents",
            column: "record",
            row: row.uid.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            project: row.project.clone(),
            id: row.id.clone(),
            uid: row.uid,
            public_key: row.public_key,
            revision: row.revision,
            record,
            last_seen: row.last_seen,
        })
    }

    /// Its resource name.
    pub(crate) fn name(&self) -> String {
        name::of_agent(&self.project, &self.id)
    }

    /// The agent as clients see it.
    pub(crate) fn message(&self) -> Agent {
        let mut agent = self.record.agent().clone();
        agent.name = self.name();
        agent.uid = self.uid.to_string();
        agent.revision = self.revision;
        agent.etag = self.record.version.to_string();
        agent.last_seen_time = self.last_seen.map(Into::into);
        agent
    }

    /// The agent as lists and watches tell of it: without what a collector tells of itself and its parts, of which a
    /// page of a thousand could not be sent.
    pub(crate) fn brief(&self) -> Agent {
        let mut agent = self.message();
        if let Some(collector) = &mut agent.collector {
            collector.identifying_attributes.clear();
            collector.attributes.clear();
            collector.health.clear();
        }
        agent
    }
}

/// What happened last to an agent.
struct Change {
    id: String,
    removed: bool,
}

#[derive(Default)]
struct Project {
    agents: BTreeMap<String, Arc<Entry>>,
    changes: BTreeMap<i64, Change>,
}

#[derive(Default)]
struct Inner {
    projects: HashMap<String, Project>,
    /// Project and last revision of every agent and every removal that is known.
    by_uid: HashMap<Uuid, (String, i64)>,
    /// Names of the agents by their keys.
    by_key: HashMap<[u8; 32], String>,
    /// Tokens that collectors show, by digest. One whose collectors were removed since may be among them.
    tokens: HashSet<Vec<u8>>,
    revision: i64,
    forgotten: i64,
}

/// All agents.
pub(crate) struct Fleet {
    store: Arc<dyn AgentStore>,
    inner: RwLock<Inner>,
    head: watch::Sender<i64>,
    /// Held by whoever brings the memory up to date.
    reading: Mutex<()>,
}

impl Fleet {
    /// The fleet as the store has it.
    pub(crate) async fn open(store: Arc<dyn AgentStore>) -> Result<Self, Error> {
        let fleet =
            Self { store, inner: RwLock::default(), head: watch::Sender::new(0), reading: Mutex::default() };
        fleet.forget().await?;
        fleet.catch_up(i64::MAX).await?;
        Ok(fleet)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.inner.read().expect("nobody panics with it")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().expect("nobody panics with it")
    }

    /// The newest revision that is known here.
    pub(crate) fn revision(&self) -> i64 {
        self.read().revision
    }

    /// Tells of new revisions.
    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// Reads what is new, unless `revision` is known already.
    pub(crate) async fn catch_up(&self, revision: i64) -> Result<(), Error> {
        let _reading = self.reading.lock().await;
        while self.revision() < revision {
            let rows = self.store.agents_after(self.revision(), ROWS).await?;
            let is_all = rows.len() < ROWS as usize;
            for row in &rows {
                self.take(row)?;
            }
            self.head.send_replace(self.revision());
            if is_all {
                break;
            }
        }
        Ok(())
    }

    /// Takes what was just written.
    pub(crate) async fn written(&self, row: &AgentRow) -> Result<(), Error> {
        {
            let _reading = self.reading.lock().await;
            if row.revision == self.revision() + 1 {
                self.take(row)?;
                self.head.send_replace(row.revision);
            }
        }
        self.catch_up(row.revision).await
    }

    fn take(&self, row: &AgentRow) -> Result<(), Error> {
        let entry = if row.deleted.is_some() { None } else { Some(Arc::new(Entry::of(row)?)) };
        let mut inner = self.write();
        let before = inner.by_uid.insert(row.uid, (row.project.clone(), row.revision));
        let Inner { projects, by_key, tokens, .. } = &mut *inner;
        let project = projects.entry(row.project.clone()).or_default();
        if let Some((_, revision)) = before {
            project.changes.remove(&revision);
        }
        project.changes.insert(row.revision, Change { id: row.id.clone(), removed: entry.is_none() });
        match entry {
            Some(entry) => {
                by_key.insert(entry.public_key, entry.name());
                if !entry.record.token.is_empty() && !tokens.contains(&entry.record.token) {
                    tokens.insert(entry.record.token.clone());
                }
                project.agents.insert(row.id.clone(), entry);
            }
            // Another one of its name may have come since.
            None if project.agents.get(&row.id).is_some_and(|there| there.uid == row.uid) => {
                project.agents.remove(&row.id);
                by_key.remove(&row.public_key);
            }
            None => {}
        }
        inner.revision = inner.revision.max(row.revision);
        Ok(())
    }

    /// Drops removals that the store has forgotten.
    pub(crate) async fn forget(&self) -> Result<(), Error> {
        let forgotten = self.store.fleet().await?.forgotten;
        let mut inner = self.write();
        inner.forgotten = inner.forgotten.max(forgotten);
        for project in inner.projects.values_mut() {
            project.changes.retain(|revision, change| !change.removed || *revision > forgotten);
        }
        let Inner { projects, by_uid, .. } = &mut *inner;
        by_uid.retain(|_, (project, revision)| {
            projects.get(project).is_some_and(|project| project.changes.contains_key(revision))
        });
        Ok(())
    }

    /// The agent of that name, also one that another process has just let in.
    pub(crate) async fn get(&self, full: &str) -> Result<Arc<Entry>, Error> {
        if let Some(entry) = self.known(full) {
            return Ok(entry);
        }
        self.catch_up(i64::MAX).await?;
        self.known(full).ok_or_else(|| Error::AgentNotFound(full.to_owned()))
    }

    /// The collector with that key, also one that another process has just let in.
    pub(crate) async fn by_key(&self, key: &[u8; 32]) -> Result<Option<Arc<Entry>>, Error> {
        if let Some(entry) = self.known_by_key(key) {
            return Ok(Some(entry));
        }
        self.catch_up(i64::MAX).await?;
        Ok(self.known_by_key(key))
    }

    /// Whether a collector with that key is known here.
    pub(crate) fn knows_key(&self, key: &[u8; 32]) -> bool {
        self.known_by_key(key).is_some()
    }

    /// A key of an agent of our own is its own word: it may be chosen to look like that of a collector.
    fn known_by_key(&self, key: &[u8; 32]) -> Option<Arc<Entry>> {
        let name = self.read().by_key.get(key).cloned()?;
        let is_it = |entry: &Arc<Entry>| {
            entry.public_key == *key && entry.record.agent().kind() == AgentKind::Collector
        };
        self.known(&name).filter(is_it)
    }

    /// Whether a collector has joined with the token of this digest.
    pub(crate) fn knows_token(&self, digest: &[u8; 32]) -> bool {
        self.read().tokens.contains(&digest[..])
    }

    fn known(&self, full: &str) -> Option<Arc<Entry>> {
        let (project, id) = name::agent(full)?;
        self.read().projects.get(project)?.agents.get(id).cloned()
    }

    /// The agents of a project by id, and the revision at which they are so.
    pub(crate) fn agents(&self, project: &str) -> (Vec<Arc<Entry>>, i64) {
        let inner = self.read();
        let agents = inner.projects.get(project).map(|project| project.agents.values().cloned().collect());
        (agents.unwrap_or_default(), inner.revision)
    }

    /// The agents of all projects.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.read().projects.values().flat_map(|project| project.agents.values().cloned()).collect()
    }

    /// Whether somebody who knows the fleet as it was at a revision can learn of all removals since. From 0
    /// there is nothing to unlearn.
    pub(crate) fn can_follow(&self, after: i64) -> bool {
        after == 0 || after >= self.read().forgotten
    }

    /// What has changed in a project after a revision, oldest first; and up to which revision that is all, once
    /// there is nothing.
    pub(crate) fn changes_after(&self, project: &str, after: i64) -> Step {
        let inner = self.read();
        let mut changes = FleetChanges::default();
        if let Some(project_there) = inner.projects.get(project) {
            for (revision, change) in project_there.changes.range(after + 1..).take(BATCH) {
                changes.revision = *revision;
                match project_there.agents.get(&change.id) {
                    Some(entry) if !change.removed => changes.agents.push(entry.brief()),
                    _ if after > 0 => changes.removed_agents.push(name::of_agent(project, &change.id)),
                    _ => {}
                }
            }
        }
        if changes.revision > 0 { Step::Changes(changes) } else { Step::All(inner.revision) }
    }
}

/// What a watch tells next.
pub(crate) enum Step {
    /// Something.
    Changes(FleetChanges),
    /// Nothing, up to this revision.
    All(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, uid: u128, revision: i64, deleted: bool) -> AgentRow {
        let record = Record::new(Agent::default(), Timestamp::default()).encode_to_vec();
        AgentRow {
            project: "p".into(),
            id: id.into(),
            uid: Uuid::from_u128(uid),
            public_key: [0; 32],
            token_uid: Uuid::nil(),
            revision,
            record: if deleted { Vec::new().into() } else { record.into() },
            last_seen: None,
            created: Timestamp::default(),
            deleted: deleted.then(Timestamp::default),
        }
    }

    #[tokio::test]
    async fn a_step_tells_each_agent_once_and_removals_to_those_who_knew() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let url = format!("sqlite:{}", folder.path().join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.expect("the store opens");
        let fleet = Fleet::open(stores.agent).await.expect("it is empty");
        for row in [
            row("a", 1, 1, false),
            row("b", 2, 2, false),
            row("a", 1, 3, false),
            row("b", 2, 4, true),
            row("b", 5, 5, false),
        ] {
            fleet.take(&row).expect("it can be read");
        }
        assert!(!fleet.knows_key(&[0; 32]), "the key of an agent that is no collector");
        let told = |after| match fleet.changes_after("p", after) {
            Step::Changes(changes) => {
                let agents = changes.agents.into_iter().map(|agent| agent.name).collect::<Vec<_>>();
                (agents.join(" "), changes.removed_agents.join(" "), changes.revision)
            }
            Step::All(revision) => (String::new(), String::new(), revision),
        };
        let (a, b) = ("projects/p/agents/a", "projects/p/agents/b");
        assert_eq!(told(0), (format!("{a} {b}"), String::new(), 5));
        assert_eq!(told(2), (format!("{a} {b}"), b.to_owned(), 5));
        assert_eq!(told(4), (b.to_owned(), String::new(), 5));
        assert_eq!(told(5), (String::new(), String::new(), 5));
    }
}
