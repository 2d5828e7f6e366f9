//! The workers that are attached to a shard, and the tasks that each of them has.
//!
//! This is what is known of them, and rules over it: what a worker may say of which task, who is away and until when, which task
//! takes too long. Whose turn it is is the affair of [`Turns`](super::turns), what becomes of runs that of the shard.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use serde_json::Value as Json;
use tokio::sync::mpsc;
use uuid::Uuid;
use weft_proto::weft::execution::v1::{
    TaskDisposition, TaskStopReason, Worker as Shown, WorkerState, WorkerTask,
};
use weft_store::Timestamp;

use super::turns::{StepKey, Turn};
use crate::domain::{fault::StepError, name};

/// Tasks that are shown of a worker.
const SHOWN: usize = 20;

/// What a task is called between the mesh and its worker: which attempt of which step. It says nothing that its worker may not
/// know, and nobody can do more with a made-up one than to name a task that is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    pub(crate) step: StepKey,
    pub(crate) failures: u32,
}

impl Token {
    /// Of what a worker says; nothing where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let execution = i64::from_str_radix(parts.next()?, 16).ok().filter(|id| *id >= 0)?;
        let mut number = || parts.next()?.parse().ok();
        let (step, generation, failures) = (number()?, number()?, number()?);
        let token = Self { step: (execution, step, generation), failures };
        // One spelling each.
        (token.to_string() == text).then_some(token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step: (execution, step, generation), failures } = self;
        write!(formatter, "{execution:x}.{step}.{generation}.{failures}")
    }
}

/// How far a task has come, as its worker says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) fraction: f64,
    pub(crate) message: String,
}

/// A task for a worker.
pub(crate) struct Handed {
    pub(crate) token: Token,
    pub(crate) queue: Arc<str>,
    /// Name of the execution.
    pub(crate) execution: String,
    pub(crate) key: String,
    pub(crate) input: Arc<Json>,
    pub(crate) timeout: Duration,
}

/// What a worker is told.
pub(crate) enum Told {
    Tasks(Vec<Handed>),
    Stops(Vec<(Token, TaskStopReason)>),
    Settled(Vec<(Token, TaskDisposition)>),
    /// It has left, and has nothing any more.
    Left,
    /// It has come again by another stream.
    Replaced,
}

/// The way to a worker. What waits in it is bounded by what the worker has: it is given no more than it has slots for, and nothing
/// that it says is heard while it does not read.
pub(crate) type Tell = mpsc::UnboundedSender<Told>;

/// A stream of a worker: its number, and which of its streams it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(super) worker: u32,
    pub(super) stream: u64,
}

/// A worker, as it says itself.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) project: String,
    pub(crate) queues: Vec<Arc<str>>,
    pub(crate) slots: u32,
    pub(crate) display_name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) caller: String,
}

/// A worker that is attached, or was a moment ago.
pub(super) struct Worker {
    pub(super) about: About,
    /// What it is known by to others.
    uid: Uuid,
    pub(super) session: Uuid,
    since: i64,
    stream: u64,
    tell: Tell,
    pub(super) is_leaving: bool,
    /// Until when it may come back.
    away: Option<i64>,
    tasks: BTreeSet<u64>,
}

impl Worker {
    pub(super) fn uid(&self) -> Uuid {
        self.uid
    }

    /// Tells it something. False where nobody listens any more, whether its stream has said so or not.
    pub(super) fn say(&self, told: Told) -> bool {
        self.tell.send(told).is_ok()
    }

    /// The way to it, for what is told later.
    pub(super) fn tell(&self) -> Tell {
        self.tell.clone()
    }

    /// Whether it can be given tasks.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_leaving && self.away.is_none()
    }

    fn shown(&self, held: &HashMap<u64, Held>) -> Shown {
        let tasks = self.tasks.iter().filter_map(|ticket| held.get(ticket)).take(SHOWN).map(|held| {
            let (id, step, _) = held.token.step;
            let progress = held.progress.clone().unwrap_or_default();
            WorkerTask {
                step: format!("{}/steps/{step}", held.execution(&self.about.project, id)),
                queue: held.turn.performance.queue.as_deref().unwrap_or_default().to_owned(),
                start_time: Some(Timestamp::from_micros(held.since).into()),
                progress: progress.fraction,
                progress_message: progress.message,
            }
        });
        let state = match (self.away, self.is_leaving) {
            (Some(_), _) => WorkerState::Away,
            (None, true) => WorkerState::Leaving,
            (None, false) => WorkerState::Attached,
        };
        Shown {
            name: name::of_worker(&self.about.project, self.uid),
            uid: self.uid.to_string(),
            display_name: self.about.display_name.clone(),
            labels: self.about.labels.clone().into_iter().collect(),
            queues: self.about.queues.iter().map(|queue| (**queue).to_owned()).collect(),
            state: state.into(),
            slot_count: i32::try_from(self.about.slots).unwrap_or(i32::MAX),
            task_count: i32::try_from(self.tasks.len()).unwrap_or(i32::MAX),
            tasks: tasks.collect(),
            caller: self.about.caller.clone(),
            create_time: Some(Timestamp::from_micros(self.since).into()),
        }
    }
}

