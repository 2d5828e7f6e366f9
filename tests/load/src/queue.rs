//! The queue between who starts a run and who does its task: from CreateExecution until a worker has the task, accepted and
//! ready on disk before that. Client, mesh and worker are in this process, with sockets between them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use prost_types::value::Kind;
use smallvec::smallvec;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, sleep},
};
use tonic::transport::Channel;
use weft_jobs::{LaneKey, Priority, Ready};
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, Task, TaskResult,
        execution_service_client::ExecutionServiceClient, task_result::Outcome,
    },
    graph::v1::{ApplyChangesRequest, CreateGraphRequest, Graph, GraphKind},
};
use weft_tests::{
    client::Client,
    database::Backends,
    runtime::signed,
    worker::{Worker, open},
};

use crate::{
    executions::{edge, node},
    mesh::Mesh,
    report::{Better, Report, median},
    workers::QUEUE,
};

/// Runs that are started one after the other, each when the one before has begun.
const ALONE: usize = 500;
/// Starts a second, and for how long.
const RATE: u32 = 10_000;
const SPAN: Duration = Duration::from_secs(3);
/// Runs that wait when a worker comes.
const WAITING: usize = 40_000;
/// Who starts at once.
const STARTERS: usize = 128;
/// A project that floods: runs, and tasks of each.
const FLOOD: (usize, usize) = (45_000, 22);

/// A project with a workflow of tasks, and when its tasks have come to a worker.
struct Line {
    client: ExecutionServiceClient<Channel>,
    workers: Client,
    key: String,
    parent: String,
    graph: String,
    begin: Instant,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicUsize,
    /// Milliseconds from the start of a run to its task at the worker.
    times: Mutex<Vec<f64>>,
}

impl Seen {
    fn take(&self) -> Vec<f64> {
        let mut times = std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner));
        times.sort_by(f64::total_cmp);
        times
    }
}

impl Line {
    /// Of a project, with so many tasks side by side.
    async fn make(mesh: &Mesh, project: &str, tasks: usize) -> Result<Self> {
        let parent = format!("projects/{project}");
        let request = CreateGraphRequest {
            parent: parent.clone(),
            graph_id: "tasks".into(),
            graph: Some(Graph { kind: GraphKind::Workflow.into(), ..Graph::default() }),
            request_id: String::new(),
        };
        let graph = mesh.graphs().create_graph(signed(request, &mesh.key)).await?.into_inner().name;
        let mut changes = vec![node("begin", "input")];
        for at in 0..tasks {
            let key = format!("t{at}");
            changes.extend([node(&key, "task"), edge("begin", &key)]);
        }
        let request = ApplyChangesRequest { graph: graph.clone(), changes, ..ApplyChangesRequest::default() };
        mesh.graphs().apply_changes(signed(request, &mesh.key)).await?;
        Ok(Self {
            client: ExecutionServiceClient::new(mesh.channel.clone()),
            workers: Client::new(&mesh.url(), Some(&mesh.key)),
            key: mesh.key.clone(),
            parent,
            graph,
            begin: Instant::now(),
            seen: Arc::default(),
        })
    }

    async fn start(&self) -> Result<()> {
        let at = self.begin.elapsed().as_secs_f64();
        let input =
            BTreeMap::from([("at".to_owned(), prost_types::Value { kind: Some(Kind::NumberValue(at)) })]);
        let execution = Execution {
            graph: self.graph.clone(),
            input: Some(prost_types::Struct { fields: input }),
            ..Execution::default()
        };
        let request = CreateExecutionRequest {
            parent: self.parent.clone(),
            execution: Some(execution),
            ..CreateExecutionRequest::default()
        };
        self.client.clone().create_execution(signed(request, &self.key)).await?;
        Ok(())
    }

    /// Starts so many, as fast as that goes.
    async fn start_many(&self, count: usize) -> Result<()> {
        let left = AtomicUsize::new(count);
        let take =
            || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let one = || async {
            while take() {
                self.start().await?;
            }
            anyhow::Ok(())
        };
        try_join_all((0..STARTERS).map(|_| one())).await.map(drop)
    }

