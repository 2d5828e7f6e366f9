//! Many graphs of many users: reading one, listing a user's, and starting one, with a few of them and with many. What
//! takes longer where there are more does not scale.
//!
//! A workflow graph is made over the contract; the others are copies of its rows, made in the database, because ten
//! million calls take longer than what is measured.

mod fill;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tonic::transport::Channel;
use weft_proto::weft::{
    execution::v1::{
        CreateExecutionRequest, Execution, ExecutionState, ListExecutionsRequest,
        execution_service_client::ExecutionServiceClient,
    },
    graph::v1::{GetGraphRequest, ListGraphsRequest, graph_service_client::GraphServiceClient},
};
use weft_tests::{database::Backends, runtime::signed};

use crate::{
    executions::diamond,
    mesh::Mesh,
    report::{Better, Report, median},
};
use fill::{Database, GRAPHS_OF_USER, graph_of, user};

/// Graphs of the smaller of two measurements.
const FEW: u64 = 100_000;
/// Calls at once: as many as two cores bear without waiting in line for long.
const AT_ONCE: u64 = 8;
/// Calls of one measurement.
const READS: u64 = 8_000;
/// Runs of one measurement.
const RUNS: u64 = 2_000;

/// What calls took with so many graphs.
struct Times {
    get: Spread,
    list: Spread,
    start: Spread,
    runs: Spread,
}

#[derive(Clone, Copy)]
struct Spread {
    half: f64,
    late: f64,
}

struct Load {
    graphs: GraphServiceClient<Channel>,
    executions: ExecutionServiceClient<Channel>,
    key: String,
    count: u64,
}

pub(crate) async fn measure(rounds: u32, count: u64, with_servers: bool) -> Result<Report> {
    let count = count.max(10 * FEW);
    let mut report = Report::new("graphs");
    let database = |mesh: &Mesh| Database::Sqlite(mesh.database());
    Box::pin(figures(&mut report, "", Mesh::start().await?, database, (rounds, count))).await?;
    if with_servers {
        let backends = Backends::find().await.context("there are servers")?;
        let database = |_: &Mesh| Database::Postgres(backends.postgres.clone());
        let mesh = Mesh::over(&backends).await?;
        let measured = Box::pin(figures(&mut report, "PostgreSQL: ", mesh, database, (rounds, count))).await;
        backends.remove().await;
        measured?;
    }
    Ok(report)
}

async fn figures(
    report: &mut Report,
    of: &str,
    mesh: Mesh,
    database: impl Fn(&Mesh) -> Database,
    (rounds, count): (u32, u64),
) -> Result<()> {
    let database = database(&mesh);
    diamond(&mesh, "noop").await?;
    let began = Instant::now();
    let mesh = mesh.restart_after(async || fill::fill(&database, 0..FEW).await).await?;
    let few = Load::new(&mesh, FEW).times(rounds).await?;
    tracing::info!(graphs = FEW, took = ?began.elapsed(), "measured");
    let before = database.bytes().await?;
    let mesh = mesh.restart_after(async || fill::fill(&database, FEW..count).await).await?;
    let bytes = (database.bytes().await? - before) / (count - FEW) as f64;
    tracing::info!(graphs = count, took = ?began.elapsed(), bytes, "filled");
    let many = Load::new(&mesh, count).times(rounds).await?;
    tracing::info!(graphs = count, took = ?began.elapsed(), "measured");
    mesh.stop().await;

    let rows = [
        ("get one", few.get, many.get, 5.0),
        ("list a user's hundred", few.list, many.list, 20.0),
        ("start one", few.start, many.start, 50.0),
        ("list a user's runs", few.runs, many.runs, 20.0),
    ];
    for (what, few, many, goal) in rows {
        report.add(format!("{of}{what}, {count} graphs, p50"), many.half, "ms", goal, Better::Lower);
        report.add(format!("{of}{what}, {FEW} graphs, p99"), few.late, "ms", goal, Better::Lower);
        report.add(format!("{of}{what}, {count} graphs, p99"), many.late, "ms", goal, Better::Lower);
        let times = many.late / few.late;
        report.add(format!("{of}{what}, p99 by that of {FEW}"), times, "times", 1.3, Better::Lower);
    }
    report.add(format!("{of}a graph of 12 nodes in the database"), bytes, "bytes", 4_096.0, Better::Lower);
    Ok(())
}

