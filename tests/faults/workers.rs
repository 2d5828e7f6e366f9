//! Workers that are killed while they have a thousand tasks, and owners of runs that are killed while workers are at work: every run
//! goes on, and no step that has finished is done again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;
use weft_proto::weft::{
    execution::v1::{ExecutionState, StepState, TaskResult},
    graph::v1::Change,
};
use weft_tests::{
    client::Client,
    database::Backends,
    process::Process,
    worker::{Worker, gives, open},
    workflows::{self, node, way},
};

use crate::shards::{ENDS, Mesh, PROCESSES, PROJECTS, Started, ended, start_many};

/// Tasks that the worker has when it is killed.
const HELD: usize = 1_000;
/// How long all of them may take to be at another worker. What is promised is five seconds; this is for a machine that does other
/// things, too.
const LATEST: Duration = Duration::from_secs(20);
/// Where the worker process finds what it is to do, and writes what it was given.
const ORDERS: &str = "orders.json";
const GIVEN: &str = "given";

/// A run: a task that is done, and one that is held, each in a queue of its own.
fn two_tasks() -> Vec<Change> {
    vec![
        node("start", "input", json!({})),
        node("first", "task", json!({"queue": "first", "input": "${input.n}"})),
        node("second", "task", json!({"queue": "second", "input": "${input + 1}"})),
        node("end", "output", json!({})),
        way("start", "", "first"),
        way("first", "", "second"),
        way("second", "", "end"),
    ]
}

fn number(task: &weft_proto::weft::execution::v1::Task) -> i64 {
    workflows::value(task.input.as_ref()).as_i64().expect("it is given a number")
}

/// The worker that is killed: does what is in the queue `first`, and keeps what is in `second`. It is a process of this same program.
#[tokio::test]
#[ignore = "a process of the test below, which gives it its orders"]
async fn the_worker_process() {
    let orders: serde_json::Value =
        serde_json::from_slice(&fs::read(ORDERS).expect("there are orders")).expect("they are JSON");
    let text = |name: &str| orders[name].as_str().expect("a text").to_owned();
    let client = Client::new(&text("url"), Some(&text("key")));
    let mut opens = open("projects/p", "first", HELD as i32 + 24);
    opens.queues.push("second".into());
    let worker = Worker::attach(&client, opens).await.expect("it may attach");
    let mut given = OpenOptions::new().create(true).append(true).open(GIVEN).expect("a file can be made");
    let end = worker.work(move |task| {
        // Written before anything comes of it.
        writeln!(given, "{} {}", task.queue, task.step).expect("there is room");
        (task.queue == "first").then(|| gives(&task.token, &json!(number(task))))
    });
    end.await.expect("it is killed before its stream ends");
}

/// A process that is gone with its owner.
struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        // It is ours; it may be gone.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_with_a_thousand_tasks_loses_none() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"));
    process.start();
    let client = process.client();
    let graph = workflows::create(&client, "two", two_tasks()).await;
    let orders = json!({"url": process.url(), "key": process.key()});
    fs::write(folder.path().join(ORDERS), orders.to_string()).expect("there is room");
    let this = std::env::current_exe().expect("a program knows where it is");
    let worker = Command::new(this)
        .args(["--exact", "workers::the_worker_process", "--ignored", "--nocapture"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn();
    let mut worker = Kill(worker.expect("it can be started"));
    let mut starters = JoinSet::new();
    for starter in 0..8 {
        let (client, graph) = (client.clone(), graph.clone());
        starters.spawn(async move {
            let mut names = Vec::new();
            for n in (starter..HELD).step_by(8) {
                names.push((workflows::start(&client, &graph, json!({"n": n})).await, n));
            }
            names
        });
    }
    let names: Vec<_> = starters.join_all().await.into_iter().flatten().collect();
    let given = || {
        let text = fs::read_to_string(folder.path().join(GIVEN)).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(queue, step)| (queue.to_owned(), step.to_owned()))
            .collect::<Vec<_>>()
    };
    let all_held = async {
        while given().iter().filter(|(queue, _)| queue == "second").count() < HELD {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all_held).await.expect("it is given all");
    let mut before = BTreeMap::new();
    for (name, _) in &names {
        for step in workflows::steps(&client, name).await {
            if step.state() == StepState::Succeeded {
                before.insert(step.name, step.end_time);
            }
        }
    }

    worker.0.kill().expect("it is ours");
    let killed = Instant::now();
    let mut opens = open("projects/p", "first", 4_096);
    opens.queues.push("second".into());
    let other = Worker::attach(&client, opens).await.expect("it may attach");
    let (again, last) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Duration::ZERO)));
    let mut others = JoinSet::new();
    let (seen, at) = (Arc::clone(&again), Arc::clone(&last));
    others.spawn(other.work(move |task| {
        seen.lock().expect("nothing panics with it").push((task.queue.clone(), task.step.clone()));
        *at.lock().expect("nothing panics with it") = killed.elapsed();
        Some(gives(&task.token, &json!(number(task))))
    }));
    for (name, n) in &names {
        let run = workflows::ended(&client, name).await;
        assert_eq!(run.state(), ExecutionState::Succeeded, "{name}: {:?}", run.error);
        assert_eq!(workflows::value(run.output.as_ref()), json!(n + 1), "{name}");
        for step in workflows::steps(&client, name).await {
            assert_eq!(step.failure_count, 0, "what is lost is no failure");
            if let Some(ended) = before.get(&step.name) {
                assert_eq!(*ended, step.end_time, "{} was done again", step.name);
            }
        }
    }
    let (first, again) = (given(), again.lock().expect("nothing panics with it").clone());
    let held: BTreeSet<_> = first.iter().filter(|(queue, _)| queue == "second").collect();
    assert_eq!((first.len(), held.len()), (2 * HELD, HELD), "the first worker was given each once");
    assert_eq!(again.iter().collect::<BTreeSet<_>>(), held, "what it had, and nothing else, is given again");
    assert_eq!(again.len(), HELD, "each once");
    let last = *last.lock().expect("nothing panics with it");
    eprintln!("{HELD} tasks of a worker that was killed were at another one after {last:?}");
    assert!(last < LATEST, "{last:?}");
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}

