//! `weft worker run`: attaches to queues, starts a program for each task, and comes back after every lost stream.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use prost_reflect::prost::Message;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use weft_kit::{problem, span};
use weft_proto::weft::execution::v1::{
    AttachWorkerRequest, AttachWorkerResponse, Task, TaskError, TaskResult, TaskResults, WorkerHeartbeat,
    WorkerLeave, WorkerOpen, attach_worker_request::Action, attach_worker_response::Event,
    task_result::Outcome,
};

use super::{attached::Tasks, program};
use crate::client::WorkerClient;

/// Messages that wait for the mesh to read them.
const OUTGOING: usize = 64;
/// Results of one message, and bytes, about.
const RESULTS: (usize, usize) = (64, 1 << 20);
/// Most bytes of one result: nobody takes a message over 4 MiB by default.
const MOST_BYTES: usize = 7 << 19;
/// The pause after a lost stream, and the longest one: half of what a worker has by default to come back before its tasks are
/// given to others.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// How long a stream may take to open.
const OPENING: Duration = Duration::from_secs(10);
/// Heartbeats of the mesh that may be missing.
const MISSED: u32 = 3;

/// `weft worker run`
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    /// A queue whose tasks it does; may be given more than once.
    #[arg(long = "queue", required = true)]
    queues: Vec<String>,
    /// How many tasks it does at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=4096))]
    slots: i32,
    /// Name for people.
    #[arg(long, default_value = "")]
    name: String,
    /// A label, KEY=VALUE; may be given more than once.
    #[arg(long = "label", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The program and its arguments. A stop is SIGTERM to its process group, and SIGKILL after five seconds.
    #[arg(last = true, required = true, num_args = 1..)]
    program: Vec<String>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// A worker, over all its streams.
struct Worker {
    client: WorkerClient,
    open: WorkerOpen,
    program: Arc<[String]>,
    tasks: Tasks,
    at_work: JoinSet<TaskResult>,
    /// Somebody wants it to end.
    is_leaving: bool,
    interrupt: Signal,
    terminate: Signal,
    /// The stream before was opened.
    was_opened: bool,
}

/// How a stream ended.
enum End {
    /// Nothing is left to do.
    Done,
    Lost(Status),
}