impl Load {
    fn new(mesh: &Mesh, count: u64) -> Self {
        Self {
            graphs: GraphServiceClient::new(mesh.channel.clone()),
            executions: ExecutionServiceClient::new(mesh.channel.clone()),
            key: mesh.key.clone(),
            count,
        }
    }

    /// Medians of all rounds, after one that does not count.
    async fn times(&self, rounds: u32) -> Result<Times> {
        let (mut get, mut list, mut start, mut runs) = (vec![], vec![], vec![], vec![]);
        for round in 0..=u64::from(rounds) {
            get.push(self.spread(READS, round, async |at| self.get(at).await).await?);
            list.push(self.spread(READS / 4, round, async |at| self.list(at).await).await?);
            start.push(self.spread(RUNS, round, async |at| self.start(at).await).await?);
            runs.push(self.spread(READS / 4, round, async |at| self.runs(at).await).await?);
        }
        let middle = |all: Vec<Spread>| Spread {
            half: median(all.iter().skip(1).map(|spread| spread.half).collect()),
            late: median(all.iter().skip(1).map(|spread| spread.late).collect()),
        };
        Ok(Times { get: middle(get), list: middle(list), start: middle(start), runs: middle(runs) })
    }

    /// So many calls about graphs all over the place, a few at once: what they took in milliseconds.
    async fn spread(&self, calls: u64, round: u64, call: impl AsyncFn(u64) -> Result<()>) -> Result<Spread> {
        let call = &call;
        let one = |first: u64| async move {
            let mut times = Vec::new();
            for number in (first..calls).step_by(AT_ONCE as usize) {
                let begin = Instant::now();
                call(spread_over(round * calls + number, self.count)).await?;
                times.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(times)
        };
        let all = try_join_all((0..AT_ONCE).map(one)).await?;
        let mut times: Vec<f64> = all.into_iter().flatten().collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times.get(((times.len() as f64 - 1.0) * part) as usize).copied();
        let (half, late) = (at(0.5).context("there were calls")?, at(0.99).context("there were calls")?);
        Ok(Spread { half, late })
    }

    async fn get(&self, at: u64) -> Result<()> {
        let request = GetGraphRequest { name: graph_of(at) };
        let graph = self.graphs.clone().get_graph(signed(request, &self.key)).await?.into_inner();
        ensure!(graph.node_count == 12, "{graph:?}");
        Ok(())
    }

    async fn list(&self, at: u64) -> Result<()> {
        let request = ListGraphsRequest { parent: user(at), page_size: 100, ..ListGraphsRequest::default() };
        let listed = self.graphs.clone().list_graphs(signed(request, &self.key)).await?.into_inner();
        ensure!(listed.graphs.len() as u64 == GRAPHS_OF_USER, "{} graphs", listed.graphs.len());
        Ok(())
    }

    /// Starts one and waits for its end: ten steps in four generations.
    async fn start(&self, at: u64) -> Result<()> {
        let request = CreateExecutionRequest {
            parent: user(at),
            execution: Some(Execution { graph: graph_of(at), ..Execution::default() }),
            wait_duration: Some(weft_kit::span::of(Duration::from_secs(30))),
            ..CreateExecutionRequest::default()
        };
        let request = signed(request, &self.key);
        let ended = self.executions.clone().create_execution(request).await?.into_inner();
        ensure!(ended.state() == ExecutionState::Succeeded, "{:?}", ended.error);
        Ok(())
    }

    async fn runs(&self, at: u64) -> Result<()> {
        let request =
            ListExecutionsRequest { parent: user(at), page_size: 50, ..ListExecutionsRequest::default() };
        self.executions.clone().list_executions(signed(request, &self.key)).await?;
        Ok(())
    }
}

/// Which of so many it is the turn of: all over the place, the same in every run (SplitMix64, Steele and others, 2014).
fn spread_over(number: u64, count: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % count
}
