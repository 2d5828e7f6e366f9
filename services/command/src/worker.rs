//! One agent at work: between what it says and the job engine.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use prost_types::Struct;
use tokio::sync::mpsc;
use tonic::Status;
use weft_jobs::{
    Assignment, Attach, Connection, JobKey, JobsError, Outcome, Report, Stop, WorkerEvent, WorkerMessage,
    Written,
};
use weft_kit::{json, span};
use weft_proto::weft::command::v1::{
    AttachWorkersResponse, CommandState, WorkAnnounce, WorkDisposition, WorkLease, WorkOrder, WorkOutput,
    WorkOutputs, WorkResult, WorkSettlement, WorkSettlements, WorkStart, WorkStarts, WorkStop, WorkStops,
    WorkerReady, WorkerSaid, WorkerTold, attach_workers_response::Event, work_order::Order, work_report,
    worker_said,
};

use crate::{
    Error,
    domain::{name, payload::Payload, schema::Schema},
    state::State,
};

/// Largest result, in bytes.
const LARGEST_RESULT: usize = 256 << 10;
/// How long an agent waits before it is asked to announce itself again where the engine is not ready.
const NOT_READY: Duration = Duration::from_millis(500);
/// Bytes of starts in one message, about.
const STARTS_BYTES: usize = 1 << 20;

/// What goes to the process that holds an agent's stream.
pub(crate) type Told = mpsc::Sender<Result<AttachWorkersResponse, Status>>;

/// An agent that can be handed work.
pub(crate) struct Worker {
    state: Arc<State>,
    uid: String,
    told: Told,
    connection: Option<Connection>,
    /// How many targets it takes at a time, as it said last.
    slots: u32,
    is_away: bool,
}

/// Whether to go on.
enum Next {
    On,
    /// It stops on purpose: the connection is closed at once.
    Gone,
}

impl Worker {
    pub(crate) fn new(state: &Arc<State>, uid: String, told: Told) -> Self {
        Self { state: Arc::clone(state), uid, told, connection: None, slots: 0, is_away: false }
    }