impl Run {
    pub(super) async fn run(self, client: WorkerClient) -> Result<()> {
        let open = WorkerOpen {
            parent: format!("projects/{}", self.project),
            queues: self.queues,
            slot_count: self.slots,
            display_name: self.name,
            labels: self.labels.into_iter().collect(),
            ..WorkerOpen::default()
        };
        let mut worker = Worker {
            client,
            open,
            program: self.program.into(),
            tasks: Tasks::default(),
            at_work: JoinSet::new(),
            is_leaving: false,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            was_opened: false,
        };
        let mut pause = PAUSE.0;
        loop {
            match worker.stream().await? {
                End::Done => return Ok(()),
                End::Lost(status) if is_final(&status) => {
                    worker.tasks.stop_all();
                    while worker.at_work.join_next().await.is_some() {}
                    return Err(status.into());
                }
                End::Lost(status) => {
                    if worker.is_leaving && worker.tasks.is_empty() {
                        return Ok(());
                    }
                    if std::mem::take(&mut worker.was_opened) {
                        pause = PAUSE.0;
                    }
                    if problem::reason(&status).as_deref() == Some("COME_BACK") {
                        tracing::debug!("the stream has lasted as long as one may; coming back");
                    } else {
                        tracing::warn!(%status, "the stream to the mesh has ended; coming back");
                    }
                    if !worker.wait(pause).await {
                        return Ok(());
                    }
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        }
    }
}

/// Whether to come back makes no sense.
fn is_final(status: &Status) -> bool {
    let is_fault = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::NotFound
            | Code::Unimplemented
    );
    is_fault || problem::reason(status).as_deref() == Some("WORKER_REPLACED")
}

impl Worker {
    /// Works on without a stream. Whether to go on.
    async fn wait(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return true,
                Some(ended) = self.at_work.join_next() => drop(self.ended(ended)),
                _ = self.interrupt.recv() => if !self.leave() { return false },
                _ = self.terminate.recv() => if !self.leave() { return false },
            }
        }
    }

    /// Somebody wants it to end: the first time it ends what it has, the second time it stops that. Whether there is anything to
    /// wait for.
    fn leave(&mut self) -> bool {
        if std::mem::replace(&mut self.is_leaving, true) {
            self.tasks.stop_all();
        }
        !self.tasks.is_empty()
    }

    /// One stream, from its beginning to its end.
    async fn stream(&mut self) -> Result<End> {
        let (say, said) = mpsc::channel(OUTGOING);
        let open = WorkerOpen { tokens: self.tasks.tokens(), ..self.open.clone() };
        say.try_send(AttachWorkerRequest { action: Some(Action::Open(open)) }).context("it is empty")?;
        let attach = self.client.attach_worker(ReceiverStream::new(said));
        let mut events = match timeout(OPENING, attach).await {
            Ok(Ok(answered)) => answered.into_inner(),
            Ok(Err(status)) => return Ok(End::Lost(status)),
            Err(_) => return Ok(End::Lost(Status::unavailable("the mesh does not answer"))),
        };
        let opened = match timeout(OPENING, events.message()).await {
            Ok(Ok(Some(AttachWorkerResponse { event: Some(Event::Opened(opened)) }))) => opened,
            Ok(Err(status)) => return Ok(End::Lost(status)),
            Ok(Ok(Some(_))) => bail!("the mesh says something else first"),
            Ok(Ok(None)) | Err(_) => return Ok(End::Lost(Status::unavailable("the stream did not open"))),
        };
        tracing::info!(worker = opened.worker, resumed = opened.resumed, "attached");
        self.open.session = opened.session;
        self.was_opened = true;
        let interval = opened.heartbeat_interval.as_ref().and_then(span::to_std);
        let interval = interval.unwrap_or(Duration::from_secs(5)).max(Duration::from_millis(10));
        let followed = self.follow(&mut events, &say, interval).await;
        Ok(followed.unwrap_or_else(|Closed| End::Lost(Status::unavailable("the stream was closed"))))
    }

    async fn follow(
        &mut self,
        events: &mut Streaming<AttachWorkerResponse>,
        say: &mpsc::Sender<AttachWorkerRequest>,
        interval: Duration,
    ) -> Result<End, Closed> {
        tell_results(say, self.tasks.results()).await?;
        if self.is_leaving {
            tell(say, Action::Leave(WorkerLeave {})).await?;
        }
        let mut beats = tokio::time::interval(interval);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                event = events.message() => match event {
                    Ok(Some(AttachWorkerResponse { event: Some(event) })) => {
                        heard = Instant::now();
                        self.hear(event, say).await?;
                    }
                    Ok(Some(_)) => {}
                    Ok(None) if self.is_leaving && self.tasks.is_empty() => return Ok(End::Done),
                    Ok(None) => return Ok(End::Lost(Status::unavailable("the mesh has ended the stream"))),
                    Err(status) => return Ok(End::Lost(status)),
                },
                Some(ended) = self.at_work.join_next() => {
                    let mut results: Vec<_> = self.ended(ended).into_iter().collect();
                    while let (true, Some(ended)) = (results.len() < RESULTS.0, self.at_work.try_join_next()) {
                        results.extend(self.ended(ended));
                    }
                    tell_results(say, results).await?;
                }
                _ = beats.tick() => {
                    if heard.elapsed() > interval * MISSED {
                        return Ok(End::Lost(Status::unavailable("the mesh is silent")));
                    }
                    tell(say, Action::Heartbeat(WorkerHeartbeat::default())).await?;
                }
                _ = self.interrupt.recv() => self.say_leave(say).await?,
                _ = self.terminate.recv() => self.say_leave(say).await?,
            }
        }
    }

    async fn say_leave(&mut self, say: &mpsc::Sender<AttachWorkerRequest>) -> Result<(), Closed> {
        self.leave();
        tell(say, Action::Leave(WorkerLeave {})).await
    }

    async fn hear(&mut self, event: Event, say: &mpsc::Sender<AttachWorkerRequest>) -> Result<(), Closed> {
        match event {
            Event::Opened(_) | Event::HeartbeatAnswer(_) => {}
            Event::Starts(starts) => {
                let mut again = Vec::new();
                for task in starts.tasks {
                    again.extend(self.start(task));
                }
                tell_results(say, again).await?;
            }
            Event::Stops(stops) => stops.stops.iter().for_each(|stop| self.tasks.stop(&stop.token)),
            Event::Settlements(settled) => {
                settled.settlements.iter().for_each(|settlement| self.tasks.settle(settlement));
            }
        }
        Ok(())
    }

    /// Begins a task. What is said of one that has ended already.
    fn start(&mut self, task: Task) -> Option<TaskResult> {
        let Some(stop) = self.tasks.begin(&task.token) else {
            return self.tasks.result(&task.token).cloned();
        };
        let program = Arc::clone(&self.program);
        self.at_work.spawn(async move {
            let outcome = match program::perform(&program, &task, &stop).await {
                Ok(output) => Outcome::Output(value(&output)),
                Err(error) => Outcome::Error(error),
            };
            bounded(TaskResult { token: task.token, outcome: Some(outcome) })
        });
        None
    }

    /// A task has ended; what is to be said of it.
    fn ended(&mut self, ended: Result<TaskResult, tokio::task::JoinError>) -> Option<TaskResult> {
        let result = match ended {
            Ok(result) => result,
            // It has no name to be told by: the mesh tells when it takes too long.
            Err(error) => {
                tracing::error!(%error, "a task has panicked");
                return None;
            }
        };
        self.tasks.end(result.clone()).then_some(result)
    }
}

