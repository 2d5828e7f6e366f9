//! The engine over a real database: what is accepted is there after the engine has gone, and is done once.

use std::{collections::BTreeSet, path::Path, time::Duration};

use bytes::Bytes;
use uuid::Uuid;
use weft_jobs::{
    Assignment, Attach, Connection, Deps, JobKey, Jobs, JobsError, Options, Outcome, Report, State,
    Submission, Terms, WorkerEvent, WorkerMessage, Written,
};
use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{BatchFilter, Stores};

/// An engine over the database in a folder.
struct World {
    jobs: Jobs,
    lifecycle: Lifecycle,
    stores: Stores,
}

impl World {
    async fn open(folder: &Path) -> Self {
        let url = format!("sqlite:{}", folder.join("weft.db").display());
        let stores = weft_store_sqlite::open(&url).await.unwrap();
        let lifecycle = Lifecycle::new();
        let deps = Deps {
            store: stores.jobs.clone(),
            clock: Clock::system(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        // No worker says that it lives: leases that no slow machine outlives.
        let options = Options { worker_lease: Duration::from_hours(1), ..Options::default() };
        let jobs = Jobs::start(0, options, deps);
        Self { jobs, lifecycle, stores }
    }

    async fn close(self) {
        self.lifecycle.shut_down(Duration::from_secs(10)).await;
        self.stores.database.close().await;
    }

    async fn attach(&self, slots: u32, running: Vec<(JobKey, u32)>) -> (Connection, Vec<(JobKey, u32)>) {
        let attach = Attach { worker: "w".into(), slots, queues: vec!["q".into()], running };
        self.jobs.attach(attach).await.unwrap()
    }
}

fn submission(name: Option<&str>, jobs: usize) -> Submission {
    Submission {
        project: "p".into(),
        name: name.map(str::to_owned),
        uid: Uuid::nil(),
        kind: "k".into(),
        terms: Terms::default(),
        queues: vec!["q".into(); jobs],
        payload: Bytes::from_static(b"payload"),
        note: Bytes::from_static(b"note"),
        request: None,
    }
}

/// Jobs as they come, until there are so many.
async fn receive(connection: &mut Connection, count: usize) -> Vec<Assignment> {
    let mut all = Vec::new();
    while all.len() < count {
        match connection.next().await.expect("the connection stays") {
            WorkerEvent::Jobs(jobs) => all.extend(jobs),
            other => panic!("{other:?}"),
        }
    }
    all
}

async fn complete(connection: &mut Connection, jobs: &[Assignment]) -> Vec<bool> {
    let report = |job: &Assignment| Report {
        key: job.key,
        fence: job.fence,
        outcome: Outcome::Completed { result: Bytes::from_static(b"result") },
    };
    let reports = jobs.iter().map(report).collect();
    connection.sender().send(WorkerMessage::Reports(reports)).await.unwrap();
    loop {
        match connection.next().await.expect("the connection stays") {
            WorkerEvent::Recorded(recorded) => {
                return recorded.into_iter().map(|(_, _, taken)| taken).collect();
            }
            WorkerEvent::Jobs(_) => {}
            other @ WorkerEvent::Stop(_) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_accepted_survives_the_engine_and_is_done_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let batch = world.jobs.submit(submission(None, 3)).await.unwrap();
    assert_eq!((&batch.name[..], batch.total, batch.state), ("x1", 3, State::Pending));
    let (mut connection, _) = world.attach(2, vec![]).await;
    let started = receive(&mut connection, 2).await;
    assert_eq!(&started[0].payload[..], b"payload");
    // The engine goes with one job in a worker's hands that it will know, and one that it will not.
    world.close().await;

    let world = World::open(folder.path()).await;
    let known = (started[0].key, started[0].fence);
    let (mut connection, lost) = world.attach(3, vec![known, (started[1].key, 9)]).await;
    assert_eq!(lost, [(started[1].key, 9)]);
    let rest = receive(&mut connection, 2).await;
    let keys: BTreeSet<u32> = rest.iter().map(|job| job.key.number).collect();
    assert_eq!(keys, BTreeSet::from([started[1].key.number, 2]), "the one that it kept does not come again");
    assert_eq!(complete(&mut connection, &started).await, [true, false], "an old lease is refused");
    assert_eq!(complete(&mut connection, &rest).await, [true, true]);
    assert_eq!(complete(&mut connection, &rest).await, [false, false], "recorded once");
    let batch = world.jobs.get("p", "x1").await.unwrap();
    assert_eq!((batch.state, batch.completed), (State::Completed, 3));
    assert!(batch.ended.is_some());
    let jobs = world.jobs.jobs(batch.id, 0, 10).await.unwrap();
    assert!(jobs.iter().all(|job| &job.end.as_ref().unwrap().result[..] == b"result"));
    world.close().await;
}

#[tokio::test]
async fn a_repeated_request_is_accepted_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let asked =
        |print| Submission { request: Some((Bytes::from_static(b"r"), [print; 32])), ..submission(None, 1) };
    // At the same time, and so in the same flush.
    let (first, second) = tokio::join!(world.jobs.submit(asked(1)), world.jobs.submit(asked(1)));
    assert_eq!(first.unwrap().id, second.unwrap().id);
    assert!(matches!(world.jobs.submit(asked(2)).await, Err(JobsError::RequestReused)));
    let (first, second) = tokio::join!(
        world.jobs.submit(submission(Some("n"), 1)),
        world.jobs.submit(submission(Some("n"), 1))
    );
    assert!(first.is_ok());
    assert!(matches!(second, Err(JobsError::NameTaken)));
    let all = world.jobs.list("p", &BatchFilter::default(), i64::MAX, 10).await.unwrap();
    assert_eq!(all.len(), 2);
    world.close().await;
}

#[tokio::test]
async fn watchers_see_every_change_and_output_comes_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let batch = world.jobs.submit(submission(None, 1)).await.unwrap();
    let mut news = world.jobs.watch(batch.id);
    let first = world.jobs.changed(batch.id, (0, 0), 10).await.unwrap();
    assert_eq!(first[0].state, State::Pending);
    let (mut connection, _) = world.attach(1, vec![]).await;
    let job = receive(&mut connection, 1).await.remove(0);
    news.changed().await.unwrap();
    let second = world.jobs.changed(batch.id, (first[0].changed, 0), 10).await.unwrap();
    assert_eq!((second[0].state, &second[0].worker[..]), (State::Executing, "w"));
    let piece = |sequence, text: &'static [u8]| Written {
        key: job.key,
        fence: job.fence,
        sequence,
        stream: 1,
        bytes: Bytes::from_static(text),
    };
    let sender = connection.sender();
    sender.send(WorkerMessage::Output(vec![piece(1, b"a"), piece(2, b"b")])).await.unwrap();
    sender.send(WorkerMessage::Output(vec![piece(2, b"again"), piece(3, b"c")])).await.unwrap();
    assert_eq!(complete(&mut connection, &[job]).await, [true]);
    let output = world.jobs.outputs(JobKey { batch: batch.id, number: 0 }, (0, 0), 10).await.unwrap();
    let text: Vec<u8> = output.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
    assert_eq!(text, b"abc");
    world.close().await;
}

#[tokio::test]
async fn cancelling_reaches_who_executes_and_ends_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let batch = world.jobs.submit(submission(None, 2)).await.unwrap();
    let (mut connection, _) = world.attach(1, vec![]).await;
    let job = receive(&mut connection, 1).await.remove(0);
    world.jobs.cancel(batch.id, None).await.unwrap();
    let Some(WorkerEvent::Stop(stops)) = connection.next().await else { panic!("it is told") };
    assert_eq!((stops[0].0, stops[0].1), (job.key, job.fence));
    let report = Report { key: job.key, fence: job.fence, outcome: Outcome::Cancelled };
    connection.sender().send(WorkerMessage::Reports(vec![report])).await.unwrap();
    connection.next().await.expect("it is recorded");
    let batch = world.jobs.get("p", &batch.name).await.unwrap();
    assert_eq!((batch.state, batch.cancelled), (State::Cancelled, 2));
    assert!(matches!(world.jobs.cancel(batch.id, None).await, Err(JobsError::NotFound)));
    world.close().await;
}

