//! AttachWorker: a worker's stream, from its first message to its end.
//!
//! What goes to the worker is bounded by what it has: the engine gives it as many tasks as it has slots, and what it says is not read
//! while it does not read what it is told.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use prost::Message;
use serde_json::Value as Json;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;
use weft_kit::{Caller, Messages, json, span};
use weft_proto::weft::execution::v1::{
    AttachWorkerRequest, AttachWorkerResponse, Task, TaskDisposition, TaskError, TaskProgress, TaskResult,
    TaskSettlement, TaskSettlements, TaskStarts, TaskStop, TaskStopReason, TaskStops, WorkerHeartbeatAnswer,
    WorkerOpen, WorkerOpened, attach_worker_request::Action, attach_worker_response::Event, task_result,
};

use crate::{
    Error,
    domain::{fault::StepError, message, name},
    engine::{About, Attach, Attached, Engine, Handed, Line, Progress, Said, Token, Told, bounded},
    state::State,
};

/// What a worker is told.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<AttachWorkerResponse, Status>> + Send>>;

/// Heartbeats that may fail to come before a stream is ended.
const MISSED: u32 = 3;
/// Messages that wait for the worker to read them.
const OUTGOING: usize = 16;
/// Tasks, stops or settlements of one message.
const AT_ONCE: usize = 256;
/// Bytes of tasks in one message, about.
const BYTES: usize = 1 << 20;
/// Most bytes of one task: clients take no message over 4 MiB by default.
const MOST_BYTES: usize = 3 << 20;
/// How long the reason of an end may take on its way to a worker that does not read.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Longest pause that a worker can ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How long a stream lasts, and by how much less one may: whether its caller may have it is asked when it begins, and many that
/// began together do not all come back together.
const LASTS: (Duration, f64) = (Duration::from_mins(10), 0.2);

/// A worker that has come, and that nobody listens to yet.
pub(crate) struct Joined {
    line: Attachment,
    attached: Attached,
    told: mpsc::UnboundedReceiver<Told>,
    until: Instant,
}

/// A worker's line to its project's shard, which is told when there is none any more, however that comes.
struct Attachment {
    state: Arc<State>,
    project: String,
    line: Line,
}

impl Attachment {
    fn engine(&self) -> &Engine {
        self.state.engines.of_project(&self.project)
    }

    async fn hear(&self, said: Said) -> Result<(), Error> {
        self.engine().hear(self.line, said).await
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let (state, project, line) = (Arc::clone(&self.state), std::mem::take(&mut self.project), self.line);
        let lifecycle = state.lifecycle.clone();
        lifecycle.spawn_future(async move {
            // Where the shard is gone nobody needs to know.
            drop(state.engines.of_project(&project).hear(line, Said::Away).await);
        });
    }
}

/// Opens a worker's stream: it is known to the owner of its project when this answers.
pub(crate) async fn join(state: &Arc<State>, caller: &Caller, open: WorkerOpen) -> Result<Joined, Error> {
    if state.lifecycle.is_draining() {
        return Err(Error::Draining);
    }
    let project = name::project(&open.parent).to_owned();
    let about = About {
        project: project.clone(),
        queues: open.queues.iter().map(|queue| Arc::from(queue.as_str())).collect(),
        slots: open.slot_count.cast_unsigned(),
        display_name: open.display_name,
        labels: open.labels.into_iter().collect(),
        caller: caller.name.to_string(),
    };
    let (tell, told) = mpsc::unbounded_channel();
    let session = Uuid::try_parse(&open.session).ok();
    let attach = Attach { about, session, tokens: open.tokens, tell };
    let attached = state.engines.of_project(&project).attach(attach).await?;
    let line = Attachment { state: Arc::clone(state), project, line: attached.line };
    let until = Instant::now() + lasts(state, caller);
    Ok(Joined { line, attached, told, until })
}

/// How long the stream of a caller may last: no longer than its credential.
fn lasts(state: &State, caller: &Caller) -> Duration {
    let (longest, less) = LASTS;
    let longest = longest.mul_f64(1.0 - less * state.ids.fraction());
    let left = caller.expires.map(|expires| expires.duration_since(state.clock.now()).unwrap_or_default());
    left.map_or(longest, |left| left.min(longest))
}