    /// A worker that notes what comes, and has done it at once; or that keeps what it has.
    async fn attach(&self, slots: i32, ends: bool) -> Result<JoinSet<()>> {
        let worker = Worker::attach(&self.workers, open(&self.parent, QUEUE, slots)).await?;
        let (seen, begin) = (Arc::clone(&self.seen), self.begin);
        let work = worker.work(move |task| {
            if let Some(at) = started(task) {
                let time = (begin.elapsed().as_secs_f64() - at) * 1e3;
                seen.times.lock().unwrap_or_else(PoisonError::into_inner).push(time);
            }
            seen.count.fetch_add(1, Ordering::Relaxed);
            let outcome = task.input.clone().map(Outcome::Output);
            ends.then(|| TaskResult { token: task.token.clone(), outcome })
        });
        let mut set = JoinSet::new();
        // Its stream ends with the mesh, or with the set.
        set.spawn(async { drop(work.await) });
        Ok(set)
    }

    async fn wait_for(&self, count: usize) -> Result<()> {
        let until = Instant::now() + Duration::from_mins(2);
        while self.seen.count.load(Ordering::Relaxed) < count {
            ensure!(Instant::now() < until, "a task did not come");
            sleep(Duration::from_micros(100)).await;
        }
        Ok(())
    }

    /// Times of runs that are started one after the other.
    async fn alone(&self, count: usize) -> Result<Vec<f64>> {
        self.seen.take();
        for _ in 0..count {
            let before = self.seen.count.load(Ordering::Relaxed);
            self.start().await?;
            self.wait_for(before + 1).await?;
        }
        Ok(self.seen.take())
    }

    /// Times of runs that are started at a rate, whatever becomes of them; and the rate at which they were accepted.
    async fn paced(self: &Arc<Self>) -> Result<(Vec<f64>, f64)> {
        self.seen.take();
        let before = self.seen.count.load(Ordering::Relaxed);
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begin, mut starts, mut count) = (Instant::now(), JoinSet::new(), 0);
        while begin.elapsed() < SPAN {
            ticks.tick().await;
            for _ in 0..RATE / 1_000 {
                let line = Arc::clone(self);
                starts.spawn(async move { line.start().await });
                count += 1;
            }
        }
        while let Some(started) = starts.join_next().await {
            started??;
        }
        let rate = f64::from(count) / begin.elapsed().as_secs_f64();
        self.wait_for(before + count as usize).await?;
        Ok((self.seen.take(), rate))
    }
}

fn started(task: &Task) -> Option<f64> {
    let Some(Kind::StructValue(input)) = &task.input.as_ref()?.kind else { return None };
    match input.fields.get("at")?.kind {
        Some(Kind::NumberValue(at)) => Some(at),
        _ => None,
    }
}

fn at(sorted: &[f64], part: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN)
}

/// Starts a second of the index that decides whose turn it is, with so many jobs of a thousand projects waiting.
fn claims(waiting: u64) -> f64 {
    const PROJECTS: u64 = 1_000;
    const CLAIMS: u64 = 300_000;
    let mut ready = Ready::default();
    let lanes: Vec<LaneKey> = (0..PROJECTS)
        .map(|_| {
            let (project, queue) = (ready.add_project(1), ready.add_queue());
            LaneKey { project, queue, limits: smallvec![] }
        })
        .collect();
    for (worker, lane) in (1..).zip(&lanes) {
        ready.set_slots(worker, 4);
        ready.serve(worker, lane.queue);
    }
    for job in 0..waiting {
        ready.push(&lanes[(job % PROJECTS) as usize], Priority::Normal, job);
    }
    let begin = Instant::now();
    for job in waiting..waiting + CLAIMS {
        if let Some(pick) = ready.start_next() {
            ready.release(pick.worker, &smallvec![]);
            ready.push(&lanes[(job % PROJECTS) as usize], Priority::Normal, job);
        }
    }
    CLAIMS as f64 / begin.elapsed().as_secs_f64()
}

/// What one mesh came to.
struct Figures {
    alone: (f64, f64),
    paced: (f64, f64),
    drained: f64,
    end_to_end: f64,
}

