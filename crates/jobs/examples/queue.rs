//! How fast is the engine on this machine? `cargo run --profile quick -p weft-jobs --example queue [-- postgres://…]`
//!
//! On SQLite with fsync in the current folder, or on an empty PostgreSQL database: accepted, handed to a worker, result recorded, each on disk before it is
//! told. One process, no network: what the engine and the disk cost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;
use weft_jobs::{
    Attach, Connection, Deps, Jobs, Options, Outcome, Report, Submission, Terms, WorkerEvent, WorkerMessage,
};
use weft_kit::{Clock, Ids, Lifecycle};

type Outcomes = Result<(), Box<dyn std::error::Error>>;

/// Rounds of each measurement; their median counts.
const ROUNDS: usize = 3;

struct World {
    folder: tempfile::TempDir,
    url: String,
    stores: weft_store::Stores,
    lifecycle: Lifecycle,
    jobs: Jobs,
}

impl World {
    async fn open(url: &str, folder: tempfile::TempDir) -> Result<Self, Box<dyn std::error::Error>> {
        let stores = if url.starts_with("postgres") {
            weft_store_postgres::open(url).await?
        } else {
            weft_store_sqlite::open(url).await?
        };
        let lifecycle = Lifecycle::new();
        let deps = Deps {
            store: stores.jobs.clone(),
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        let jobs = Jobs::start(0, Options::default(), deps);
        Ok(Self { folder, url: url.to_owned(), stores, lifecycle, jobs })
    }

    async fn fresh() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir_in(".")?;
        let file = format!("sqlite:{}", folder.path().join("weft.db").display());
        let url = std::env::args().nth(1).unwrap_or(file);
        Self::open(&url, folder).await
    }

    /// Ends the engine and opens it again over the same database. Says how long opening took.
    async fn restart(self) -> Result<(Self, Duration), Box<dyn std::error::Error>> {
        self.lifecycle.shut_down(Duration::from_mins(1)).await;
        self.stores.database.close().await;
        let began = Instant::now();
        let world = Self::open(&self.url, self.folder).await?;
        // Answered when the engine has everything in memory.
        let (connection, _) = world.jobs.attach(attach(0)).await?;
        drop(connection);
        Ok((world, began.elapsed()))
    }
}

fn attach(slots: u32) -> Attach {
    Attach { worker: "w".into(), slots, queues: vec!["q".into()], running: Vec::new() }
}

fn submission(jobs: usize) -> Submission {
    Submission {
        project: "p".into(),
        name: None,
        uid: Uuid::nil(),
        kind: "k".into(),
        terms: Terms::default(),
        queues: vec!["q".into(); jobs],
        payload: Bytes::from_static(b"{\"argument\": 1}"),
        note: Bytes::new(),
        request: None,
    }
}

/// Completes every job at once, and says when each began and when each was recorded.
async fn work(mut connection: Connection, seen: mpsc::UnboundedSender<(i64, bool, Instant)>) {
    let sender = connection.sender();
    while let Some(event) = connection.next().await {
        let now = Instant::now();
        match event {
            WorkerEvent::Jobs(jobs) => {
                let outcome = Outcome::Completed { result: Bytes::from_static(b"{}") };
                let report = |key, fence| Report { key, fence, outcome: outcome.clone() };
                let reports = jobs.iter().map(|job| report(job.key, job.fence)).collect();
                for job in &jobs {
                    if seen.send((job.key.batch, false, now)).is_err() {
                        return;
                    }
                }
                if sender.send(WorkerMessage::Reports(reports)).await.is_err() {
                    return;
                }
            }
            WorkerEvent::Recorded(all) => {
                for (key, _, _) in all {
                    if seen.send((key.batch, true, now)).is_err() {
                        return;
                    }
                }
            }
            WorkerEvent::Stop(_) => {}
        }
    }
}