#[tokio::test]
async fn how_far_a_batch_is_and_which_attempt_is_made_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let terms = Terms {
        retry: weft_jobs::Retry { max_attempts: 2, first_pause: Duration::ZERO, ..Default::default() },
        ..Terms::default()
    };
    let asked = (Bytes::from_static(b"p r"), [1; 32]);
    let new = Submission { terms, request: Some(asked.clone()), ..submission(None, 3) };
    let batch = world.jobs.submit(new).await.unwrap();
    assert_eq!(world.jobs.of_request(&asked.0, &asked.1).await.unwrap().unwrap().id, batch.id);
    assert!(matches!(world.jobs.of_request(&asked.0, &[2; 32]).await, Err(JobsError::RequestReused)));
    assert!(world.jobs.of_request(&Bytes::from_static(b"p s"), &[1; 32]).await.unwrap().is_none());

    let (mut connection, _) = world.attach(2, vec![]).await;
    let started = receive(&mut connection, 2).await;
    assert_eq!(complete(&mut connection, &started[..1]).await, [true]);
    let progress = world.jobs.progress(vec![batch.id, 99]).await.unwrap();
    assert_eq!(progress.len(), 1);
    let progress = progress[&batch.id];
    // The second place has gone to the third job.
    assert_eq!((progress.executing, progress.completed, progress.failed), (2, 1, 0));

    // Lost with its worker it is the same attempt again; failed, it is another.
    let (mut connection, lost) = world.attach(3, vec![]).await;
    assert_eq!(lost, []);
    let again = receive(&mut connection, 2).await;
    assert!(again.iter().all(|job| job.failures == 0));
    let outcome = Outcome::Failed {
        reason: "WHY".into(),
        message: String::new(),
        retryable: true,
        result: Bytes::new(),
    };
    let report = Report { key: again[0].key, fence: again[0].fence, outcome };
    connection.sender().send(WorkerMessage::Reports(vec![report])).await.unwrap();
    let another = loop {
        match connection.next().await.expect("the connection stays") {
            WorkerEvent::Jobs(mut jobs) => break jobs.remove(0),
            other => assert!(matches!(other, WorkerEvent::Recorded(_)), "{other:?}"),
        }
    };
    assert_eq!((another.key, another.failures), (again[0].key, 1));
    assert_eq!(complete(&mut connection, &[another, again[1].clone()]).await, [true, true]);
    assert!(world.jobs.progress(vec![batch.id]).await.unwrap().is_empty(), "it has ended");
    world.close().await;
}