    /// Until the agent says goodbye, or the line to its process ends; then its work stays with it for a lease, in
    /// which it may come back through another process.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<WorkerSaid>) {
        loop {
            let next = tokio::select! {
                said = inbox.recv() => match said {
                    Some(said) => self.hear(said).await,
                    None => break,
                },
                event = next_event(self.connection.as_mut()) => self.tell(event).await,
            };
            match next {
                Ok(Next::On) => {}
                Ok(Next::Gone) => return,
                Err(error) => {
                    tracing::debug!(%error, worker = %self.uid, "an agent is to announce itself anew");
                    self.connection = None;
                    tokio::time::sleep(NOT_READY).await;
                    self.say(Order::Announce(WorkAnnounce {})).await;
                }
            }
        }
        if let Some(mut connection) = self.connection {
            // Nothing more is for it, and what is on its way is found again when it comes back.
            drop(connection.sender().send(WorkerMessage::Slots(0)).await);
            while connection.next().await.is_some() {}
        }
    }

    async fn hear(&mut self, said: WorkerSaid) -> Result<Next, Error> {
        match said.event {
            Some(worker_said::Event::Report(report)) => match report.report {
                Some(work_report::Report::Ready(ready)) => self.ready(&said.agent, ready).await?,
                Some(work_report::Report::Outputs(outputs)) => self.outputs(outputs).await?,
                Some(work_report::Report::Results(results)) => self.results(results.results).await?,
                None => {}
            },
            Some(worker_said::Event::Alive(_)) if self.is_away => {
                // What was said of an older connection came late.
                self.is_away = false;
                self.send(WorkerMessage::Slots(self.slots)).await?;
            }
            Some(worker_said::Event::Alive(_)) => self.send(WorkerMessage::Alive).await?,
            Some(worker_said::Event::Away(_)) => {
                self.is_away = true;
                self.send(WorkerMessage::Slots(0)).await?;
            }
            Some(worker_said::Event::Gone(_)) => return Ok(Next::Gone),
            None => {}
        }
        Ok(Next::On)
    }

    /// What an agent says that has not announced itself is not heard: it will.
    async fn send(&self, message: WorkerMessage) -> Result<(), JobsError> {
        match &self.connection {
            Some(connection) => connection.sender().send(message).await,
            None => Ok(()),
        }
    }

    async fn ready(&mut self, agent: &str, ready: WorkerReady) -> Result<(), Error> {
        (self.slots, self.is_away) = (ready.slot_count.cast_unsigned(), false);
        let held: Vec<_> = ready.leases.iter().filter_map(lease).collect();
        let attach = Attach {
            worker: self.uid.clone(),
            slots: self.slots,
            queues: vec![name::queue(agent, &self.uid)],
            running: held,
        };
        let (connection, lost) = self.state.jobs.attach(attach).await?;
        // The one before is ended by its name.
        self.connection = Some(connection);
        let mut settlements = Vec::with_capacity(lost.len());
        for (key, fence) in lost {
            settlements.push(settlement(key, fence, self.disposition(key).await?));
        }
        self.settle(settlements).await;
        Ok(())
    }

    /// What an agent may do with a target that is not its any more.
    async fn disposition(&self, key: JobKey) -> Result<WorkDisposition, Error> {
        let found = self.state.jobs.jobs(key.batch, key.number, 1).await?;
        let goes_on = found.first().is_some_and(|job| job.key == key && !job.state.is_terminal());
        Ok(if goes_on { WorkDisposition::Keep } else { WorkDisposition::Over })
    }

    async fn outputs(&self, outputs: WorkOutputs) -> Result<(), Error> {
        let pieces = outputs.outputs.into_iter().filter_map(|output| {
            let (key, fence) = lease(output.lease.as_ref()?)?;
            let WorkOutput { sequence, stream, data, .. } = output;
            Some(Written { key, fence, sequence, stream, bytes: data })
        });
        self.send(WorkerMessage::Output(pieces.collect())).await?;
        Ok(())
    }

    async fn results(&self, results: Vec<WorkResult>) -> Result<(), Error> {
        let mut reports = Vec::with_capacity(results.len());
        for result in results {
            let Some((key, fence)) = result.lease.as_ref().and_then(lease) else { continue };
            let outcome = self.outcome(key, result).await?;
            reports.push(Report { key, fence, outcome });
        }
        self.send(WorkerMessage::Reports(reports)).await?;
        Ok(())
    }

    async fn outcome(&self, key: JobKey, said: WorkResult) -> Result<Outcome, Error> {
        let bytes: Bytes = said.result.as_ref().map(Message::encode_to_vec).unwrap_or_default().into();
        if bytes.len() > LARGEST_RESULT {
            return Ok(invalid("the result is larger than 256 KiB".into()));
        }
        let state = said.state();
        Ok(match state {
            CommandState::Completed => {
                let schema = self.result_schema(key.batch).await?;
                match schema.as_deref().and_then(|schema| wrong(schema, said.result.as_ref())) {
                    Some(problem) => invalid(problem),
                    None => Outcome::Completed { result: bytes },
                }
            }
            CommandState::Cancelled => Outcome::Cancelled,
            _ => Outcome::Failed {
                reason: if said.reason.is_empty() { "FAILED".into() } else { said.reason },
                message: said.message,
                retryable: said.retryable,
                result: bytes,
            },
        })
    }

    /// What results of a command must follow.
    async fn result_schema(&self, batch: i64) -> Result<Option<Arc<Schema>>, Error> {
        if let Some(known) = self.state.result_schemas.get(&batch) {
            return Ok(known);
        }
        // Handed out before this process began.
        let payload = self.state.jobs.payload(batch).await?;
        let payload = payload.map(|bytes| Payload::read(batch, bytes)).transpose()?;
        Ok(payload.and_then(|payload| self.remember_schema(batch, &payload)))
    }

    fn remember_schema(&self, batch: i64, payload: &Payload) -> Option<Arc<Schema>> {
        if let Some(known) = self.state.result_schemas.get(&batch) {
            return known;
        }
        let schema = (!payload.result_schema.is_empty())
            .then(|| self.compiled(&payload.result_schema))
            // It was compiled when the type was written.
            .flatten();
        self.state.result_schemas.insert(batch, schema.clone());
        schema
    }

    fn compiled(&self, encoded: &Bytes) -> Option<Arc<Schema>> {
        if let Some(known) = self.state.compiled.get(encoded) {
            return Some(known);
        }
        let schema = Arc::new(Schema::compile(&Struct::decode(encoded.clone()).ok()?).ok()?);
        self.state.compiled.insert(encoded.clone(), Arc::clone(&schema));
        Some(schema)
    }

    async fn tell(&mut self, event: Option<WorkerEvent>) -> Result<Next, Error> {
        match event {
            // The engine has ended the connection: it was opened again, or the agent is with another process.
            None => return Err(Error::NotReady),
            Some(WorkerEvent::Jobs(jobs)) => self.start(jobs).await?,
            Some(WorkerEvent::Stop(stops)) => {
                let stop = |(key, fence, why): (JobKey, u32, Stop)| WorkStop {
                    id: name::lease_id(key),
                    fence: fence.cast_signed(),
                    reason: why.reason().into(),
                };
                let stops = stops.into_iter().map(stop).collect();
                self.say(Order::Stops(WorkStops { stops })).await;
            }
            Some(WorkerEvent::Recorded(all)) => {
                let mut settlements = Vec::with_capacity(all.len());
                for (key, fence, taken) in all {
                    let disposition =
                        if taken { WorkDisposition::Recorded } else { self.disposition(key).await? };
                    settlements.push(settlement(key, fence, disposition));
                }
                self.settle(settlements).await;
            }
        }
        Ok(Next::On)
    }

    async fn start(&self, jobs: Vec<Assignment>) -> Result<(), Error> {
        let (mut starts, mut bytes) = (Vec::new(), 0);
        for job in jobs {
            bytes += job.payload.len();
            starts.push(self.to_start(job)?);
            if bytes >= STARTS_BYTES {
                self.say(Order::Starts(WorkStarts { starts: std::mem::take(&mut starts) })).await;
                bytes = 0;
            }
        }
        if !starts.is_empty() {
            self.say(Order::Starts(WorkStarts { starts })).await;
        }
        Ok(())
    }

    fn to_start(&self, job: Assignment) -> Result<WorkStart, Error> {
        let batch = job.key.batch;
        let payload = Payload::read(batch, job.payload)?;
        self.remember_schema(batch, &payload);
        let arguments = payload.arguments(batch, &self.state.seal)?;
        Ok(WorkStart {
            id: name::lease_id(job.key),
            fence: job.fence.cast_signed(),
            attempt: job.failures.cast_signed() + 1,
            command: name::of_command(&job.project, &job.batch_name),
            command_type: payload.command_type,
            script: payload.script,
            arguments: Some(arguments),
            timeout: Some(span::of(Duration::from_micros(payload.timeout_micros))),
            fail_if_interrupted: payload.fail_if_interrupted,
        })
    }

    async fn settle(&self, settlements: Vec<WorkSettlement>) {
        if !settlements.is_empty() {
            self.say(Order::Settlements(WorkSettlements { settlements })).await;
        }
    }

    /// Where the process does not listen any more its line ends, and this task with it.
    async fn say(&self, order: Order) {
        let told = WorkerTold { worker: self.uid.clone(), order: Some(WorkOrder { order: Some(order) }) };
        let response = AttachWorkersResponse { event: Some(Event::Told(told)) };
        drop(self.told.send(Ok(response)).await);
    }
}

/// What the engine says next; nothing ever where there is no connection.
async fn next_event(connection: Option<&mut Connection>) -> Option<WorkerEvent> {
    match connection {
        Some(connection) => connection.next().await,
        None => std::future::pending().await,
    }
}

fn lease(lease: &WorkLease) -> Option<(JobKey, u32)> {
    Some((name::lease_key(&lease.id)?, lease.fence.cast_unsigned()))
}

fn settlement(key: JobKey, fence: u32, disposition: WorkDisposition) -> WorkSettlement {
    WorkSettlement { id: name::lease_id(key), fence: fence.cast_signed(), disposition: disposition.into() }
}

fn invalid(message: String) -> Outcome {
    Outcome::Failed { reason: "RESULT_INVALID".into(), message, retryable: false, result: Bytes::new() }
}

/// What is wrong with a result, in words.
fn wrong(schema: &Schema, result: Option<&Struct>) -> Option<String> {
    let value = json::of_struct(result.unwrap_or(&Struct::default()));
    let violations = schema.violations(&value);
    let words = violations.iter().take(4).map(|(path, problem)| format!("result.{path}: {problem}"));
    (!violations.is_empty()).then(|| words.collect::<Vec<_>>().join("; "))
}
