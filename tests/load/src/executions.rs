//! Runs of a workflow graph: accepted on disk, each generation of steps on disk before the next begins, and the answer
//! when the run has ended. The diamond is a source, eight in parallel and a sink that act outside and do nothing; client
//! and mesh are in this process, with a socket between them. With `--remote` workers in another process do the eight.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tonic::transport::Channel;
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, ExecutionState, execution_service_client::ExecutionServiceClient,
    },
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, GraphKind, Node,
        NodeUpsert, change,
    },
};
use weft_tests::{database::Backends, runtime::signed};

use crate::{
    mesh::Mesh,
    report::{Better, Report, median},
    workers::{QUEUE, Workers},
};

const PARENT: &str = "projects/default";
/// Steps of a run that do something.
const STEPS: f64 = 10.0;
/// Length of one measurement.
const SPAN: Duration = Duration::from_secs(3);

pub(crate) fn node(key: &str, kind: &str) -> Change {
    let queue = || weft_kit::json::to_struct(serde_json::json!({"queue": QUEUE})).into();
    let properties = (kind == "task").then(queue);
    let node = Node { key: key.into(), r#type: kind.into(), properties, ..Node::default() };
    Change { change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })) }
}

pub(crate) fn edge(source: &str, target: &str) -> Change {
    let edge = Edge { source: source.into(), target: target.into(), ..Edge::default() };
    Change { change: Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })) }
}

/// Makes the diamond, `diamond` of the project, with steps of a kind in the middle.
pub(crate) async fn diamond(mesh: &Mesh, middle: &str) -> Result<String> {
    let request = CreateGraphRequest {
        parent: PARENT.into(),
        graph_id: "diamond".into(),
        graph: Some(Graph { kind: GraphKind::Workflow.into(), ..Graph::default() }),
        request_id: String::new(),
    };
    let graph = mesh.graphs().create_graph(signed(request, &mesh.key)).await?.into_inner().name;
    let mut changes =
        vec![node("begin", "input"), node("source", "noop"), node("join", "merge"), node("sink", "noop")];
    changes.extend([edge("begin", "source"), edge("join", "sink")]);
    for at in 0..8 {
        let key = format!("n{at}");
        changes.extend([node(&key, middle), edge("source", &key), edge(&key, "join")]);
    }
    let request = ApplyChangesRequest { graph: graph.clone(), changes, ..ApplyChangesRequest::default() };
    mesh.graphs().apply_changes(signed(request, &mesh.key)).await?;
    Ok(graph)
}

struct Load<'a> {
    client: ExecutionServiceClient<Channel>,
    key: &'a str,
    graph: &'a str,
}

impl Load<'_> {
    /// One run to its end.
    async fn run(&self) -> Result<()> {
        let execution = Execution { graph: self.graph.into(), ..Execution::default() };
        let request = CreateExecutionRequest {
            parent: PARENT.into(),
            execution: Some(execution),
            wait_duration: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
            ..CreateExecutionRequest::default()
        };
        let ended = self.client.clone().create_execution(signed(request, self.key)).await?.into_inner();
        ensure!(ended.state() == ExecutionState::Succeeded, "{:?}", ended.error);
        Ok(())
    }

    /// So many at once, for a while: runs per second, and how long each took in milliseconds, sorted.
    async fn many(&self, at_once: usize, span: Duration) -> Result<(f64, Vec<f64>)> {
        let begin = Instant::now();
        let one = || async {
            let mut times = Vec::new();
            while begin.elapsed() < span {
                let started = Instant::now();
                self.run().await?;
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(times)
        };
        let all = try_join_all((0..at_once).map(|_| one())).await?;
        let mut times: Vec<f64> = all.into_iter().flatten().collect();
        let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        Ok((rate, times))
    }
}

fn at(sorted: &[f64], part: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN)
}

/// Bytes that this process has had written to disks.
fn written() -> Result<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("the kernel counts bytes")?.parse()?)
}

/// What the runs of one mesh came to: the median of all rounds.
struct Figures {
    rate: f64,
    half: f64,
    late: f64,
    alone: f64,
    bytes: f64,
}

async fn figures(mesh: Mesh, rounds: u32, remote: bool) -> Result<Figures> {
    let graph = diamond(&mesh, if remote { "task" } else { "noop" }).await?;
    let workers = if remote { Some(Workers::start(&mesh.url(), &mesh.key)?) } else { None };
    let client = ExecutionServiceClient::new(mesh.channel.clone());
    let load = Load { client, key: &mesh.key, graph: &graph };
    load.many(8, Duration::from_millis(500)).await?;
    let (mut rates, mut halves, mut lates, mut alone, mut bytes) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (_, times) = load.many(1, Duration::from_secs(1)).await?;
        alone.push(at(&times, 0.5));
        let before = written()?;
        let (rate, times) = load.many(64, SPAN).await?;
        bytes.push((written()? - before) / (times.len() as f64 * STEPS));
        rates.push(rate);
        halves.push(at(&times, 0.5));
        lates.push(at(&times, 0.99));
    }
    // Before the mesh, whose end they would call an error.
    drop(workers);
    mesh.stop().await;
    Ok(Figures {
        rate: median(rates),
        half: median(halves),
        late: median(lates),
        alone: median(alone),
        bytes: median(bytes),
    })
}

pub(crate) async fn measure(rounds: u32, with_servers: bool, remote: bool) -> Result<Report> {
    let mut report = Report::new("executions");
    let Figures { rate, half, late, alone, bytes } =
        Box::pin(figures(Mesh::start().await?, rounds, false)).await?;
    report.add("diamonds of 10 steps, 64 in flight", rate, "runs/s", 5_000.0, Better::Higher);
    report.add("64 in flight, started to ended, p50", half, "ms", 15.0, Better::Lower);
    report.add("64 in flight, started to ended, p99", late, "ms", 50.0, Better::Lower);
    report.add("one alone, started to ended, p50", alone, "ms", 3.0, Better::Lower);
    report.add("written for a step", bytes, "bytes", 400.0, Better::Lower);
    if remote {
        let found = Box::pin(figures(Mesh::start().await?, rounds, true)).await?;
        let Figures { rate, half, late, alone, .. } = found;
        report.add("remote workers: diamonds, 64 in flight", rate, "runs/s", 1_500.0, Better::Higher);
        report.add("remote workers: 64 in flight, p50", half, "ms", 50.0, Better::Lower);
        report.add("remote workers: 64 in flight, p99", late, "ms", 150.0, Better::Lower);
        report.add("remote workers: one alone, p50", alone, "ms", 10.0, Better::Lower);
    }
    if with_servers {
        let backends = Backends::find().await.context("there are servers")?;
        let found = Box::pin(figures(Mesh::over(&backends).await?, rounds, false)).await;
        backends.remove().await;
        let Figures { rate, half, late, alone, .. } = found?;
        report.add("PostgreSQL: diamonds, 64 in flight", rate, "runs/s", 1_500.0, Better::Higher);
        report.add("PostgreSQL: 64 in flight, p50", half, "ms", 50.0, Better::Lower);
        report.add("PostgreSQL: 64 in flight, p99", late, "ms", 150.0, Better::Lower);
        report.add("PostgreSQL: one alone, p50", alone, "ms", 15.0, Better::Lower);
    }
    Ok(report)
}
