//! A worker as a program of a client would be: it attaches, is given tasks, and says what came of them.

use std::{collections::VecDeque, time::Duration};

use prost_types::Value;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use weft_proto::weft::execution::v1::{
    AttachWorkerRequest, AttachWorkerResponse, Task, TaskDisposition, TaskError, TaskResult, TaskResults,
    TaskStopReason, WorkerHeartbeat, WorkerOpen, WorkerOpened, attach_worker_request::Action,
    attach_worker_response::Event, task_result::Outcome,
};

use crate::client::Client;

/// How long something that must come may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What opens a worker's stream.
pub fn open(project: &str, queue: &str, slots: i32) -> WorkerOpen {
    WorkerOpen {
        parent: project.into(),
        queues: vec![queue.into()],
        slot_count: slots,
        ..WorkerOpen::default()
    }
}

/// A result that gives something.
pub fn gives(token: &str, output: &Json) -> TaskResult {
    TaskResult { token: token.into(), outcome: Some(Outcome::Output(value(output))) }
}

/// A result that is a failure.
pub fn fails(token: &str, reason: &str, retryable: bool) -> TaskResult {
    let error = TaskError { reason: reason.into(), retryable, ..TaskError::default() };
    TaskResult { token: token.into(), outcome: Some(Outcome::Error(error)) }
}

/// A JSON value in a message.
pub fn value(json: &Json) -> Value {
    weft_kit::json::to_struct(json!({ "v": json })).fields.remove("v").unwrap_or_default()
}

/// A worker's stream.
pub struct Worker {
    /// What the mesh said first.
    pub opened: WorkerOpened,
    /// What is said next.
    pub say: mpsc::Sender<AttachWorkerRequest>,
    events: Streaming<AttachWorkerResponse>,
    tasks: VecDeque<Task>,
    stops: VecDeque<(String, TaskStopReason)>,
    settled: VecDeque<(String, TaskDisposition)>,
}

impl Worker {
    /// Attaches.
    ///
    /// # Errors
    /// It is refused.
    pub async fn attach(client: &Client, open: WorkerOpen) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(1_024);
        say.try_send(AttachWorkerRequest { action: Some(Action::Open(open)) }).expect("it is empty");
        let attached = client.workers().attach_worker(ReceiverStream::new(said)).await?;
        let mut events = attached.into_inner();
        let first = events.message().await?.and_then(|message| message.event);
        let Some(Event::Opened(opened)) = first else { panic!("it says something else first: {first:?}") };
        let (tasks, stops, settled) = Default::default();
        Ok(Self { opened, say, events, tasks, stops, settled })
    }

    /// Attaches, and tries again while the mesh is not ready.
    pub async fn attach_soon(client: &Client, open: &WorkerOpen) -> Self {
        let attached = async {
            loop {
                match Self::attach(client, open.clone()).await {
                    Ok(worker) => return worker,
                    Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, attached).await.expect("the mesh is ready soon")
    }

    /// Says something.
    pub async fn say(&self, action: Action) {
        let said = self.say.send(AttachWorkerRequest { action: Some(action) }).await;
        said.expect("the stream is open");
    }

    /// Says how tasks have ended.
    pub async fn results(&self, results: Vec<TaskResult>) {
        self.say(Action::Results(TaskResults { results })).await;
    }

    /// Says how a task has ended, and waits for what becomes of it.
    pub async fn end(&mut self, result: TaskResult) -> TaskDisposition {
        let token = result.token.clone();
        self.results(vec![result]).await;
        let (settled, disposition) = self.settled().await;
        assert_eq!(settled, token);
        disposition
    }

    /// The next task.
    pub async fn task(&mut self) -> Task {
        loop {
            if let Some(task) = self.tasks.pop_front() {
                return task;
            }
            self.read().await;
        }
    }

    /// The next stop.
    pub async fn stop(&mut self) -> (String, TaskStopReason) {
        loop {
            if let Some(stop) = self.stops.pop_front() {
                return stop;
            }
            self.read().await;
        }
    }

    /// What has become of a task next.
    pub async fn settled(&mut self) -> (String, TaskDisposition) {
        loop {
            if let Some(settled) = self.settled.pop_front() {
                return settled;
            }
            self.read().await;
        }
    }

    /// Nothing is given for a while.
    pub async fn is_given_nothing(&mut self) {
        // An answer to what is said now comes after everything that was decided before.
        for _ in 0..3 {
            self.say(Action::Heartbeat(WorkerHeartbeat::default())).await;
            while !self.read().await {}
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(self.tasks.is_empty(), "it was given {:?}", self.tasks);
    }

    /// How the stream ends.
    pub async fn end_of_stream(&mut self) -> Result<(), Status> {
        let end = async {
            loop {
                match self.events.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(()),
                    Err(status) => return Err(status),
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("it ends")
    }

    /// Reads one message. Whether it was an answer to a heartbeat.
    async fn read(&mut self) -> bool {
        let message = tokio::time::timeout(PATIENCE, self.events.message()).await;
        let message = message.expect("something comes").expect("the stream goes on");
        self.take(message.expect("the stream goes on"))
    }

    fn take(&mut self, message: AttachWorkerResponse) -> bool {
        match message.event {
            Some(Event::HeartbeatAnswer(_)) => return true,
            Some(Event::Starts(starts)) => self.tasks.extend(starts.tasks),
            Some(Event::Stops(stops)) => {
                self.stops.extend(stops.stops.into_iter().map(|stop| (stop.token.clone(), stop.reason())));
            }
            Some(Event::Settlements(all)) => {
                let all = all.settlements.into_iter();
                self.settled.extend(all.map(|settled| (settled.token.clone(), settled.disposition())));
            }
            Some(Event::Opened(_)) | None => panic!("it is open already"),
        }
        false
    }

    /// Does every task at once with a function, until the stream ends. Says how it ended.
    pub async fn work(mut self, mut perform: impl FnMut(&Task) -> Option<TaskResult>) -> Result<(), Status> {
        let interval = self.opened.heartbeat_interval.as_ref().and_then(weft_kit::span::to_std);
        let mut beats = tokio::time::interval(interval.expect("it is said"));
        loop {
            let message = tokio::select! {
                message = self.events.message() => message?,
                _ = beats.tick() => {
                    let beat = Action::Heartbeat(WorkerHeartbeat::default());
                    // Fails when the stream has ended, which it says next.
                    drop(self.say.send(AttachWorkerRequest { action: Some(beat) }).await);
                    continue;
                }
            };
            let Some(message) = message else { return Ok(()) };
            self.take(message);
            let results: Vec<_> = self.tasks.drain(..).filter_map(|task| perform(&task)).collect();
            for some in results.chunks(256) {
                let results = Action::Results(TaskResults { results: some.to_vec() });
                drop(self.say.send(AttachWorkerRequest { action: Some(results) }).await);
            }
            self.settled.clear();
        }
    }
}
