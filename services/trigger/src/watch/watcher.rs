//! The task that watches: what it hears, what it reads, and what it writes.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use prost::Message;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tonic::{Code, Status};
use uuid::Uuid;
use weft_bus::{BusError, Received, Subscription};
use weft_kit::Lifecycle;
use weft_proto::weft::{
    execution::v1::{FindExecutionEndsRequest, FindTopicMessagesRequest},
    graph::v1::{GetGraphRequest, Graph, GraphRevision},
    telemetry::v1::Alert,
};
use weft_store::{Advance, StoreError};

use super::{
    RETRY,
    read::{self, Reading},
    take::{self, Step},
    watched::{Book, Watched},
};
use crate::{
    domain::place::Place,
    pending::Pending,
    state::{State, WATCHING},
};

/// The topic of the execution service that says that runs have ended.
const ENDS: &str = "execution.ends";
/// The one that says that messages were published.
const MESSAGES: &str = "execution.messages";
/// The topic of the graph service that says which graphs were changed.
const REVISIONS: &str = "graph.revisions";
/// The topic of the alert service that says of which projects alerts have changed.
const ALERTS: &str = "telemetry.alerts";
/// How often it is looked without having heard anything, and written how far it was looked in vain.
const ROUND: Duration = Duration::from_mins(1);
/// Graphs that are asked for in a round.
const ROUND_GRAPHS: usize = 16;
/// Graphs that are read at once.
const AT_ONCE: usize = 16;
/// Rows that are read at once.
const PAGE: u32 = 500;

/// What came of a question about a graph.
enum Answer {
    /// What it is now.
    Head(String, Result<Graph, Status>),
    /// What has become of it, for a trigger and since its place.
    Reading(Uuid, Place, Result<Reading, Status>),
    /// The alerts of a project, if it is known which there are.
    Alerts(String, Result<Option<Vec<Alert>>, Status>),
}

pub(super) struct Watcher {
    state: Arc<State>,
    epoch: i64,
    book: Book,
    ends: Subscription,
    messages: Subscription,
    revisions: Subscription,
    changes: Subscription,
    alerts: Subscription,
    asked: JoinSet<Answer>,
    /// Graphs of which it is to be asked what they are now.
    to_ask: VecDeque<String>,
    /// Projects of which alerts are to be looked at.
    to_look: BTreeSet<String>,
    /// Those that are being looked at.
    looking: BTreeSet<String>,
    /// The last one that was asked in a round.
    last_asked: String,
    /// When ends are to be looked for.
    ends_due: Option<Instant>,
    /// When messages are.
    messages_due: Option<Instant>,
    next_round: Instant,
}

fn cannot_listen(error: BusError) -> StoreError {
    StoreError::unavailable(error)
}

impl Watcher {
    pub(super) async fn new(state: Arc<State>, epoch: i64) -> Result<Self, StoreError> {
        let listen = async |topic: &str| state.bus.subscribe(topic).await.map_err(cannot_listen);
        // Before anything is read, so that nothing comes in between.
        let (ends, messages) = (listen(ENDS).await?, listen(MESSAGES).await?);
        let (revisions, changes, alerts) =
            (listen(REVISIONS).await?, listen(WATCHING).await?, listen(ALERTS).await?);
        let now = Instant::now();
        let mut watcher = Self {
            state: Arc::clone(&state),
            epoch,
            book: Book::default(),
            ends,
            messages,
            revisions,
            changes,
            alerts,
            asked: JoinSet::new(),
            to_ask: VecDeque::new(),
            to_look: BTreeSet::new(),
            looking: BTreeSet::new(),
            last_asked: String::new(),
            ends_due: Some(now),
            messages_due: Some(now),
            next_round: now + ROUND,
        };
        watcher.read_all().await?;
        Ok(watcher)
    }

    /// Watches until the process ends, or has another epoch.
    pub(super) async fn run(
        mut self,
        epochs: &mut watch::Receiver<i64>,
        life: &Lifecycle,
    ) -> Result<(), StoreError> {
        loop {
            self.ask();
            let until = self.wakes_at();
            tokio::select! {
                // What was looked at in vain is looked at again: to write it now would hold up who comes next.
                () = life.draining() => return Ok(()),
                _ = epochs.changed() => return Ok(()),
                heard = self.ends.recv() => match heard {
                    Received::Closed => return Ok(()),
                    _ => self.ends_due = Some(Instant::now()),
                },
                heard = self.messages.recv() => match heard {
                    Received::Closed => return Ok(()),
                    _ => self.messages_due = Some(Instant::now()),
                },
                heard = self.revisions.recv() => match heard {
                    Received::Message(message) => self.hear(&message),
                    Received::Lagged(_) => self.ask_all(),
                    Received::Closed => return Ok(()),
                },
                heard = self.changes.recv() => match heard {
                    Received::Message(uid) => match Uuid::from_slice(&uid) {
                        Ok(uid) => self.read_one(uid).await?,
                        Err(error) => tracing::warn!(%error, "a notice names no trigger"),
                    },
                    Received::Lagged(_) => self.read_all().await?,
                    Received::Closed => return Ok(()),
                },
                heard = self.alerts.recv() => match heard {
                    Received::Closed => return Ok(()),
                    // What is heard while it is looked is looked at afterwards.
                    _ => self.look_at_alerts(),
                },
                Some(answer) = self.asked.join_next() => match answer {
                    Ok(answer) => self.settle(answer).await?,
                    Err(error) => return Err(StoreError::Bug(format!("reading a graph broke off: {error}"))),
                },
                () = tokio::time::sleep_until(until) => {}
            }
            let now = Instant::now();
            if self.ends_due.is_some_and(|due| due <= now) {
                self.ends_due = None;
                self.read_ends().await?;
            }
            if self.messages_due.is_some_and(|due| due <= now) {
                self.messages_due = None;
                self.read_messages().await?;
            }
            if self.next_round <= now {
                self.round().await?;
            }
        }
    }