/// Jobs a second, and for each job the time from its submission to its start and to its record.
async fn closed_loop(
    world: &World,
    in_flight: usize,
    count: usize,
) -> Result<(f64, Vec<f64>, Vec<f64>), Box<dyn std::error::Error>> {
    let (connection, _) = world.jobs.attach(attach(4_096)).await?;
    let (seen, mut news) = mpsc::unbounded_channel();
    world.lifecycle.spawn_future(work(connection, seen));
    let places = Arc::new(Semaphore::new(in_flight));
    let (told, mut submitted) = mpsc::unbounded_channel();
    let began = Instant::now();
    let (jobs, giving) = (world.jobs.clone(), Arc::clone(&places));
    let lifecycle = world.lifecycle.clone();
    world.lifecycle.spawn_future(async move {
        for _ in 0..count {
            let Ok(place) = Arc::clone(&giving).acquire_owned().await else { return };
            place.forget();
            let (jobs, told, at) = (jobs.clone(), told.clone(), Instant::now());
            lifecycle.spawn_future(async move {
                if let Ok(batch) = jobs.submit(submission(1)).await {
                    // Fails when the measurement is over.
                    let _ = told.send((batch.id, at));
                }
            });
        }
    });
    let mut started = std::collections::HashMap::new();
    let mut ended = 0;
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    while ended < count {
        let (batch, recorded, at) = news.recv().await.ok_or("the worker has ended")?;
        started.insert((batch, recorded), at);
        if recorded {
            ended += 1;
            places.add_permits(1);
        }
    }
    let took = began.elapsed().as_secs_f64();
    for _ in 0..count {
        let (batch, at) = submitted.recv().await.ok_or("a job was refused")?;
        let millis = |recorded| started[&(batch, recorded)].duration_since(at).as_secs_f64() * 1_000.0;
        starts.push(millis(false));
        ends.push(millis(true));
    }
    starts.sort_by(f64::total_cmp);
    ends.sort_by(f64::total_cmp);
    Ok((count as f64 / took, starts, ends))
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

#[expect(clippy::print_stdout, reason = "the report is what it is for")]
#[tokio::main]
async fn main() -> Outcomes {
    for (in_flight, count) in [(1, 2_000), (64, 100_000), (512, 100_000)] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let world = World::fresh().await?;
            rounds.push(closed_loop(&world, in_flight, count).await?);
            world.lifecycle.shut_down(Duration::from_secs(10)).await;
            world.stores.database.close().await;
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, starts, ends) = &rounds[ROUNDS / 2];
        println!(
            "{in_flight} in flight: {rate:.0} jobs/s; start p50 {:.2} p99 {:.2} ms; recorded p50 {:.2} p99 {:.2} ms",
            at(starts, 0.5),
            at(starts, 0.99),
            at(ends, 0.5),
            at(ends, 0.99),
        );
    }

    let world = World::fresh().await?;
    let began = Instant::now();
    for _ in 0..100 {
        world.jobs.submit(submission(10_000)).await?;
    }
    println!("1,000,000 jobs in batches of 10,000: accepted in {:.2} s", began.elapsed().as_secs_f64());
    let (world, ready) = world.restart().await?;
    println!("ready after a restart with 1,000,000 queued: {:.2} s", ready.as_secs_f64());
    let (connection, _) = world.jobs.attach(attach(1_024)).await?;
    let (seen, mut news) = mpsc::unbounded_channel();
    world.lifecycle.spawn_future(work(connection, seen));
    let began = Instant::now();
    let mut ended = 0;
    while ended < 100_000 {
        let (_, recorded, _) = news.recv().await.ok_or("the worker has ended")?;
        ended += i32::from(recorded);
    }
    println!("behind that backlog: {:.0} jobs/s", 100_000.0 / began.elapsed().as_secs_f64());
    world.lifecycle.shut_down(Duration::from_secs(10)).await;
    world.stores.database.close().await;
    Ok(())
}