#[tokio::test]
async fn a_held_batch_is_decided_once_and_keeps_what_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path()).await;
    let held = || Submission { terms: Terms { held: true, ..Terms::default() }, ..submission(None, 2) };
    let [goes, declined] =
        [world.jobs.submit(held()).await.unwrap(), world.jobs.submit(held()).await.unwrap()];
    let free = world.jobs.submit(submission(None, 1)).await.unwrap();
    let (mut connection, _) = world.attach(5, vec![]).await;
    let started = receive(&mut connection, 1).await;
    assert_eq!(started[0].key.batch, free.id, "what is held does not start");
    assert_eq!(complete(&mut connection, &started).await, [true]);
    world.close().await;

    // It is still held after the engine was opened again.
    let world = World::open(folder.path()).await;
    world.jobs.decline(declined.id, Bytes::from_static(b"no")).await.unwrap();
    world.jobs.release(goes.id, Bytes::from_static(b"yes")).await.unwrap();
    for batch in [goes.id, declined.id, free.id] {
        let [again, too_late] =
            [world.jobs.release(batch, Bytes::new()).await, world.jobs.decline(batch, Bytes::new()).await];
        assert!(matches!((again, too_late), (Err(JobsError::NotFound), Err(JobsError::NotFound))), "{batch}");
    }
    let (mut connection, _) = world.attach(5, vec![]).await;
    let started = receive(&mut connection, 2).await;
    assert!(started.iter().all(|job| job.key.batch == goes.id), "{started:?}");
    let kept = world.jobs.get("p", &declined.name).await.unwrap();
    assert_eq!((kept.state, kept.cancelled, &kept.note[..]), (State::Cancelled, 2, &b"no"[..]));
    assert_eq!(&world.jobs.get("p", &goes.name).await.unwrap().note[..], b"yes");
    world.close().await;
}