/// How often each step was given out.
type Given = Arc<Mutex<BTreeMap<String, u32>>>;

/// Works for a project, through one process after the other, until it is told to end.
async fn keep_working(clients: Vec<Client>, project: String, given: Given, ends: Arc<AtomicBool>) {
    let mut opens = open(&project, "work", 64);
    for at in 0_usize.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let Ok(worker) = Worker::attach(&clients[at % clients.len()], opens.clone()).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        opens.session.clone_from(&worker.opened.session);
        let given = Arc::clone(&given);
        let end = worker.work(move |task| -> Option<TaskResult> {
            *given.lock().expect("nothing panics with it").entry(task.step.clone()).or_default() += 1;
            Some(gives(&task.token, &json!(number(task) * 2)))
        });
        // Why it ended is said by what becomes of the runs.
        drop(end.await);
    }
}

/// Two tasks after each other, with a wait in between.
async fn tasks(client: &Client, project: &str) -> String {
    let changes = vec![
        node("start", "input", json!({})),
        node("first", "task", json!({"queue": "work", "input": "${input.n}"})),
        node("later", "delay", json!({"for": "30ms"})),
        node("second", "task", json!({"queue": "work", "input": "${input}"})),
        node("end", "output", json!({})),
        way("start", "", "first"),
        way("first", "", "later"),
        way("later", "", "second"),
        way("second", "", "end"),
    ];
    workflows::create_in(client, project, "tasks", changes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_go_on_where_their_project_goes() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut mesh = Mesh::start(folder.path(), &backends);
    mesh.shared().await;
    let (given, ends) = (Given::default(), Arc::new(AtomicBool::new(false)));
    let (mut graphs, mut workers) = (Vec::new(), JoinSet::new());
    for project in 0..PROJECTS {
        let project = format!("projects/p{project}");
        graphs.push(tasks(&mesh.base.client(), &project).await);
        let clients = (0..PROCESSES).map(|process| mesh.at(process)).collect();
        workers.spawn(keep_working(clients, project, Arc::clone(&given), Arc::clone(&ends)));
    }
    let started = Started::default();
    for (process, in_order) in ENDS.into_iter().take(3) {
        started.ends.store(false, Ordering::Relaxed);
        let mut starters = JoinSet::new();
        for starter in 0..2 {
            let clients = (0..PROCESSES).map(|process| mesh.at(process)).collect();
            starters.spawn(start_many(clients, graphs.clone(), starter, started.clone()));
        }
        let enough = started.count() + 60;
        while started.count() < enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let of_process = &mut mesh.processes[process];
        if in_order {
            of_process.terminate();
            assert!(of_process.ended().await.success(), "{}", of_process.log());
        } else {
            of_process.kill();
        }
        let gone = Instant::now();
        started.ends.store(true, Ordering::Relaxed);
        while let Some(ended) = starters.join_next().await {
            ended.expect("starters do not fail");
        }
        let accepted = started.accepted.lock().expect("nothing panics with it").clone();
        let others = mesh.at((process + 1) % PROCESSES);
        for (name, _) in accepted.iter().rev().take(120) {
            ended(&others, name).await;
        }
        eprintln!(
            "process {process} (in order: {in_order}) was gone; tasks went on after {:?}",
            gone.elapsed()
        );
        mesh.processes[process].start();
        mesh.shared().await;
    }
    let accepted = started.accepted.lock().expect("nothing panics with it").clone();
    for (at, (name, n)) in accepted.iter().enumerate() {
        let client = mesh.at(at % PROCESSES);
        let run = ended(&client, name).await;
        assert_eq!(run.state(), ExecutionState::Succeeded, "{name}: {:?}", run.error);
        assert_eq!(workflows::value(run.output.as_ref()), json!(n * 4), "{name}");
    }
    let given = given.lock().expect("nothing panics with it").clone();
    let (steps, times) = (given.len(), given.values().sum::<u32>() as usize);
    assert_eq!(steps, 2 * accepted.len(), "each task was given out");
    assert!(times - steps < steps / 2, "only what was at work is done again: {times} times for {steps}");
    assert!(given.values().all(|times| *times <= 1 + 2 * 3), "{given:?}");
    ends.store(true, Ordering::Relaxed);
    workers.shutdown().await;
    drop(mesh);
    backends.remove().await;
}