/// A task in a worker's hands.
pub(super) struct Held {
    pub(super) turn: Turn,
    pub(super) token: Token,
    /// The execution, where its name was chosen.
    name: Option<String>,
    since: i64,
    late: i64,
    progress: Option<Progress>,
    /// Why it was told to stop, if it was: what comes of it counts for nothing.
    pub(super) over: Option<TaskStopReason>,
}

impl Held {
    fn execution(&self, project: &str, id: i64) -> String {
        let id = self.name.clone().unwrap_or_else(|| name::made_up(id));
        name::of_execution(project, &id)
    }
}

/// What happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A worker has not come back.
    Lost(u32),
    /// A task has taken too long.
    Late(u64),
}

/// The workers of a shard.
#[derive(Default)]
pub(crate) struct Workers {
    all: HashMap<u32, Worker>,
    by_session: HashMap<Uuid, u32>,
    held: HashMap<u64, Held>,
    by_token: HashMap<Token, u64>,
    /// Those that are wanted still.
    by_step: HashMap<StepKey, u64>,
    timers: BTreeSet<(i64, Due)>,
}

impl Workers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn held_len(&self) -> usize {
        self.held.len()
    }

    /// How many a project has.
    pub(super) fn of_project(&self, project: &str) -> usize {
        self.all.values().filter(|worker| worker.about.project == project).count()
    }

    /// The worker of a project that has a session.
    pub(super) fn find(&self, project: &str, session: Uuid) -> Option<u32> {
        let number = self.by_session.get(&session)?;
        (self.all[number].about.project == project).then_some(*number)
    }

    /// A worker comes, or comes back by another stream.
    pub(super) fn attach(
        &mut self,
        line: Line,
        about: About,
        tell: Tell,
        (session, uid, now): (Uuid, Uuid, i64),
    ) {
        if let Some(worker) = self.all.get_mut(&line.worker) {
            if let Some(until) = worker.away.take() {
                self.timers.remove(&(until, Due::Lost(line.worker)));
            } else {
                // Where nobody listens, nobody needs to know.
                worker.say(Told::Replaced);
            }
            worker.is_leaving = false;
            (worker.about, worker.stream, worker.tell) = (about, line.stream, tell);
            return;
        }
        self.by_session.insert(session, line.worker);
        let worker = Worker {
            about,
            uid,
            session,
            since: now,
            stream: line.stream,
            tell,
            is_leaving: false,
            away: None,
            tasks: BTreeSet::new(),
        };
        self.all.insert(line.worker, worker);
    }

    pub(super) fn get(&self, worker: u32) -> Option<&Worker> {
        self.all.get(&worker)
    }

    /// The worker that a stream is, unless it has come by another one since.
    pub(super) fn of_line(&mut self, line: Line) -> Option<&mut Worker> {
        self.all.get_mut(&line.worker).filter(|worker| worker.stream == line.stream)
    }

    /// All that can be given tasks.
    pub(super) fn ready(&self) -> impl Iterator<Item = (u32, &Worker)> {
        self.all.iter().filter(|(_, worker)| worker.is_ready()).map(|(number, worker)| (*number, worker))
    }

    /// What a worker has.
    pub(super) fn tasks(&self, worker: u32) -> Vec<u64> {
        self.all.get(&worker).map(|worker| worker.tasks.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn held(&self, ticket: u64) -> Option<&Held> {
        self.held.get(&ticket)
    }

    /// A worker has a task from now on.
    pub(super) fn hold(&mut self, turn: Turn, name: Option<String>, (now, late): (i64, i64)) -> Token {
        let Turn { ticket, execution, performance, worker, .. } = &turn;
        let (ticket, worker) = (*ticket, *worker);
        let token = Token {
            step: (*execution, performance.step, performance.generation),
            failures: performance.failures,
        };
        self.by_token.insert(token, ticket);
        self.by_step.insert(token.step, ticket);
        self.timers.insert((late, Due::Late(ticket)));
        if let Some(worker) = self.all.get_mut(&worker) {
            worker.tasks.insert(ticket);
        }
        self.held.insert(ticket, Held { turn, token, name, since: now, late, progress: None, over: None });
        token
    }

    /// The task that a worker means.
    pub(super) fn ticket(&self, worker: u32, token: Token) -> Option<u64> {
        let ticket = *self.by_token.get(&token)?;
        (self.held[&ticket].turn.worker == worker).then_some(ticket)
    }

    /// A worker has a task no more.
    pub(super) fn take(&mut self, ticket: u64) -> Option<Held> {
        let held = self.held.remove(&ticket)?;
        self.by_token.remove(&held.token);
        self.timers.remove(&(held.late, Due::Late(ticket)));
        if held.over.is_none() {
            self.by_step.remove(&held.token.step);
        }
        if let Some(worker) = self.all.get_mut(&held.turn.worker) {
            worker.tasks.remove(&ticket);
        }
        Some(held)
    }

    /// The worker that has a step, if that is still wanted.
    pub(super) fn ticket_of(&self, step: StepKey) -> Option<u64> {
        self.by_step.get(&step).copied()
    }

    /// What comes of a task counts for nothing from now on. The worker is told to stop it, where `told` says so.
    pub(super) fn end(&mut self, ticket: u64, reason: TaskStopReason, told: bool) {
        let Some(held) = self.held.get_mut(&ticket).filter(|held| held.over.is_none()) else { return };
        held.over = Some(reason);
        let token = held.token;
        self.by_step.remove(&token.step);
        self.timers.remove(&(held.late, Due::Late(ticket)));
        if let Some(worker) = self.all.get(&held.turn.worker).filter(|_| told) {
            // One that does not hear it is told when it comes back.
            worker.say(Told::Stops(vec![(token, reason)]));
        }
    }

    /// How far a task has come.
    pub(super) fn progress(&mut self, worker: u32, token: Token, progress: Progress) {
        if let Some(held) = self.ticket(worker, token).and_then(|ticket| self.held.get_mut(&ticket)) {
            held.progress = Some(progress);
        }
    }

    /// The stream of a worker has ended: until then it may come back.
    pub(super) fn away(&mut self, worker: u32, until: i64) {
        // It may be noticed twice: its time began with the first.
        if let Some(gone) = self.all.get_mut(&worker).filter(|worker| worker.away.is_none()) {
            gone.away = Some(until);
            self.timers.insert((until, Due::Lost(worker)));
        }
    }

    /// A worker is gone. It has nothing any more.
    pub(super) fn remove(&mut self, worker: u32) {
        let Some(gone) = self.all.remove(&worker) else { return };
        self.by_session.remove(&gone.session);
        if let Some(until) = gone.away {
            self.timers.remove(&(until, Due::Lost(worker)));
        }
    }

    /// When something happens by itself.
    pub(super) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What has become due.
    pub(super) fn due(&mut self, now: i64) -> Option<Due> {
        let first = self.timers.first().copied().filter(|(at, _)| *at <= now)?;
        self.timers.remove(&first);
        Some(first.1)
    }

    /// The workers of a project as clients see them, those after a name, by name.
    pub(crate) fn shown(&self, project: &str, queue: &str, after: &str, most: usize) -> Vec<Shown> {
        let mut found: Vec<_> = self
            .all
            .values()
            .filter(|worker| worker.about.project == project)
            .filter(|worker| queue.is_empty() || worker.about.queues.iter().any(|served| **served == *queue))
            .map(|worker| (worker.uid.to_string(), worker))
            .filter(|(uid, _)| **uid > *after)
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found.into_iter().take(most).map(|(_, worker)| worker.shown(&self.held)).collect()
    }

    /// How many workers serve a queue of a project, and how much they do at a time.
    pub(crate) fn serving(&self, project: &str) -> HashMap<&str, (usize, u64)> {
        let mut serving: HashMap<&str, (usize, u64)> = HashMap::new();
        for worker in self.all.values().filter(|worker| worker.about.project == project && worker.is_ready())
        {
            for queue in &worker.about.queues {
                let entry = serving.entry(&**queue).or_default();
                *entry = (entry.0 + 1, entry.1 + u64::from(worker.about.slots));
            }
        }
        serving
    }
}

/// What a worker says of the end of a task.
pub(crate) type Result = (Token, std::result::Result<Json, StepError>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_one_attempt_and_has_one_spelling() {
        let token = Token { step: ((3 << 40) + 77, 12, 1), failures: 2 };
        assert_eq!(Token::parse(&token.to_string()), Some(token));
        for other in
            ["", "1", "1.2.3", "1.2.3.4.5", "-1.2.3.4", "01.2.3.4", "1.02.3.4", "g.1.1.1", "1.2.3.4 "]
        {
            assert_eq!(Token::parse(other), None, "{other:?}");
        }
    }
}