async fn figures(mesh: &Mesh, rounds: u32) -> Result<Figures> {
    let line = Arc::new(Line::make(mesh, "default", 1).await?);
    let (mut halves, mut lates, mut rates, mut paced) = (vec![], vec![], vec![], vec![]);
    {
        let _worker = line.attach(4_096, true).await?;
        line.alone(50).await?;
        for _ in 0..rounds {
            let times = line.alone(ALONE).await?;
            halves.push(at(&times, 0.5));
            lates.push(at(&times, 0.99));
            let (times, rate) = line.paced().await?;
            paced.push(at(&times, 0.99));
            rates.push(rate);
        }
    }
    let (mut drained, mut both) = (vec![], vec![]);
    for _ in 0..rounds {
        // What its last worker had has to be known to be lost, or done, before the next one comes.
        sleep(Duration::from_secs(3)).await;
        let before = line.seen.count.load(Ordering::Relaxed);
        let begin = Instant::now();
        line.start_many(WAITING).await?;
        let queued = begin.elapsed();
        let begin = Instant::now();
        let _worker = line.attach(4_096, true).await?;
        line.wait_for(before + WAITING).await?;
        drained.push(WAITING as f64 / begin.elapsed().as_secs_f64());
        both.push(WAITING as f64 / (begin.elapsed() + queued).as_secs_f64());
    }
    Ok(Figures {
        alone: (median(halves), median(lates)),
        paced: (median(rates), median(paced)),
        drained: median(drained),
        end_to_end: median(both),
    })
}

/// How much longer a project waits while another one queues a million tasks, and when they are queued: at p99.
async fn fairness(mesh: &Mesh) -> Result<(f64, f64)> {
    let calm = Line::make(mesh, "calm", 1).await?;
    let flood = Line::make(mesh, "flood", FLOOD.1).await?;
    let _calm = calm.attach(64, true).await?;
    let _flood = flood.attach(64, false).await?;
    calm.alone(50).await?;
    let idle = at(&calm.alone(ALONE).await?, 0.99);
    let enough = Semaphore::new(0);
    let during = async {
        let mut times = Vec::new();
        while enough.available_permits() == 0 {
            times.extend(calm.alone(20).await?);
        }
        times.sort_by(f64::total_cmp);
        anyhow::Ok(times)
    };
    let queue = async {
        let queued = flood.start_many(FLOOD.0).await;
        enough.add_permits(1);
        queued
    };
    let (during, queued) = tokio::join!(during, queue);
    queued?;
    let after = at(&calm.alone(ALONE).await?, 0.99);
    Ok((at(&during?, 0.99) / idle, after / idle))
}

fn add(report: &mut Report, on: &str, figures: &Figures, (drained, end_to_end): (f64, f64)) {
    let Figures { alone, paced, drained: rate, end_to_end: both } = figures;
    report.add(format!("{on}: one alone, started to at its worker, p50"), alone.0, "ms", 1.0, Better::Lower);
    report.add(format!("{on}: one alone, p99"), alone.1, "ms", 3.0, Better::Lower);
    report.add(
        format!("{on}: {RATE} a second are accepted"),
        paced.0,
        "runs/s",
        f64::from(RATE) * 0.98,
        Better::Higher,
    );
    report.add(format!("{on}: of those, started to at its worker, p99"), paced.1, "ms", 10.0, Better::Lower);
    report.add(
        format!("{on}: {WAITING} that wait, when a worker comes"),
        *rate,
        "tasks/s",
        drained,
        Better::Higher,
    );
    report.add(format!("{on}: started, waited and done"), *both, "tasks/s", end_to_end, Better::Higher);
}

pub(crate) async fn measure(rounds: u32, with_servers: bool) -> Result<Report> {
    let mut report = Report::new("queue");
    let mesh = Mesh::start().await?;
    let found = Box::pin(figures(&mesh, rounds)).await?;
    mesh.stop().await;
    add(&mut report, "SQLite", &found, (25_000.0, 8_000.0));
    let mesh = Mesh::start().await?;
    let (during, after) = Box::pin(fairness(&mesh)).await?;
    mesh.stop().await;
    report.add("another project's p99 while one queues a million", during, "times idle", 2.0, Better::Lower);
    report.add("another project's p99 when a million are queued", after, "times idle", 2.0, Better::Lower);
    let few = median((0..rounds).map(|_| claims(100_000)).collect());
    let many = median((0..rounds).map(|_| claims(10_000_000)).collect());
    report.add("the index, 100,000 ready: starts", few, "a second", 1_000_000.0, Better::Higher);
    report.add("the index, 10,000,000 ready: of that rate", many / few, "times", 0.8, Better::Higher);
    if with_servers {
        let backends = Backends::find().await.context("there are servers")?;
        let mesh = Mesh::over(&backends).await?;
        let found = Box::pin(figures(&mesh, rounds)).await;
        mesh.stop().await;
        backends.remove().await;
        add(&mut report, "PostgreSQL", &found?, (25_000.0, 8_000.0));
    }
    Ok(report)
}
