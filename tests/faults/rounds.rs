//! Whatever dies, in any order, under load: processes of the execution service, the one with identity and graphs, triggers with
//! their gateway, a worker, PostgreSQL and Redis. What was accepted happens, once, and nothing is left behind.
//!
//! `WEFT_FAULT_ROUNDS=200` has as many of them die; `WEFT_FAULT_SEED` has them die in the same order again.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};
use tonic::Code;
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, ExecutionState, GetExecutionRequest, ListExecutionsRequest,
        ListWorkersRequest, StepState,
    },
    trigger::v1::{
        CreateTriggerRequest, Delivery, DeliveryState, ListDeliveriesRequest, Trigger, WebhookProvider,
        WebhookSource, trigger::Source,
    },
};
use weft_tests::{
    client::Client,
    database::Backends,
    process::{Process, binary},
    servers::Server,
    workflows::{self, node, way},
};

use crate::{
    executions::Ledger,
    shards::{Mesh, PROCESSES},
};

/// Who dies, unless somebody says how often.
const ROUNDS: usize = 6;
const PROJECTS: usize = 5;
/// Runs that are accepted in a round, at least.
const STARTED: usize = 30;
/// Steps of one project that may ask the server at once.
const AT_ONCE: usize = 3;
/// How long anything may stand still.
const STILL: Duration = Duration::from_secs(120);
const SECRET: &str = "a secret for tests";

/// All that can die.
struct World {
    postgres: Server,
    redis: Server,
    mesh: Mesh,
    /// Triggers, and the gateway that webhooks come to.
    edge: Process,
    worker: Worker,
}

/// `weft worker run`, which gives what it is given.
struct Worker {
    url: String,
    key: std::path::PathBuf,
    child: Option<Child>,
}

