//! A run: what its events have made of it, and what is to happen next.
//!
//! [`Run::apply`] is the fold: it takes an event and changes the state, and does nothing else. [`Run::settle`] decides
//! what happens next and says it in events, which it applies; nothing of that counts before it is on disk. A run whose
//! process dies is read back by applying what was written, and then settles again: what was decided and not written is
//! decided anew, and what a step had begun outside is begun again under the same name.

mod again;
mod carried;
mod fold;
mod settle;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde_json::json;

use super::{
    event::{Event, Value, Wait},
    fault::StepError,
    plan::{Plan, Planned},
    published::Published,
};
pub(crate) use settle::Performance;

/// Most steps of one run.
const STEPS: u32 = 100_000;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits to start.
    Queued,
    Running,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
    Terminated,
}

impl Status {
    /// Whether nothing happens any more.
    pub(crate) fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Paused)
    }
}

/// What is known of a run from its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// What expressions call `run`.
    pub(crate) about: Value,
    /// When it is over, whatever it does.
    pub(crate) deadline: Option<i64>,
    pub(crate) pause_on_failure: bool,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    plan: Arc<Plan>,
    /// What the next retry goes on with.
    next_plan: Option<Arc<Plan>>,
    start: Start,
    input: Value,
    status: Status,
    /// Limits of runs have let it start.
    has_started: bool,
    /// Why it failed, or is paused: the step, and what it said.
    error: Option<(Option<u32>, StepError)>,
    output: Option<Value>,
    scopes: Vec<Opened>,
    steps: BTreeMap<u32, Step>,
    next_step: u32,
    /// How often somebody let it go on from a failure.
    retries: u32,
    /// Steps whose turn it is.
    ready: VecDeque<u32>,
    /// When steps go on by themselves.
    timers: BTreeSet<(i64, u32)>,
    /// Signals that nobody has waited for yet.
    signals: BTreeMap<String, VecDeque<Value>>,
    /// Steps that wait for a signal.
    listeners: BTreeMap<String, BTreeSet<u32>>,
    /// Steps that wait for a person.
    asking: BTreeSet<u32>,
    /// What is kept of the steps of before a retry, by path, until they are reached again.
    carried: HashMap<String, carried::Carried>,
    /// What the bodies of before a retry were given.
    carried_inputs: HashMap<Arc<str>, Value>,
    /// Steps at work outside that are to end.
    stops: Vec<u32>,
    /// Requests that were made of it, and must not be done twice.
    requests: HashSet<String>,
    /// What has happened and was not taken away yet.
    log: Vec<(i64, Event)>,
    /// What was published and was not taken away yet.
    published: Vec<Published>,
    /// How much that is, in bytes.
    published_bytes: usize,
    /// Counts events that were applied.
    changes: u64,
    /// The instant of the last event.
    at: i64,
}

/// A scope of the plan at work.
#[derive(Debug)]
struct Opened {
    plan: usize,
    /// The step whose body it is, and its number there.
    container: Option<(u32, usize)>,
    /// What paths of its steps begin with.
    prefix: Arc<str>,
    input: Value,
    nodes: Vec<Place>,
    /// Nodes that are not resolved.
    open: usize,
    has_ended: bool,
    /// It was given something else than before a retry: nothing is kept of what was in it.
    is_fresh: bool,
}

/// A node in an opened scope.
#[derive(Debug)]
struct Place {
    /// Edges that have brought neither a value nor word that none comes.
    pending: u32,
    /// What came, and from which node.
    brought: Vec<(u32, Value)>,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Waiting,
    Active(u32),
    Done(u32),
    Skipped,
}

/// A step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) number: u32,
    scope: usize,
    node: u32,
    pub(crate) path: String,
    pub(crate) is: StepIs,
    pub(crate) input: Value,
    pub(crate) output: Option<Value>,
    pub(crate) port: Option<String>,
    pub(crate) error: Option<StepError>,
    /// The execution that has made what it gave.
    pub(crate) cached_from: Option<String>,
    /// Attempts that have failed.
    pub(crate) failures: u32,
    /// How often it was begun anew by hand: with another idempotency key.
    pub(crate) generation: u32,
    pub(crate) began: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) wait: Option<Wait>,
    /// When it is tried again.
    pub(crate) due: Option<i64>,
    body: Option<Body>,
    /// The event that changed it last, as a watcher counts.
    pub(crate) changed: u64,
}