/// Nobody reads what is said any more.
struct Closed;

async fn tell(say: &mpsc::Sender<AttachWorkerRequest>, action: Action) -> Result<(), Closed> {
    tokio::select! {
        sent = say.send(AttachWorkerRequest { action: Some(action) }) => sent.map_err(|_| Closed),
        () = sleep(OPENING) => Err(Closed),
    }
}

/// Says what has come of tasks, in messages that are not too large.
async fn tell_results(
    say: &mpsc::Sender<AttachWorkerRequest>,
    results: Vec<TaskResult>,
) -> Result<(), Closed> {
    for results in messages_of(results) {
        tell(say, Action::Results(TaskResults { results })).await?;
    }
    Ok(())
}

fn messages_of(results: Vec<TaskResult>) -> Vec<Vec<TaskResult>> {
    let mut messages: Vec<Vec<TaskResult>> = Vec::new();
    let mut bytes = 0;
    for result in results {
        let length = result.encoded_len();
        match messages.last_mut() {
            Some(last) if last.len() < RESULTS.0 && bytes + length <= RESULTS.1 => last.push(result),
            _ => {
                messages.push(vec![result]);
                bytes = 0;
            }
        }
        bytes += length;
    }
    messages
}

/// A result that can be sent.
fn bounded(result: TaskResult) -> TaskResult {
    if result.encoded_len() <= MOST_BYTES {
        return result;
    }
    let message = format!("what it wrote has more than {MOST_BYTES} bytes as a message");
    let error = TaskError { reason: "OUTPUT_TOO_LARGE".to_owned(), message, ..TaskError::default() };
    TaskResult { outcome: Some(Outcome::Error(error)), ..result }
}

fn value(json: &serde_json::Value) -> prost_types::Value {
    let wrapped = weft_kit::json::to_struct(serde_json::json!({ "v": json }));
    wrapped.fields.into_values().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(bytes: usize) -> TaskResult {
        let outcome = Some(Outcome::Output(value(&"x".repeat(bytes).into())));
        TaskResult { token: "t".to_owned(), outcome }
    }

    #[test]
    fn no_message_is_larger_than_the_mesh_takes() {
        let large = || (0..5).map(|_| result(3 << 20));
        let all: Vec<_> =
            (0..200).map(|_| result(1)).chain(large()).chain([result(400_000), result(400_000)]).collect();
        let count = all.len();
        let messages = messages_of(all);
        assert_eq!(messages.iter().map(Vec::len).sum::<usize>(), count);
        for results in &messages {
            let message = TaskResults { results: results.clone() };
            assert!(message.encoded_len() < 4 << 20 && results.len() <= RESULTS.0);
            assert!(message.encoded_len() <= RESULTS.1 + 1_000 || results.len() == 1);
        }
        assert!(messages.len() < 12, "small ones go together");
        assert!(matches!(bounded(result(3 << 20)).outcome, Some(Outcome::Output(_))));
        // Numbers take more than three times as much there as in JSON.
        let numbers = serde_json::json!(vec![1; 600_000]);
        let refused =
            bounded(TaskResult { token: "t".into(), outcome: Some(Outcome::Output(value(&numbers))) });
        let Some(Outcome::Error(error)) = refused.outcome else { panic!("it is too large") };
        assert_eq!((error.reason.as_str(), error.retryable), ("OUTPUT_TOO_LARGE", false));
    }
}