impl Worker {
    fn start(&mut self) {
        let mut command = Command::new(binary());
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WEFT_")) {
            command.env_remove(name);
        }
        command.args(["worker", "run", "--project", "p0", "--queue", "work", "--slots", "4", "--url"]);
        command.arg(&self.url).arg("--key-file").arg(&self.key).args(["--", "cat"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("it can be started"));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It is ours; it may have ended.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

impl World {
    async fn start(folder: &Path) -> Self {
        let postgres = Server::postgres(&folder.join("postgres")).await;
        let redis = Server::redis(&folder.join("redis")).await;
        let backends = Backends::own(&postgres.url(), &redis.url());
        let mesh = Mesh::start(folder, &backends);
        mesh.shared().await;
        let data = folder.join("edge");
        fs::create_dir(&data).expect("a folder can be made");
        fs::copy(folder.join("base/mesh.key"), data.join("mesh.key")).expect("it was made");
        let mut edge = Process::serve(&data, &["trigger", "gateway"])
            .set("STORAGE__DATABASE", &backends.postgres)
            .set("STORAGE__BUS", &backends.redis)
            .set("PEERS__IDENTITY", &mesh.base.url())
            .set("PEERS__GRAPH", &mesh.base.url())
            .set("PEERS__EXECUTION", &mesh.processes[0].url());
        edge.start();
        let worker =
            Worker { url: mesh.processes[1].url(), key: mesh.base.data().join("admin.key"), child: None };
        Self { postgres, redis, mesh, edge, worker }
    }

    fn clients(&self) -> Vec<Client> {
        (0..PROCESSES).map(|process| self.mesh.at(process)).collect()
    }

    fn at_edge(&self) -> Client {
        Client::new(&self.edge.url(), Some(&self.mesh.base.key()))
    }

    fn kill(&mut self, who: Who) {
        match who {
            Who::Execution(process) => self.mesh.processes[process].kill(),
            Who::Base => self.mesh.base.kill(),
            Who::Edge => self.edge.kill(),
            Who::Worker => self.worker.kill(),
            Who::Postgres => self.postgres.kill(),
            Who::Redis => self.redis.kill(),
        }
    }

    async fn start_again(&mut self, who: Who) {
        match who {
            Who::Execution(process) => self.mesh.processes[process].start(),
            Who::Base => self.mesh.base.start(),
            Who::Edge => self.edge.start(),
            Who::Worker => self.worker.start(),
            Who::Postgres => self.postgres.start().await,
            Who::Redis => self.redis.start().await,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Execution(usize),
    Base,
    Edge,
    Worker,
    Postgres,
    Redis,
}

impl Who {
    const ALL: [Self; 8] = [
        Self::Execution(0),
        Self::Postgres,
        Self::Worker,
        Self::Execution(1),
        Self::Edge,
        Self::Redis,
        Self::Execution(2),
        Self::Base,
    ];
}

/// Numbers without an end, the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn variable(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment how much they are to do"
    )]
    let said = env::var(name).ok();
    said.map(|said| said.parse().expect("a number"))
}

/// A workflow that asks a server, has a worker do something where there is one, waits, and asks again.
async fn workflow(client: &Client, project: usize, url: &str) -> String {
    let retry = json!({"attempts": 30, "first": "50ms", "longest": "1s"});
    let call = |key: &str| {
        let limit = json!({"at_once": AT_ONCE, "name": "server"});
        node(key, "http", json!({"url": url, "retry": retry, "limit": limit}))
    };
    let work = match project {
        0 => node("work", "task", json!({"queue": "work", "input": "${input}", "retry": retry})),
        _ => node("work", "set", json!({"value": "${input}"})),
    };
    let changes = vec![
        node("start", "input", json!({})),
        call("first"),
        work,
        node("later", "delay", json!({"for": "30ms"})),
        call("last"),
        node("sum", "set", json!({"value": "${steps.first.body + steps.last.body}"})),
        node("end", "output", json!({})),
        way("start", "", "first"),
        way("first", "", "work"),
        way("work", "", "later"),
        way("later", "", "last"),
        way("last", "", "sum"),
        way("sum", "", "end"),
    ];
    workflows::create_in(client, &format!("projects/p{project}"), "calls", changes).await
}

/// What those who start runs share.
#[derive(Clone, Default)]
struct Started {
    ends: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// Name of the run, by the number of the request.
    accepted: Arc<Mutex<BTreeMap<usize, String>>>,
    /// Webhooks that were accepted.
    hooks: Arc<Mutex<BTreeSet<usize>>>,
    calls: Arc<AtomicU64>,
}

impl Started {
    fn count(&self) -> usize {
        self.accepted.lock().expect("nothing panics with it").len()
    }
}

/// Whether a call may be made again: somebody is dead.
fn is_passing(code: Code) -> bool {
    // Unknown and Internal: the connection broke off.
    matches!(
        code,
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded | Code::Internal
    )
}

/// Starts runs, each until it is accepted by somebody.
async fn start_many(clients: Vec<Client>, graphs: Vec<String>, started: Started) {
    while !started.ends.load(Ordering::Relaxed) {
        let number = started.asked.fetch_add(1, Ordering::Relaxed);
        let request = CreateExecutionRequest {
            request_id: format!("00000000-0000-4000-8000-{number:012}"),
            ..workflows::request(&graphs[number % graphs.len()], json!({"n": number}))
        };
        let mut at = number;
        let accepted = loop {
            let call = clients[at % clients.len()].executions().create_execution(request.clone()).await;
            started.calls.fetch_add(1, Ordering::Relaxed);
            match call {
                Ok(created) => break created.into_inner().name,
                Err(status) => assert!(is_passing(status.code()), "{status:?}"),
            }
            at += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        started.accepted.lock().expect("nothing panics with it").insert(number, accepted);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends webhooks, each until it is accepted.
async fn hook_many(client: Client, path: String, started: Started) {
    let mut number = started.hooks.lock().expect("nothing panics with it").len();
    while !started.ends.load(Ordering::Relaxed) {
        let headers = [("x-gitlab-token", SECRET), ("idempotency-key", &format!("hook{number}"))];
        let body = json!({"n": number}).to_string();
        match client.try_rest(&format!("POST {path}"), &headers, body).await {
            Ok(answer) if answer.status == 202 => {
                started.hooks.lock().expect("nothing panics with it").insert(number);
                number += 1;
            }
            Ok(answer) => assert!(answer.status >= 500 || answer.status == 429, "{}", answer.text()),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn hook(client: &Client, graph: &str) -> Trigger {
    let source = WebhookSource {
        provider: WebhookProvider::Gitlab.into(),
        secrets: vec![SECRET.into()],
        ..WebhookSource::default()
    };
    let trigger = Trigger {
        graph: graph.into(),
        source: Some(Source::Webhook(source)),
        input: Some(weft_kit::json::to_struct(json!({"n": "${event.body.n}"}))),
        ..Trigger::default()
    };
    let request = CreateTriggerRequest {
        parent: "projects/p1".into(),
        trigger_id: "hook".into(),
        trigger: Some(trigger),
        request_id: String::new(),
    };
    client.triggers().create_trigger(request).await.expect("it can be one").into_inner()
}

/// Asks until somebody answers.
async fn answered<T>(what: &str, call: impl AsyncFn() -> Result<T, tonic::Status>) -> T {
    let asked = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(status) => assert!(is_passing(status.code()), "{what}: {status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(STILL, asked).await.unwrap_or_else(|_| panic!("nobody answers: {what}"))
}

async fn ended(client: &Client, name: &str) -> Execution {
    let begun = Instant::now();
    loop {
        let execution = answered(name, async || {
            let request = GetExecutionRequest { name: name.to_owned() };
            Ok(client.executions().get_execution(request).await?.into_inner())
        });
        let execution = execution.await;
        if execution.end_time.is_some() {
            return execution;
        }
        assert!(begun.elapsed() < STILL, "{name} stands still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn runs_of(client: &Client, project: usize) -> Vec<Execution> {
    let mut request = ListExecutionsRequest {
        parent: format!("projects/p{project}"),
        page_size: 500,
        ..ListExecutionsRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page =
            client.executions().list_executions(request.clone()).await.expect("all is well").into_inner();
        all.extend(page.executions);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

async fn deliveries(client: &Client, trigger: &str) -> Vec<Delivery> {
    let mut request =
        ListDeliveriesRequest { parent: trigger.into(), page_size: 500, ..ListDeliveriesRequest::default() };
    let mut all = Vec::new();
    loop {
        let page =
            client.triggers().list_deliveries(request.clone()).await.expect("all is well").into_inner();
        all.extend(page.deliveries);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_what_was_accepted_happens_once() {
    if Backends::are_left_out() {
        return;
    }
    let rounds = variable("WEFT_FAULT_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let seed = variable("WEFT_FAULT_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("WEFT_FAULT_SEED={seed}");
    let mut chance = Chance(seed);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let ledger = Ledger::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(ledger.clone().serve(listener));
    let mut world = World::start(folder.path()).await;
    let mut graphs = Vec::new();
    for project in 0..PROJECTS {
        graphs.push(workflow(&world.mesh.base.client(), project, &url).await);
    }
    let hook = hook(&world.at_edge(), &graphs[1]).await;
    let Some(Source::Webhook(webhook)) = &hook.source else { panic!("it is a webhook") };
    world.worker.start();

    let started = Started::default();
    let mut starters = JoinSet::new();
    for _ in 0..3 {
        starters.spawn(start_many(world.clients(), graphs.clone(), started.clone()));
    }
    starters.spawn(hook_many(world.at_edge(), webhook.path.clone(), started.clone()));
    let mut deaths = BTreeMap::<Who, u32>::new();
    let until_more = async |more: usize| {
        let (begun, before) = (Instant::now(), started.count());
        while started.count() < before + more {
            assert!(begun.elapsed() < STILL, "nothing is accepted any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    for round in 0..rounds {
        until_more(STARTED).await;
        tokio::time::sleep(Duration::from_millis(chance.below(100))).await;
        // Each once, before chance decides.
        let who = Who::ALL.get(round).copied().unwrap_or_else(|| Who::ALL[chance.below(8) as usize]);
        let killed = Instant::now();
        world.kill(who);
        // Sometimes somebody else before it is back.
        let other =
            (chance.below(4) == 0).then(|| Who::ALL[chance.below(8) as usize]).filter(|other| *other != who);
        tokio::time::sleep(Duration::from_millis(chance.below(1_500))).await;
        if let Some(other) = other {
            world.kill(other);
        }
        // A process that finds no database when it starts ends at once, for whoever has started it to see.
        let mut dead: Vec<Who> = [Some(who), other].into_iter().flatten().collect();
        dead.sort_by_key(|who| *who != Who::Postgres);
        for who in dead {
            world.start_again(who).await;
            *deaths.entry(who).or_default() += 1;
        }
        until_more(STARTED).await;
        eprintln!(
            "round {round}: {who:?}, then {other:?}; more was accepted {:?} after its death",
            killed.elapsed()
        );
    }
    started.ends.store(true, Ordering::Relaxed);
    while let Some(ended) = starters.join_next().await {
        ended.expect("starters do not fail");
    }
    check(&mut world, &started, &ledger, (&hook.name, &deaths)).await;
}

/// Everything that was accepted has happened, once, as it is told by who reads it back from the disk.
async fn check(
    world: &mut World,
    started: &Started,
    ledger: &Ledger,
    (hook, deaths): (&str, &BTreeMap<Who, u32>),
) {
    let accepted = started.accepted.lock().expect("nothing panics with it").clone();
    for name in accepted.values() {
        ended(&world.mesh.at(0), name).await;
    }
    let hooks = started.hooks.lock().expect("nothing panics with it").clone();
    let begun = Instant::now();
    let delivered = loop {
        let all = deliveries(&world.at_edge(), hook).await;
        if all.iter().all(|one| one.state() == DeliveryState::Started) {
            break all;
        }
        assert!(begun.elapsed() < STILL, "a delivery stands still");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // One that was not answered may have been accepted: the next one was only sent after it.
    assert!(
        (hooks.len()..=hooks.len() + 1).contains(&delivered.len()),
        "{} of {}",
        delivered.len(),
        hooks.len()
    );
    for delivery in &delivered {
        ended(&world.mesh.at(0), &delivery.execution).await;
    }
    // What is in memory is not believed.
    for process in &mut world.mesh.processes {
        process.kill();
        process.start();
    }
    world.mesh.shared().await;
    let client = world.mesh.at(2);
    let mut of_number = BTreeMap::<u64, Vec<String>>::new();
    let (mut again, mut calls) = (0, 0);
    let most: u32 = deaths.values().sum();
    for project in 0..PROJECTS {
        let mut calls_of_project = Vec::new();
        for run in runs_of(&client, project).await {
            let run = ended(&client, &run.name).await;
            assert_eq!(run.state(), ExecutionState::Succeeded, "{}: {:?}", run.name, run.error);
            assert_eq!(workflows::value(run.output.as_ref()), json!(84), "{}", run.name);
            let steps = workflows::steps(&client, &run.name).await;
            assert_eq!(steps.len(), 7, "{}", run.name);
            for step in steps {
                assert_eq!(step.state(), StepState::Succeeded, "{}", step.name);
                if step.kind == "http" {
                    let asked = ledger.asked(&step.uid);
                    assert!((1..=1 + most + step.failure_count.unsigned_abs()).contains(&asked), "{asked}");
                    (again, calls) = (again + asked - 1, calls + 1);
                    calls_of_project.push(step.uid);
                }
            }
            let given = weft_kit::json::of_struct(&run.input.unwrap_or_default());
            let is_hook = delivered.iter().any(|delivery| delivery.execution == run.name);
            if !is_hook {
                let number = given["n"].as_f64().expect("it was given one") as u64;
                of_number.entry(number).or_default().push(run.name);
            }
        }
        assert_eq!(calls_of_project.iter().collect::<BTreeSet<_>>().len(), calls_of_project.len());
    }
    for (number, name) in &accepted {
        assert_eq!(of_number.remove(&(*number as u64)), Some(vec![name.clone()]), "request {number}");
    }
    // All requests were repeated until they were accepted.
    assert!(of_number.is_empty(), "nobody has started these: {of_number:?}");
    assert!(again < calls / 4, "only what was at work is begun again: {again} of {calls}");
    let asked = ledger.most_at_once();
    assert!(asked <= PROJECTS * AT_ONCE, "{asked} asked at once");
    eprintln!(
        "{} runs, {} webhooks, {deaths:?}; {again} of {calls} calls were made again, {asked} at once at most",
        accepted.len(),
        delivered.len()
    );
    let request = ListWorkersRequest { parent: "projects/p0".into(), ..ListWorkersRequest::default() };
    let begun = Instant::now();
    loop {
        let workers = answered("workers", async || {
            Ok(client.workers().list_workers(request.clone()).await?.into_inner())
        });
        let workers = workers.await.workers;
        if workers.len() == 1 && workers[0].task_count == 0 {
            break;
        }
        assert!(begun.elapsed() < STILL, "it has something left: {workers:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