impl Joined {
    /// What the worker is told, from now on. What it says is heard.
    pub(crate) fn follow(self, messages: Messages<AttachWorkerRequest>) -> Answers {
        let Self { line, attached, told, until } = self;
        let (out, answers) = mpsc::channel(OUTGOING);
        let lifecycle = line.state.lifecycle.clone();
        let opened = WorkerOpened {
            worker: name::of_worker(&line.project, attached.uid),
            session: attached.session.to_string(),
            resumed: attached.resumed,
            heartbeat_interval: Some(span::of(line.state.options.worker_heartbeat)),
        };
        let stream = WorkerStream { line, out, until };
        lifecycle.spawn_future(stream.run(opened, told, messages));
        ReceiverStream::new(answers).boxed()
    }
}

/// One stream of a worker.
struct WorkerStream {
    line: Attachment,
    out: mpsc::Sender<Result<AttachWorkerResponse, Status>>,
    until: Instant,
}

impl WorkerStream {
    async fn run(
        self,
        opened: WorkerOpened,
        told: mpsc::UnboundedReceiver<Told>,
        messages: Messages<AttachWorkerRequest>,
    ) {
        let ended = match self.say(Event::Opened(opened)).await {
            Ok(()) => self.follow(told, messages).await,
            Err(error) => Err(error),
        };
        let Self { line, out, .. } = self;
        drop(line);
        if let Err(error) = ended {
            // Where the worker is gone nobody reads it.
            drop(timeout(LAST_WORD, out.send(Err(error.into()))).await);
        }
    }

    /// Until one of both has gone.
    async fn follow(
        &self,
        mut told: mpsc::UnboundedReceiver<Told>,
        mut messages: Messages<AttachWorkerRequest>,
    ) -> Result<(), Error> {
        let patience = self.line.state.options.worker_heartbeat * MISSED;
        let mut silent = Instant::now() + patience;
        let gone = self.line.engine().gone();
        tokio::pin!(gone);
        loop {
            tokio::select! {
                biased;
                told = told.recv() => match told {
                    // The shard was closed.
                    None => return Err(Error::NotReady),
                    Some(Told::Left) => return Ok(()),
                    Some(Told::Replaced) => return Err(Error::WorkerReplaced),
                    Some(Told::Tasks(tasks)) => self.start(tasks).await?,
                    Some(Told::Stops(stops)) => self.stop(&stops).await?,
                    Some(Told::Settled(settled)) => self.settle(&settled).await?,
                },
                message = messages.next() => {
                    let Some(message) = message else { return Ok(()) };
                    silent = Instant::now() + patience;
                    match message?.action {
                        Some(action) => self.hear(action).await?,
                        None => return Err(Error::OutOfTurn("the message says nothing")),
                    }
                }
                () = self.out.closed() => return Ok(()),
                () = &mut gone => return Err(Error::Draining),
                () = self.line.state.lifecycle.draining() => return Err(Error::Draining),
                () = tokio::time::sleep_until(silent) => return Err(Error::NoHeartbeat),
                () = tokio::time::sleep_until(self.until) => return Err(Error::ComeBack),
            }
        }
    }

    async fn hear(&self, action: Action) -> Result<(), Error> {
        let said = match action {
            Action::Open(_) => return Err(Error::OutOfTurn("open may only be the first message")),
            Action::Heartbeat(heartbeat) => {
                let progress: Vec<_> = heartbeat.progress.into_iter().filter_map(progress).collect();
                if !progress.is_empty() {
                    self.line.hear(Said::Progress(progress)).await?;
                }
                return self.say(Event::HeartbeatAnswer(WorkerHeartbeatAnswer {})).await;
            }
            Action::Results(results) => {
                let most = self.line.state.options.max_value_bytes;
                let mut stale = Vec::new();
                let mut ended = Vec::with_capacity(results.results.len());
                for result in results.results {
                    match Token::parse(&result.token) {
                        Some(token) => ended.push((token, outcome(result, most))),
                        None => stale.push(settlement(result.token, TaskDisposition::Stale)),
                    }
                }
                if !stale.is_empty() {
                    self.say(Event::Settlements(TaskSettlements { settlements: stale })).await?;
                }
                Said::Results(ended)
            }
            Action::Slots(slots) => Said::Slots(slots.slot_count.cast_unsigned()),
            Action::Leave(_) => Said::Leave,
        };
        self.line.hear(said).await
    }

