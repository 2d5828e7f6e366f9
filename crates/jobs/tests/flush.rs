//! What is told, and when: nothing before its flush is on disk, and nothing of a flush that failed. A store that holds
//! flushes back, and lets them fail before or after they are written, stands between the engine and the database.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;
use weft_jobs::{
    Attach, Connection, Deps, Jobs, JobsError, Options, Outcome, Report, State, Submission, Terms,
    WorkerEvent, WorkerMessage,
};
use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{
    BatchCount, BatchFilter, BatchRow, JobFlush, JobOutput, JobRow, JobStore, OwnedShard, Result, StoreError,
    Stores, Timestamp,
};

/// What becomes of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// Not written, and the engine is told so.
    Refused,
    /// Written, though the engine is told that it failed.
    Unknown,
}

/// A store whose flushes wait for their fate.
struct Gate {
    inner: Arc<dyn JobStore>,
    /// Says that a flush has come.
    came: mpsc::UnboundedSender<()>,
    fates: tokio::sync::Mutex<mpsc::UnboundedReceiver<Fate>>,
    /// Whether flushes do not wait.
    open: Mutex<bool>,
}

const FAILED: StoreError = StoreError::Invalid { field: "flush", reason: "has failed, as the test wants it" };

#[async_trait]
impl JobStore for Gate {
    async fn flush_jobs(&self, flush: JobFlush) -> Result<()> {
        let open = *self.open.lock().unwrap();
        let fate = if open {
            Fate::Written
        } else {
            self.came.send(()).unwrap();
            self.fates.lock().await.recv().await.unwrap()
        };
        if fate != Fate::Refused {
            self.inner.flush_jobs(flush).await?;
        }
        if fate == Fate::Written { Ok(()) } else { Err(FAILED) }
    }

