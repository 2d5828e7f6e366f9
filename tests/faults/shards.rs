//! Three processes of the execution service over one PostgreSQL: each has some of the shards, any of them answers for all runs, and
//! what one of them was doing goes on at the others when it ends, in order or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tonic::Code;
use weft_proto::weft::execution::v1::{
    CancelExecutionRequest, CreateExecutionRequest, Execution, ExecutionState, GetExecutionRequest,
    ListExecutionsRequest, SignalExecutionRequest, StepState,
};
use weft_tests::{
    client::Client,
    database::Backends,
    process::Process,
    workflows::{self, node, way},
};

use crate::executions::Ledger;

/// Processes that share the executions.
pub(crate) const PROCESSES: usize = 3;
/// Projects, which are in several shards.
pub(crate) const PROJECTS: usize = 12;
/// Runs that are started before each end of a process.
const STARTED: usize = 60;
/// How the processes end, one after the other: in order or not.
pub(crate) const ENDS: [(usize, bool); 5] = [(0, true), (1, false), (2, false), (0, false), (1, true)];
/// How long runs may stand still after a process was killed: its lease, a look, and what the machine needs.
const STILL: Duration = Duration::from_secs(60);

pub(crate) struct Mesh {
    /// One that has identity and graphs.
    pub(crate) base: Process,
    pub(crate) processes: Vec<Process>,
}

impl Mesh {
    pub(crate) fn start(folder: &Path, backends: &Backends) -> Self {
        let objects = folder.join("objects");
        fs::create_dir(&objects).expect("a folder can be made");
        let service = |name: &str, services: &[&str]| {
            Process::serve(&folder.join(name), services)
                .set("STORAGE__DATABASE", &backends.postgres)
                .set("STORAGE__BUS", &backends.redis)
                .set("STORAGE__OBJECTS", &format!("file://{}", objects.display()))
                .set("EXECUTION__HTTP_NETWORKS", "[\"127.0.0.0/8\"]")
        };
        let mut base = service("base", &["identity", "graph"]);
        base.start();
        let processes = (0..PROCESSES).map(|at| {
            let name = format!("execution-{at}");
            let data = folder.join(&name);
            fs::create_dir(&data).expect("a folder can be made");
            fs::copy(folder.join("base/mesh.key"), data.join("mesh.key")).expect("it was made");
            let mut process = service(&name, &["execution"])
                .set("PEERS__IDENTITY", &base.url())
                .set("PEERS__GRAPH", &base.url());
            process.start();
            process
        });
        let processes = processes.collect();
        Self { base, processes }
    }

    /// The administrator, at one of the processes.
    pub(crate) fn at(&self, process: usize) -> Client {
        Client::new(&self.processes[process].url(), Some(&self.base.key()))
    }

    async fn metric(&self, process: usize, name: &str) -> usize {
        let metrics = self.at(process).metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().expect("a count")
    }

