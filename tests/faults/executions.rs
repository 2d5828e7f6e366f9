//! kill -9 while executions run: none that was accepted is lost, each ends with what it should give, and no step that
//! has finished is run again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use weft_proto::weft::execution::v1::{ExecutionState, StepState};
use weft_tests::{
    client::Client,
    process::Process,
    workflows::{self, node, way},
};

/// How often the program is killed.
const KILLS: usize = 5;
/// Executions that are started before each.
const STARTED: usize = 40;

/// A server that counts how often each step of each run asked it, and how often it was answered.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    by_key: HashMap<String, u32>,
    /// How many ask at this moment, and how many did at most.
    now: usize,
    most: usize,
}

impl Ledger {
    /// Serves until its task ends.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (mut socket, _) = listener.accept().await.expect("it listens");
            let ledger = self.clone();
            connections.spawn(async move {
                let mut read = Vec::new();
                loop {
                    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                        let mut piece = [0; 1024];
                        match socket.read(&mut piece).await {
                            Ok(0) | Err(_) => return,
                            Ok(length) => read.extend_from_slice(&piece[..length]),
                        }
                    }
                    let head = String::from_utf8_lossy(&read).to_lowercase();
                    read.clear();
                    let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
                    let key = key.expect("every call carries its key").trim().to_owned();
                    ledger.note(key);
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    ledger.0.lock().expect("nothing panics with it").now -= 1;
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n42";
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    fn note(&self, key: String) {
        let mut asked = self.0.lock().expect("nothing panics with it");
        *asked.by_key.entry(key).or_default() += 1;
        asked.now += 1;
        asked.most = asked.most.max(asked.now);
    }

    pub(crate) fn asked(&self, key: &str) -> u32 {
        self.0.lock().expect("nothing panics with it").by_key.get(key).copied().unwrap_or(0)
    }

    /// How many were asking at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.lock().expect("nothing panics with it").most
    }
}

/// Starts executions until told to end; what was answered was accepted.
async fn start_many(client: Client, graph: String, accepted: Arc<Mutex<Vec<String>>>, ends: Arc<AtomicBool>) {
    while !ends.load(Ordering::Relaxed) {
        let request = workflows::request(&graph, json!({"n": 1}));
        match client.executions().create_execution(request).await {
            Ok(created) => accepted.lock().expect("nothing panics with it").push(created.into_inner().name),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_executions_outlive_their_processes_and_repeat_nothing() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let ledger = Ledger::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(ledger.clone().serve(listener));
    let mut process =
        Process::up(&folder.path().join("data")).set("EXECUTION__HTTP_NETWORKS", "[\"127.0.0.0/8\"]");
    process.start();
    let call = |key: &str| node(key, "http", json!({"url": url, "retry": {"attempts": 9, "first": "50ms"}}));
    let mut changes =
        vec![node("start", "input", json!({})), node("first", "noop", json!({})), way("start", "", "first")];
    changes.extend([node("join", "merge", json!({})), node("later", "delay", json!({"for": "30ms"}))]);
    for key in ["a", "b", "c"] {
        changes.extend([call(key), way("first", "", key), way(key, "", "join")]);
    }
    changes.extend([call("last"), node("sum", "set", json!({"value": "${steps.a.body + input.body}"}))]);
    changes.extend([node("end", "output", json!({})), way("join", "", "later"), way("later", "", "last")]);
    changes.extend([way("last", "", "sum"), way("sum", "", "end")]);
    let graph = workflows::create(&process.client(), "calls", changes).await;
    let accepted = Arc::new(Mutex::new(Vec::new()));
    // Steps that were seen to have ended, and when: they must never end at another time.
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for kill in 0..KILLS {
        let ends = Arc::new(AtomicBool::new(false));
        let mut starters = JoinSet::new();
        for _ in 0..4 {
            let (client, graph) = (process.client(), graph.clone());
            starters.spawn(start_many(client, graph, Arc::clone(&accepted), Arc::clone(&ends)));
        }
        let before = accepted.lock().expect("nothing panics with it").len();
        while accepted.lock().expect("nothing panics with it").len() < before + STARTED {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // While some of them are at their first calls, some wait, and some have ended.
        tokio::time::sleep(Duration::from_millis(7 * kill as u64)).await;
        let names = accepted.lock().expect("nothing panics with it").clone();
        for name in names.iter().rev().take(10) {
            for step in workflows::steps(&process.client(), name).await {
                if step.state() == StepState::Succeeded {
                    seen.insert(step.name, format!("{:?}", step.end_time));
                }
            }
        }
        process.kill();
        ends.store(true, Ordering::Relaxed);
        while starters.join_next().await.is_some() {}
        process.start();
    }
    let client = process.client();
    let accepted = accepted.lock().expect("nothing panics with it").clone();
    let mut calls_again = 0;
    for name in &accepted {
        let ended = workflows::ended(&client, name).await;
        assert_eq!(ended.state(), ExecutionState::Succeeded, "{name}: {:?}", ended.error);
        assert_eq!(workflows::value(ended.output.as_ref()), json!(84), "{name}");
        for step in workflows::steps(&client, name).await {
            assert_eq!(step.state(), StepState::Succeeded, "{}", step.name);
            if let Some(before) = seen.get(&step.name) {
                assert_eq!(*before, format!("{:?}", step.end_time), "{} was run again", step.name);
            }
            if step.kind == "http" {
                let asked = ledger.asked(&step.uid);
                // Once, and once more for each death that came between its call and its end.
                assert!(
                    (1..=1 + KILLS as u32 + step.failure_count.unsigned_abs()).contains(&asked),
                    "{asked}"
                );
                calls_again += asked - 1;
            }
        }
    }
    assert!(accepted.len() >= KILLS * STARTED && !seen.is_empty());
    let calls = accepted.len() as u32 * 4;
    assert!(calls_again < calls / 4, "only what was at work is begun again: {calls_again} of {calls}");
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}
