//! kill -9 of a process with an engine, its submitters and its worker, twenty times under load: what was accepted is
//! done, what was recorded is recorded once, a repeat of a request is no second batch, and limits hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::Path,
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinSet,
};
use uuid::Uuid;
use weft_jobs::{
    Attach, Deps, Jobs, Limit, Options, Outcome, Report, State, Submission, Terms, WorkerEvent, WorkerMessage,
};
use weft_kit::{Clock, Ids, Lifecycle};
use weft_store::{BatchFilter, Stores};

/// How often the process dies.
const KILLS: u32 = 20;
/// Submitters of a process, each of which waits for its answer before it goes on.
const SUBMITTERS: usize = 8;
/// Jobs of a batch.
const JOBS: usize = 3;
/// How many jobs execute at a time at most: by a limit, though the worker takes more.
const AT_ONCE: u32 = 5;
/// Tells the process what to work on: the folder, and for each submitter which request is its next.
const CHILD: &str = "WEFT_JOBS_KILL_CHILD";

async fn open(folder: &Path) -> (Stores, Lifecycle, Jobs) {
    let url = format!("sqlite:{}", folder.join("weft.db").display());
    let stores = weft_store_sqlite::open(&url).await.unwrap();
    let lifecycle = Lifecycle::new();
    let deps = Deps {
        store: stores.jobs.clone(),
        clock: Clock::system(),
        ids: Ids::system(),
        lifecycle: lifecycle.clone(),
    };
    // Its worker does not say that it lives: a lease that no slow machine outlives.
    let options = Options { worker_lease: Duration::from_hours(1), ..Options::default() };
    let jobs = Jobs::start(0, options, deps);
    (stores, lifecycle, jobs)
}

fn submission(submitter: usize, number: u64) -> Submission {
    let tag = format!("{submitter}-{number}");
    let limit = Limit { key: "all".into(), most: AT_ONCE };
    Submission {
        project: format!("p{}", submitter % 2),
        name: None,
        uid: Uuid::nil(),
        kind: "k".into(),
        terms: Terms { limits: vec![limit], ..Terms::default() },
        queues: vec!["q".into(); JOBS],
        payload: Bytes::from_static(b"payload"),
        note: Bytes::from(tag.clone()),
        request: Some((Bytes::from(tag), [0; 32])),
    }
}

fn say(line: &str) {
    use std::io::Write;
    // One write of a whole line: what the process had said when it died is not cut.
    std::io::stdout().write_all(format!("\n@{line}\n").as_bytes()).unwrap();
}