/// What a step is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepIs {
    /// It is its turn.
    Ready,
    /// At work outside.
    Performing,
    /// Waits for a time, a signal or a person.
    Waiting,
    /// Waits for its next attempt.
    Backoff,
    /// Its body runs.
    Inside,
    Succeeded,
    Failed,
    Cancelled,
}

impl StepIs {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// The bodies of a step.
#[derive(Debug, Default)]
struct Body {
    /// What each is given; of a loop, what the next round is.
    inputs: Vec<Value>,
    /// Those that were opened.
    opened: usize,
    live: usize,
    results: Vec<Option<Value>>,
}

impl Run {
    /// A run that has not begun.
    pub(crate) fn new(plan: Arc<Plan>, start: Start) -> Self {
        Self {
            plan,
            next_plan: None,
            start,
            input: Value::default(),
            status: Status::Running,
            has_started: true,
            error: None,
            output: None,
            scopes: Vec::new(),
            steps: BTreeMap::new(),
            next_step: 1,
            retries: 0,
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            signals: BTreeMap::new(),
            listeners: BTreeMap::new(),
            asking: BTreeSet::new(),
            carried: HashMap::new(),
            carried_inputs: HashMap::new(),
            stops: Vec::new(),
            requests: HashSet::new(),
            log: Vec::new(),
            published: Vec::new(),
            published_bytes: 0,
            changes: 0,
            at: 0,
        }
    }

    /// Notes that something happens now, and what becomes of it.
    pub(crate) fn happen(&mut self, at: i64, event: Event) {
        // Never before what happened before it, whatever a clock says.
        let at = at.max(self.at);
        self.log.push((at, event.clone()));
        self.apply(at, event);
    }

    /// What has happened since this was asked the last time.
    pub(crate) fn take_log(&mut self) -> Vec<(i64, Event)> {
        std::mem::take(&mut self.log)
    }

    /// What was published since this was asked the last time.
    pub(crate) fn take_published(&mut self) -> Vec<Published> {
        self.published_bytes = 0;
        std::mem::take(&mut self.published)
    }

    /// Whether something has happened that was not taken away.
    pub(crate) fn has_log(&self) -> bool {
        !self.log.is_empty()
    }

    /// Steps at work outside that are to end.
    pub(crate) fn take_stops(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.stops)
    }

    /// Whether a request was made of it before.
    pub(crate) fn knows_request(&self, once: &str) -> bool {
        self.requests.contains(once)
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Whether limits of runs have let it start: it then has its place until it ends, also while it is paused.
    pub(crate) fn has_started(&self) -> bool {
        self.has_started
    }

    /// What expressions call `run`.
    pub(crate) fn about(&self) -> &Value {
        &self.start.about
    }

    pub(crate) fn input(&self) -> &Value {
        &self.input
    }

    pub(crate) fn output(&self) -> Option<&Value> {
        self.output.as_ref()
    }

    pub(crate) fn error(&self) -> Option<&(Option<u32>, StepError)> {
        self.error.as_ref()
    }

    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.values()
    }

    pub(crate) fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(&number)
    }

    /// The steps that wait for a person, in the order in which they began.
    pub(crate) fn asking(&self) -> impl ExactSizeIterator<Item = u32> {
        self.asking.iter().copied()
    }

    /// The key and the kind of a step's node.
    pub(crate) fn node_of(&self, step: &Step) -> (&str, &'static str) {
        let planned = self.planned(step);
        (&planned.key, planned.kind.name())
    }

    /// When it goes on by itself.
    pub(crate) fn next_timer(&self) -> Option<i64> {
        if self.status.has_ended() {
            return None;
        }
        let timer = self.timers.first().map(|(at, _)| *at).filter(|_| self.status == Status::Running);
        match (timer, self.start.deadline) {
            (Some(timer), Some(deadline)) => Some(timer.min(deadline)),
            (timer, deadline) => timer.or(deadline),
        }
    }

    /// Whether a step's turn has come, but for those that are at work outside.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready.is_empty() || self.status != Status::Running
    }

    fn planned(&self, step: &Step) -> &Planned {
        &self.plan.scopes[self.scopes[step.scope].plan].nodes[step.node as usize]
    }

    /// The failure of a step as a value.
    fn failure(step: &Step) -> Value {
        let error = step.error.clone().unwrap_or_else(|| StepError::new("FAILED", ""));
        Arc::new(json!({"reason": error.reason, "message": error.message, "step": step.path}))
    }
}