    /// Waits until all know each other, and every shard has a process: for longer than one looks at what it has.
    pub(crate) async fn shared(&self) -> Vec<usize> {
        let shared = async {
            let (mut before, mut since) = (Vec::new(), Instant::now());
            loop {
                let (mut members, mut shards) = (BTreeSet::new(), Vec::new());
                for process in 0..PROCESSES {
                    members.insert(self.metric(process, "weft_execution_members").await);
                    shards.push(self.metric(process, "weft_execution_shards").await);
                }
                let are_shared = members == BTreeSet::from([PROCESSES]) && shards.iter().sum::<usize>() == 16;
                if !are_shared || shards != before {
                    (before, since) = (shards, Instant::now());
                } else if since.elapsed() > Duration::from_secs(2) {
                    return shards;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), shared).await.expect("they find each other")
    }
}

/// Starts runs at one process after the other until told to end. One that is not answered is asked for again, at another process
/// and with the same request id.
pub(crate) async fn start_many(clients: Vec<Client>, graphs: Vec<String>, starter: usize, started: Started) {
    let mut at = starter;
    while !started.ends.load(Ordering::Relaxed) {
        at += 1;
        let number = started.asked.fetch_add(1, Ordering::Relaxed);
        let request = CreateExecutionRequest {
            request_id: format!("00000000-0000-4000-8000-{number:012}"),
            ..workflows::request(&graphs[number % graphs.len()], json!({"n": number}))
        };
        let accepted = loop {
            match clients[at % clients.len()].executions().create_execution(request.clone()).await {
                Ok(created) => break created.into_inner().name,
                Err(status) => {
                    assert!(
                        matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled),
                        "{status:?}"
                    );
                    at += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        started.accepted.lock().expect("nothing panics with it").push((accepted, number));
    }
}

/// What starters share.
#[derive(Clone, Default)]
pub(crate) struct Started {
    pub(crate) ends: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    pub(crate) accepted: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Started {
    pub(crate) fn count(&self) -> usize {
        self.accepted.lock().expect("nothing panics with it").len()
    }
}

/// Asks until a process answers.
async fn get(client: &Client, name: &str) -> Execution {
    let asked = async {
        loop {
            let request = GetExecutionRequest { name: name.to_owned() };
            match client.executions().get_execution(request).await {
                Ok(execution) => return execution.into_inner(),
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(STILL, asked).await.expect("somebody has it")
}

/// Waits until a run has ended.
pub(crate) async fn ended(client: &Client, name: &str) -> Execution {
    let ended = async {
        loop {
            let execution = get(client, name).await;
            if execution.end_time.is_some() {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(STILL, ended).await.unwrap_or_else(|_| panic!("{name} stands still"))
}

/// A workflow that asks a server twice, and waits in between.
async fn calls(client: &Client, project: &str, url: &str) -> String {
    let call = |key: &str| node(key, "http", json!({"url": url, "retry": {"attempts": 9, "first": "50ms"}}));
    let changes = vec![
        node("start", "input", json!({})),
        call("first"),
        node("later", "delay", json!({"for": "30ms"})),
        call("last"),
        node("sum", "set", json!({"value": "${steps.first.body + steps.last.body}"})),
        node("end", "output", json!({})),
        way("start", "", "first"),
        way("first", "", "later"),
        way("later", "", "last"),
        way("last", "", "sum"),
        way("sum", "", "end"),
    ];
    workflows::create_in(client, project, "calls", changes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_three_processes_survive_drains_and_kills() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let ledger = Ledger::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(ledger.clone().serve(listener));
    let mut mesh = Mesh::start(folder.path(), &backends);
    let shares = mesh.shared().await;
    assert!(shares.iter().filter(|share| **share > 0).count() > 1, "{shares:?}");

    let mut graphs = Vec::new();
    for project in 0..PROJECTS {
        graphs.push(calls(&mesh.base.client(), &format!("projects/p{project}"), &url).await);
    }
    let started = Started::default();
    for (process, in_order) in ENDS {
        started.ends.store(false, Ordering::Relaxed);
        let mut starters = JoinSet::new();
        for starter in 0..4 {
            let clients = (0..PROCESSES).map(|process| mesh.at(process)).collect();
            starters.spawn(start_many(clients, graphs.clone(), starter, started.clone()));
        }
        let before = started.count();
        while started.count() < before + STARTED {
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
        // More are accepted while it is away, of all projects.
        let before = started.count();
        while started.count() < before + STARTED {
            assert!(gone.elapsed() < STILL, "nothing is accepted any more");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.ends.store(true, Ordering::Relaxed);
        while let Some(ended) = starters.join_next().await {
            ended.expect("starters do not fail");
        }
        let accepted = started.accepted.lock().expect("nothing panics with it").clone();
        let others = mesh.at((process + 1) % PROCESSES);
        for (name, _) in &accepted[accepted.len().saturating_sub(2 * STARTED)..] {
            ended(&others, name).await;
        }
        eprintln!(
            "process {process} (in order: {in_order}) was gone; all went on after {:?}",
            gone.elapsed()
        );
        mesh.processes[process].start();
        mesh.shared().await;
    }

    // None is lost, none is doubled, each has given what it should, and its steps were begun again only by an end of a process.
    let accepted = started.accepted.lock().expect("nothing panics with it").clone();
    let mut of_project: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, (name, _)) in accepted.iter().enumerate() {
        let (project, _) = name.split_once("/executions/").expect("it is a name");
        assert!(of_project.entry(project).or_default().insert(name), "{name} was given twice");
        let client = mesh.at(at % PROCESSES);
        let execution = ended(&client, name).await;
        assert_eq!(execution.state(), ExecutionState::Succeeded, "{name}: {:?}", execution.error);
        assert_eq!(workflows::value(execution.output.as_ref()), json!(84), "{name}");
        for step in workflows::steps(&client, name).await {
            assert_eq!(step.state(), StepState::Succeeded, "{}", step.name);
            if step.kind == "http" {
                let asked = ledger.asked(&step.uid);
                let most = 1 + (ENDS.len() + PROCESSES) as u32 + step.failure_count.unsigned_abs();
                assert!((1..=most).contains(&asked), "{} was called {asked} times", step.name);
            }
        }
    }
    for (project, names) in &of_project {
        let request = ListExecutionsRequest {
            parent: (*project).to_owned(),
            page_size: 1_000,
            ..ListExecutionsRequest::default()
        };
        let listed = mesh.at(0).executions().list_executions(request).await.expect("they are listed");
        let listed = listed.into_inner().executions;
        let listed: BTreeSet<&str> = listed.iter().map(|execution| execution.name.as_str()).collect();
        assert_eq!(listed, *names, "what was accepted in {project} is what there is");
    }
    assert!(of_project.len() == PROJECTS && accepted.len() >= 2 * ENDS.len() * STARTED);
    drop(mesh);
    backends.remove().await;
}

/// A process that was silent for longer than its lease, and whose shards others have had meanwhile, goes on with what they
/// have given back to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_silent_takes_its_shards_anew() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mesh = Mesh::start(folder.path(), &backends);
    mesh.shared().await;
    let mut graphs = Vec::new();
    for project in 0..PROJECTS {
        let changes = vec![
            node("start", "input", json!({})),
            node("later", "delay", json!({"for": "10s"})),
            node("end", "output", json!({})),
            way("start", "", "later"),
            way("later", "", "end"),
        ];
        let project = format!("projects/p{project}");
        graphs.push(workflows::create_in(&mesh.base.client(), &project, "later", changes).await);
    }
    mesh.processes[0].freeze();
    let others_have_all = async {
        while mesh.metric(1, "weft_execution_shards").await + mesh.metric(2, "weft_execution_shards").await
            < 16
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(STILL, others_have_all).await.expect("its lease is over");
    let mut names = Vec::new();
    for (at, graph) in graphs.iter().enumerate() {
        names.push(workflows::start(&mesh.at(1 + at % 2), graph, json!({})).await);
    }
    mesh.processes[0].thaw();
    mesh.shared().await;
    // Nothing is asked of the runs: what wakes them is whoever has them.
    for (at, name) in names.iter().enumerate() {
        let ended = ended(&mesh.at(at % PROCESSES), name).await;
        assert_eq!(ended.state(), ExecutionState::Succeeded, "{name}: {:?}", ended.error);
    }
    drop(mesh);
    backends.remove().await;
}

/// What waits is found through every process, and goes on wherever it is asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_process_answers_for_all_runs() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mesh = Mesh::start(folder.path(), &backends);
    mesh.shared().await;
    let mut names = Vec::new();
    for project in 0..PROJECTS {
        let changes = vec![
            node("start", "input", json!({})),
            node("wait", "signal", json!({"signal": "go"})),
            node("end", "output", json!({})),
            way("start", "", "wait"),
            way("wait", "", "end"),
        ];
        let project = format!("projects/p{project}");
        let graph = workflows::create_in(&mesh.base.client(), &project, "waits", changes).await;
        for process in 0..PROCESSES {
            names.push(workflows::start(&mesh.at(process), &graph, json!({})).await);
        }
    }
    for (at, name) in names.iter().enumerate() {
        for process in 0..PROCESSES {
            let waits = |execution: &Execution, _: &[_]| execution.state() == ExecutionState::Running;
            workflows::watch(&mesh.at(process), name, waits).await;
        }
        // Somebody watches through a second process what is done through a third.
        let (watcher, doer) = (mesh.at((at + 1) % PROCESSES), mesh.at((at + 2) % PROCESSES));
        let watched = name.clone();
        let watch =
            tokio::task::JoinSet::from_iter([async move { workflows::ended(&watcher, &watched).await }]);
        if at % 2 == 0 {
            let request = SignalExecutionRequest {
                name: name.clone(),
                signal: "go".into(),
                ..SignalExecutionRequest::default()
            };
            doer.executions().signal_execution(request).await.expect("any process takes it");
        } else {
            let request = CancelExecutionRequest { name: name.clone() };
            doer.executions().cancel_execution(request).await.expect("any process takes it");
        }
        let wanted = [ExecutionState::Succeeded, ExecutionState::Cancelled][at % 2];
        let seen = tokio::time::timeout(STILL, watch.join_all()).await.expect("it is told");
        assert_eq!(seen[0].state(), wanted, "{name}");
    }
    let mut handed_on = 0;
    for process in 0..PROCESSES {
        handed_on += mesh.metric(process, "weft_execution_calls_handed_on_total").await;
    }
    assert!(handed_on > 0, "calls came to processes that did not have the runs");
    drop(mesh);
    backends.remove().await;
}