    fn wakes_at(&self) -> Instant {
        let has_room = self.asked.len() < AT_ONCE;
        let graphs = self.book.next_due().filter(|_| has_room);
        let due = [Some(self.next_round), self.ends_due, self.messages_due, graphs];
        due.into_iter().flatten().min().unwrap_or(self.next_round)
    }

    /// Looks without having heard anything: what was lost on the bus is found so.
    async fn round(&mut self) -> Result<(), StoreError> {
        self.next_round = Instant::now() + ROUND;
        self.look();
        let graphs = self.book.graphs_after(&self.last_asked, ROUND_GRAPHS);
        self.last_asked = graphs.last().cloned().unwrap_or_default();
        self.to_ask.extend(graphs);
        self.look_at_alerts();
        self.save().await
    }

    /// Reads all triggers that watch something.
    async fn read_all(&mut self) -> Result<(), StoreError> {
        self.book = Book::default();
        let mut after = Uuid::nil();
        loop {
            let rows = self.state.store.watching_triggers(after, PAGE).await?;
            for row in &rows {
                after = row.uid;
                if let Some(watched) = Watched::of(row)? {
                    self.book.put(watched);
                }
            }
            if rows.len() < PAGE as usize {
                break;
            }
        }
        self.look();
        self.ask_all();
        self.look_at_alerts();
        Ok(())
    }