    async fn own_shard(
        &self,
        shard: i32,
        owner: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<OwnedShard> {
        self.inner.own_shard(shard, owner, at, until).await
    }
    async fn leave_shard(&self, shard: i32, epoch: i64) -> Result<()> {
        self.inner.leave_shard(shard, epoch).await
    }
    async fn open_batches(&self, shard: i32, after: i64, limit: u32) -> Result<Vec<BatchRow>> {
        self.inner.open_batches(shard, after, limit).await
    }
    async fn open_jobs(&self, shard: i32, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>> {
        self.inner.open_jobs(shard, after, limit).await
    }
    async fn find_batches(&self, names: &[(String, String)], requests: &[Bytes]) -> Result<Vec<BatchRow>> {
        self.inner.find_batches(names, requests).await
    }
    async fn get_batch(&self, project: &str, name: &str) -> Result<BatchRow> {
        self.inner.get_batch(project, name).await
    }
    async fn list_batches(
        &self,
        project: &str,
        filter: &BatchFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<BatchRow>> {
        self.inner.list_batches(project, filter, before, limit).await
    }
    async fn count_batches(&self, project: &str, since: Timestamp) -> Result<Vec<BatchCount>> {
        self.inner.count_batches(project, since).await
    }
    async fn payloads(&self, batches: &[i64]) -> Result<Vec<(i64, Bytes)>> {
        self.inner.payloads(batches).await
    }
    async fn list_jobs(&self, batch: i64, from: i32, limit: u32) -> Result<Vec<JobRow>> {
        self.inner.list_jobs(batch, from, limit).await
    }
    async fn changed_jobs(&self, batch: i64, after: (i64, i32), limit: u32) -> Result<Vec<JobRow>> {
        self.inner.changed_jobs(batch, after, limit).await
    }
    async fn outputs(
        &self,
        batch: i64,
        number: i32,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<JobOutput>> {
        self.inner.outputs(batch, number, after, limit).await
    }
    async fn forget_batches(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.inner.forget_batches(before, limit).await
    }
}

struct World {
    jobs: Jobs,
    gate: Arc<Gate>,
    came: mpsc::UnboundedReceiver<()>,
    decide: mpsc::UnboundedSender<Fate>,
    lifecycle: Lifecycle,
    stores: Stores,
}

impl World {
    async fn open(folder: &Path) -> Self {
        let url = format!("sqlite:{}", folder.join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let (told, came) = mpsc::unbounded_channel();
        let (decide, fates) = mpsc::unbounded_channel();
        let gate = Arc::new(Gate {
            inner: stores.jobs.clone(),
            came: told,
            fates: tokio::sync::Mutex::new(fates),
            open: Mutex::new(true),
        });
        let lifecycle = Lifecycle::new();
        let deps = Deps {
            store: gate.clone(),
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        // Leases that no slow machine outlives, so that nothing is flushed but what the test does.
        let lease = Duration::from_hours(1);
        let jobs =
            Jobs::start(0, Options { worker_lease: lease, shard_lease: lease, ..Options::default() }, deps);
        Self { jobs, gate, came, decide, lifecycle, stores }
    }

    fn hold(&self, held: bool) {
        *self.gate.open.lock().unwrap() = !held;
    }

    async fn close(self) {
        self.lifecycle.shut_down(Duration::from_secs(10)).await;
        self.stores.database.close().await;
    }

    /// A worker that comes, asking again while the engine opens.
    async fn attach(&self, worker: &str) -> Connection {
        loop {
            let attach =
                Attach { worker: worker.into(), slots: 1, queues: vec!["q".into()], running: Vec::new() };
            match self.jobs.attach(attach).await {
                Ok((connection, _)) => return connection,
                Err(JobsError::NotReady) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn submit(&self) -> weft_jobs::BatchView {
        loop {
            match self.jobs.submit(submission()).await {
                Ok(batch) => return batch,
                Err(JobsError::NotReady) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn submission() -> Submission {
    Submission {
        project: "p".into(),
        name: None,
        uid: Uuid::nil(),
        kind: "k".into(),
        terms: Terms::default(),
        queues: vec!["q".into()],
        payload: Bytes::from_static(b"payload"),
        note: Bytes::new(),
        request: Some((Bytes::from_static(b"request"), [0; 32])),
    }
}

async fn started(connection: &mut Connection) -> weft_jobs::Assignment {
    match connection.next().await {
        Some(WorkerEvent::Jobs(mut jobs)) => jobs.remove(0),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_is_told_anything_before_it_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::open(folder.path()).await;
    let mut connection = world.attach("w").await;
    world.hold(true);
    let mut answer = Box::pin(world.jobs.submit(submission()));
    // The engine has done it in memory, and waits for the disk: on this one thread nothing else is left to be done.
    tokio::select! {
        biased;
        _ = &mut answer => panic!("answered before the flush"),
        came = world.came.recv() => came.unwrap(),
    }
    tokio::select! {
        biased;
        event = connection.next() => panic!("told before the flush: {event:?}"),
        answer = &mut answer => panic!("answered before the flush: {answer:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert!(matches!(world.jobs.get("p", "x1").await, Err(JobsError::Store(StoreError::NotFound { .. }))));
    world.decide.send(Fate::Written).unwrap();
    assert_eq!(answer.await.unwrap().name, "x1");
    let job = started(&mut connection).await;

    let report =
        Report { key: job.key, fence: job.fence, outcome: Outcome::Completed { result: Bytes::new() } };
    connection.sender().send(WorkerMessage::Reports(vec![report])).await.unwrap();
    world.came.recv().await.unwrap();
    tokio::select! {
        biased;
        event = connection.next() => panic!("recorded before the flush: {event:?}"),
        () = tokio::task::yield_now() => {}
    }
    world.decide.send(Fate::Written).unwrap();
    assert_eq!(connection.next().await, Some(WorkerEvent::Recorded(vec![(job.key, job.fence, true)])));
    world.hold(false);
    world.close().await;
}

#[tokio::test]
async fn a_flush_that_failed_has_told_nobody_and_a_repeat_finds_what_became_of_it() {
    for fate in [Fate::Refused, Fate::Unknown] {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::open(folder.path()).await;
        let mut before = world.attach("before").await;
        world.hold(true);
        let jobs = world.jobs.clone();
        let (answer, ()) = tokio::join!(jobs.submit(submission()), async {
            world.came.recv().await.unwrap();
            world.hold(false);
            world.decide.send(fate).unwrap();
        });
        assert!(matches!(answer, Err(JobsError::NotReady)), "{fate:?}: {answer:?}");
        assert_eq!(before.next().await, None, "{fate:?}: its connection has ended, with nothing said");

        // One batch, whether the first was written or not. What was on its way to a worker who never heard of it is
        // that worker's until it comes back or its lease is over: here it comes back, and gets it again.
        let batch = world.submit().await;
        let mut after = world.attach("before").await;
        let job = started(&mut after).await;
        assert_eq!((job.key.batch, batch.total), (batch.id, 1));
        assert_eq!(job.fence, if fate == Fate::Unknown { 2 } else { 1 }, "{fate:?}");

        // The connection of before goes late: that is not the end of the new one, whose number may be the same.
        drop(before);
        let report =
            Report { key: job.key, fence: job.fence, outcome: Outcome::Completed { result: Bytes::new() } };
        after.sender().send(WorkerMessage::Reports(vec![report])).await.unwrap();
        assert_eq!(after.next().await, Some(WorkerEvent::Recorded(vec![(job.key, job.fence, true)])));
        let ended = world.jobs.get("p", &batch.name).await.unwrap();
        assert_eq!((ended.state, ended.completed), (State::Completed, 1));
        let all = world.jobs.list("p", &BatchFilter::default(), i64::MAX, 10).await.unwrap();
        assert_eq!(all.len(), 1, "{fate:?}: accepted once");
        world.close().await;
    }
}

#[tokio::test]
async fn what_the_store_cannot_keep_is_refused_before_it_meets_others() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let good = submission;
    let bad = [
        ("project", Submission { project: "\0".into(), ..good() }),
        ("kind", Submission { kind: "\0".into(), ..good() }),
        ("name", Submission { name: Some("x1f".into()), ..good() }),
        ("name", Submission { name: Some("n".repeat(513)), ..good() }),
        ("name", Submission { request: Some((vec![0; 513].into(), [0; 32])), ..good() }),
        ("payload", Submission { payload: vec![0; (4 << 20) + 1].into(), ..good() }),
        ("queues", Submission { queues: Vec::new(), ..good() }),
        ("queues", Submission { queues: vec!["q".into(); 10_001], ..good() }),
        ("queue", Submission { queues: vec!["\0".into()], ..good() }),
    ];
    for (expected, bad) in bad {
        match world.jobs.submit(bad).await {
            Err(JobsError::Store(StoreError::Invalid { field, .. })) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let mut connection = world.attach("w").await;
    let batch = world.submit().await;
    let job = started(&mut connection).await;
    let report = |bytes: usize| {
        let outcome = Outcome::Completed { result: vec![0; bytes].into() };
        WorkerMessage::Reports(vec![Report { key: job.key, fence: job.fence, outcome }])
    };
    let sender = connection.sender();
    let refused = sender.send(report(weft_jobs::MAX_OUTCOME_BYTES + 1)).await;
    assert!(matches!(refused, Err(JobsError::Store(StoreError::Invalid { field: "outcome", .. }))));
    // The largest fits, with what is written around it.
    sender.send(report(weft_jobs::MAX_OUTCOME_BYTES)).await.unwrap();
    assert_eq!(connection.next().await, Some(WorkerEvent::Recorded(vec![(job.key, job.fence, true)])));
    assert_eq!(world.jobs.get("p", &batch.name).await.unwrap().state, State::Completed);
    world.close().await;
}