/// Takes jobs until it is killed, and ends each after a moment in which others of it run.
async fn work(jobs: Jobs) {
    let attach = Attach { worker: "w".into(), slots: 64, queues: vec!["q".into()], running: Vec::new() };
    let (mut connection, _) = jobs.attach(attach).await.unwrap();
    let sender = connection.sender();
    let mut running = BTreeSet::new();
    while let Some(event) = connection.next().await {
        match event {
            WorkerEvent::Jobs(started) => {
                for job in &started {
                    say(&format!("begun {} {} {}", job.key.batch, job.key.number, job.fence));
                    running.insert(job.key);
                }
                if running.len() > AT_ONCE as usize {
                    say(&format!("over {}", running.len()));
                }
                tokio::task::yield_now().await;
                for job in &started {
                    running.remove(&job.key);
                }
                let outcome = Outcome::Completed { result: Bytes::new() };
                let report = |key, fence| Report { key, fence, outcome: outcome.clone() };
                let reports = started.iter().map(|job| report(job.key, job.fence)).collect();
                sender.send(WorkerMessage::Reports(reports)).await.unwrap();
            }
            WorkerEvent::Recorded(recorded) => {
                for (key, fence, taken) in recorded {
                    assert!(taken, "nobody else has it");
                    say(&format!("recorded {} {} {fence}", key.batch, key.number));
                }
            }
            WorkerEvent::Stop(_) => panic!("nobody cancels"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of its own, which the other test starts and kills"]
async fn child() {
    let task = std::env::var_os(CHILD).expect("it is started by the other test").into_string().unwrap();
    let mut words = task.split(' ');
    let folder = words.next().unwrap().to_owned();
    let next: Vec<u64> = words.map(|word| word.parse().unwrap()).collect();
    let (_stores, _lifecycle, jobs) = open(Path::new(&folder)).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(work(jobs.clone()));
    for (submitter, mut number) in next.into_iter().enumerate() {
        let jobs = jobs.clone();
        tasks.spawn(async move {
            loop {
                jobs.submit(submission(submitter, number)).await.unwrap();
                say(&format!("accepted {submitter} {number}"));
                number += 1;
            }
        });
    }
    tasks.join_next().await.unwrap().unwrap();
}

/// What the processes have said.
#[derive(Default)]
struct Ledger {
    /// The first request of each submitter that was not acknowledged.
    next: Vec<u64>,
    fences: BTreeMap<(i64, u32), u32>,
    recorded: BTreeSet<(i64, u32)>,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let numbers: Vec<i64> = words.map(|word| word.parse().unwrap()).collect();
        match (what, &numbers[..]) {
            ("accepted", &[submitter, number]) => {
                let next = &mut self.next[submitter as usize];
                assert_eq!(*next, number as u64);
                *next += 1;
            }
            ("begun", &[batch, number, fence]) => {
                let key = (batch, number as u32);
                assert!(!self.recorded.contains(&key), "{key:?} was recorded, and begins again");
                let before = self.fences.insert(key, fence as u32);
                assert!(before.is_none_or(|before| before < fence as u32), "{key:?}: a fence came again");
            }
            ("recorded", &[batch, number, fence]) => {
                let key = (batch, number as u32);
                assert_eq!(self.fences.get(&key), Some(&(fence as u32)), "{key:?}: another lease");
                assert!(self.recorded.insert(key), "{key:?} was recorded twice");
            }
            _ => panic!("{line}"),
        }
    }
}

fn start(folder: &Path, ledger: &Ledger) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut task = OsString::from(folder);
    for next in &ledger.next {
        task.push(format!(" {next}"));
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--include-ignored", "--nocapture"])
        .env(CHILD, task)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_deaths_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger { next: vec![0; SUBMITTERS], ..Ledger::default() };
    for death in 0..KILLS {
        let (mut child, mut lines) = start(folder.path(), &ledger);
        let mut heard = 0;
        // At another moment each time, counted in what has happened and not in time.
        while heard < 40 + u64::from(death) * 37 {
            let line = lines.next_line().await.unwrap().expect("it lives until it is killed");
            heard += u64::from(line.starts_with('@'));
            if let Some(said) = line.strip_prefix('@') {
                ledger.hear(said);
            }
        }
        child.kill().await.unwrap();
        // What it had said before it died counts too; a line that death has cut was not said.
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(said) = line.strip_prefix('@') {
                ledger.hear(said);
            }
        }
    }

    // A life in peace, in which all that is left is done.
    let (stores, lifecycle, jobs) = open(folder.path()).await;
    for (submitter, number) in ledger.next.iter().enumerate() {
        // It may have been accepted before the last death: the repeat makes no second one.
        jobs.submit(submission(submitter, *number)).await.unwrap();
    }
    lifecycle.spawn_future(work(jobs.clone()));
    let mut batches = BTreeMap::new();
    let mut jobs_of_all = 0;
    for project in ["p0", "p1"] {
        for batch in jobs.list(project, &BatchFilter::default(), i64::MAX, u32::MAX).await.unwrap() {
            let mut news = jobs.watch(batch.id);
            while jobs.get(project, &batch.name).await.unwrap().ended.is_none() {
                news.changed().await.unwrap();
            }
            let ended = jobs.get(project, &batch.name).await.unwrap();
            assert_eq!((ended.state, ended.completed), (State::Completed, JOBS as u32));
            jobs_of_all += ended.completed;
            let tag = String::from_utf8(batch.note.to_vec()).unwrap();
            assert!(batches.insert(tag.clone(), batch.id).is_none(), "{tag} was accepted twice");
        }
    }
    for (submitter, next) in ledger.next.iter().enumerate() {
        for number in 0..=*next {
            assert!(
                batches.remove(&format!("{submitter}-{number}")).is_some(),
                "{submitter}-{number} is lost"
            );
        }
    }
    assert!(batches.is_empty(), "nobody asked for {batches:?}");
    eprintln!("{KILLS} deaths, {jobs_of_all} jobs, {} recorded before the last", ledger.recorded.len());
    assert!(ledger.recorded.len() > KILLS as usize, "hardly anything was done");
    lifecycle.shut_down(Duration::from_secs(10)).await;
    stores.database.close().await;
}