    /// Reads one that was changed, or is no more.
    async fn read_one(&mut self, uid: Uuid) -> Result<(), StoreError> {
        self.book.remove(uid);
        match self.state.store.find_trigger(uid).await {
            Ok(row) => {
                if let Some(watched) = Watched::of(&row)? {
                    self.to_ask.extend(watched.change().map(|change| change.graph.clone()));
                    self.book.put(watched);
                    self.look();
                    self.look_at_alerts();
                }
                Ok(())
            }
            Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn hear(&mut self, message: &bytes::Bytes) {
        match GraphRevision::decode(message.clone()) {
            Ok(GraphRevision { graph, revision, graph_uid }) => self.book.hear(&graph, &graph_uid, revision),
            Err(error) => tracing::warn!(%error, "a notice names no graph"),
        }
    }

    /// Ends and messages are to be looked for.
    fn look(&mut self) {
        let now = Some(Instant::now());
        (self.ends_due, self.messages_due) = (now, now);
    }

    fn ask_all(&mut self) {
        self.to_ask = self.book.graphs_after("", usize::MAX).into();
    }

    fn look_at_alerts(&mut self) {
        self.to_look.extend(self.book.alert_projects().map(str::to_owned));
    }

    /// Asks for graphs and alerts that it is time for.
    fn ask(&mut self) {
        while self.asked.len() < AT_ONCE
            && let Some(name) = self.to_ask.pop_front()
        {
            let mut graphs = self.state.graphs.clone();
            self.asked.spawn(async move {
                let found = graphs.get_graph(GetGraphRequest { name: name.clone() }).await;
                Answer::Head(name, found.map(tonic::Response::into_inner))
            });
        }
        while self.asked.len() < AT_ONCE
            && let Some(project) =
                self.to_look.iter().find(|project| !self.looking.contains(*project)).cloned()
        {
            self.to_look.remove(&project);
            self.looking.insert(project.clone());
            let state = Arc::clone(&self.state);
            self.asked.spawn(async move {
                let found = Box::pin(read::alerts(&state, format!("projects/{project}"))).await;
                Answer::Alerts(project, found)
            });
        }
        let room = AT_ONCE.saturating_sub(self.asked.len());
        for (uid, wanted, place) in self.book.begin_due(Instant::now(), room) {
            let state = Arc::clone(&self.state);
            self.asked.spawn(async move {
                let reading = Box::pin(read::read(&state, &wanted, &place)).await;
                Answer::Reading(uid, place, reading)
            });
        }
    }

    async fn settle(&mut self, answer: Answer) -> Result<(), StoreError> {
        match answer {
            Answer::Head(name, Ok(graph)) => {
                self.book.hear(&name, &graph.uid, graph.revision);
                Ok(())
            }
            Answer::Head(_, Err(status)) if status.code() == Code::NotFound => Ok(()),
            Answer::Head(name, Err(status)) => {
                tracing::debug!(graph = name, %status, "a graph cannot be asked for; a later round does");
                Ok(())
            }
            Answer::Reading(uid, from, reading) => {
                let Some(watched) = self.book.get_mut(uid) else { return Ok(()) };
                let step = take::graph(&self.state, watched, &from, reading);
                self.advance(step.into_iter().collect()).await
            }
            Answer::Alerts(project, found) => {
                self.looking.remove(&project);
                match found {
                    Ok(Some(alerts)) => {
                        let steps = take::alerts(&self.state, &mut self.book, &project, &alerts);
                        self.advance(steps).await
                    }
                    // The first evaluation says so.
                    Ok(None) => Ok(()),
                    Err(status) => {
                        tracing::debug!(project, %status, "alerts cannot be asked for; a later round does");
                        Ok(())
                    }
                }
            }
        }
    }

    /// Looks which runs have ended.
    async fn read_ends(&mut self) -> Result<(), StoreError> {
        if self.book.of_ends().next().is_none() {
            return Ok(());
        }
        let read = match self.state.shards().await {
            Ok(shards) => self.read_ends_of(shards).await,
            Err(status) => Ok(Err(status)),
        };
        if let Err(status) = read? {
            tracing::debug!(%status, "ends of runs cannot be asked for; it is tried again");
            self.ends_due = Some(Instant::now() + RETRY);
        }
        Ok(())
    }

    /// In each shard, from the first place of those who wait for what happens there.
    async fn read_ends_of(&mut self, shards: i32) -> Result<Result<(), Status>, StoreError> {
        for shard in self.book.ends_from(shards).into_keys() {
            while let Some((after, projects)) = self.book.ends_from(shards).remove(&shard) {
                let request = FindExecutionEndsRequest { after_number: Some(after), projects, shard };
                let found = match self.state.executions.clone().find_execution_ends(request).await {
                    Ok(found) => found.into_inner(),
                    Err(status) => return Ok(Err(status)),
                };
                let steps = take::ends(&self.state, &mut self.book, (shard, &found));
                self.advance(steps).await?;
                if found.last_number <= after || found.last_number >= found.newest_number {
                    break;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Looks what was published.
    async fn read_messages(&mut self) -> Result<(), StoreError> {
        if self.book.of_messages().next().is_none() {
            return Ok(());
        }
        let read = match self.state.shards().await {
            Ok(shards) => self.read_messages_of(shards).await,
            Err(status) => Ok(Err(status)),
        };
        if let Err(status) = read? {
            tracing::warn!(%status, "messages cannot be asked for; it is tried again");
            self.messages_due = Some(Instant::now() + RETRY);
        }
        Ok(())
    }

    /// In each shard, from the first place of those who wait for what happens there.
    async fn read_messages_of(&mut self, shards: i32) -> Result<Result<(), Status>, StoreError> {
        for shard in self.book.messages_from(shards).into_keys() {
            while let Some((after, projects)) = self.book.messages_from(shards).remove(&shard) {
                let request = FindTopicMessagesRequest { after_number: Some(after), projects, shard };
                let found = match self.state.executions.clone().find_topic_messages(request).await {
                    Ok(found) => found.into_inner(),
                    Err(status) => return Ok(Err(status)),
                };
                let steps = take::messages(&self.state, &mut self.book, (shard, &found));
                self.advance(steps).await?;
                if found.last_number <= after || found.last_number >= found.newest_number {
                    break;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Writes how far triggers have looked in vain.
    async fn save(&mut self) -> Result<(), StoreError> {
        let moved = self.book.all().filter(|watched| watched.place != watched.saved);
        let steps = moved.map(|watched| Step::of(watched, Vec::new())).collect();
        self.advance(steps).await
    }

    /// Writes what was found and how far was looked, and has the runs started.
    async fn advance(&mut self, steps: Vec<Step>) -> Result<(), StoreError> {
        if steps.is_empty() {
            return Ok(());
        }
        let advances: Vec<Advance> = steps
            .iter()
            .map(|step| Advance {
                uid: step.uid,
                from: step.from.bytes(),
                to: step.to.bytes(),
                deliveries: step.deliveries.clone(),
            })
            .collect();
        let until = self.state.now().after(self.state.options.lease);
        let moved = self.state.store.advance_triggers(self.epoch, until, advances).await?;
        if !moved.is_empty() {
            self.state.news.tell();
        }
        for step in steps {
            if !moved.contains(&step.uid) {
                // It was changed meanwhile, or deleted.
                self.read_one(step.uid).await?;
                continue;
            }
            if let Some(watched) = self.book.get_mut(step.uid) {
                watched.saved = step.to;
            }
            for row in step.deliveries.into_iter().filter(|row| row.wake.is_some()) {
                self.state.dispatcher.offer(Pending::of(row)?);
            }
        }
        Ok(())
    }
}