    async fn start(&self, tasks: Vec<Handed>) -> Result<(), Error> {
        let (mut starts, mut bytes) = (Vec::new(), 0);
        for handed in tasks {
            let token = handed.token;
            let task = task(handed);
            let length = task.encoded_len();
            if length > MOST_BYTES {
                let problem = "what the worker is given has more than 3 MiB as a message";
                let failed = Err(StepError::new("VALUE_TOO_LARGE", problem));
                self.line.hear(Said::Results(vec![(token, failed)])).await?;
                continue;
            }
            if bytes + length > BYTES || starts.len() >= AT_ONCE {
                self.say(Event::Starts(TaskStarts { tasks: std::mem::take(&mut starts) })).await?;
                bytes = 0;
            }
            bytes += length;
            starts.push(task);
        }
        if starts.is_empty() {
            return Ok(());
        }
        self.say(Event::Starts(TaskStarts { tasks: starts })).await
    }

    async fn stop(&self, stops: &[(Token, TaskStopReason)]) -> Result<(), Error> {
        for some in stops.chunks(AT_ONCE) {
            let stop = |(token, reason): &(Token, TaskStopReason)| TaskStop {
                token: token.to_string(),
                reason: (*reason).into(),
            };
            self.say(Event::Stops(TaskStops { stops: some.iter().map(stop).collect() })).await?;
        }
        Ok(())
    }

    async fn settle(&self, settled: &[(Token, TaskDisposition)]) -> Result<(), Error> {
        for some in settled.chunks(AT_ONCE) {
            let settlements = some.iter().map(|(token, what)| settlement(token.to_string(), *what));
            self.say(Event::Settlements(TaskSettlements { settlements: settlements.collect() })).await?;
        }
        Ok(())
    }

    /// Says something, if the worker reads in time. One that has gone away is noticed by who listens to it.
    async fn say(&self, event: Event) -> Result<(), Error> {
        let response = AttachWorkerResponse { event: Some(event) };
        let patience = self.line.state.options.worker_heartbeat * MISSED;
        tokio::select! {
            sent = timeout(patience, self.out.send(Ok(response))) => match sent {
                Ok(_) => Ok(()),
                Err(_) => Err(Error::NoHeartbeat),
            },
            () = self.line.state.lifecycle.draining() => Err(Error::Draining),
        }
    }
}

fn settlement(token: String, disposition: TaskDisposition) -> TaskSettlement {
    TaskSettlement { token, disposition: disposition.into() }
}

fn task(handed: Handed) -> Task {
    let Handed { token, queue, execution, key, input, timeout } = handed;
    Task {
        token: token.to_string(),
        queue: (*queue).to_owned(),
        step: format!("{execution}/steps/{}", token.step.1),
        execution,
        idempotency_key: key,
        attempt: token.failures.saturating_add(1).cast_signed(),
        input: Some(message::value(&input)),
        timeout: Some(span::of(timeout)),
    }
}

fn progress(said: TaskProgress) -> Option<(Token, Progress)> {
    let TaskProgress { token, fraction, message } = said;
    Some((Token::parse(&token)?, Progress { fraction, message }))
}

/// What came of a task, within the bounds of every step.
fn outcome(result: TaskResult, most_bytes: usize) -> Result<Json, StepError> {
    match result.outcome {
        None => Ok(Json::Null),
        Some(task_result::Outcome::Output(value)) => bounded(json::of_value(&value), most_bytes),
        Some(task_result::Outcome::Error(error)) => {
            let TaskError { reason, message, retryable, retry_delay } = error;
            let reason = if reason.is_empty() { "TASK_FAILED".to_owned() } else { reason };
            let pause = retry_delay.as_ref().and_then(span::to_std).unwrap_or_default().min(LONGEST_PAUSE);
            Err(StepError { again: retryable, pause, ..StepError::new(reason, message) })
        }
    }
}
