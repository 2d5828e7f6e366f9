//! Measures the mesh: `weft-load SCENARIO [--json]`.
//!
//! Each scenario starts what it needs on loopback, ends by itself within five minutes, and prints
//! what it measured: medians of at least three rounds, beside the goal, and beside a peer where
//! there is one, measured in turn in the same run. Whatever holds, the exit code is 0: a
//! measurement is not a verdict.

mod analytics;
mod attacks;
mod commands;
mod drain;
mod executions;
mod files;
mod gateway;
mod graph;
mod graphs;
mod input;
mod layout;
mod mesh;
mod notes;
mod peers;
mod positions;
mod queue;
mod report;
mod rpc;
mod shown;
mod sockets;
mod telemetry;
mod triggers;
mod workers;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use mimalloc::MiMalloc;
use weft_kit::{config::ObserveOptions, observe};

/// As the program has it, so that clients cost no more than servers, and bare peers have what it has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measure the mesh on this machine.
#[derive(Debug, Parser)]
#[command(name = "weft-load", version)]
struct Arguments {
    /// What to measure.
    scenario: Scenario,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Rounds; the median of them counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=9))]
    rounds: u32,
    /// Envoy's program, which `gateway` measures against; `tools/setup bench` installs it.
    #[arg(long, value_name = "PATH", default_value = "envoy")]
    envoy: PathBuf,
    /// h2load's program, nghttp2's load generator, which calls in `gateway`; `tools/setup bench` installs it.
    #[arg(long, value_name = "PATH", default_value = "h2load")]
    h2load: PathBuf,
    /// nats-server's program, which `sockets` measures against; `tools/setup bench` installs it.
    #[arg(long, value_name = "PATH", default_value = "nats-server")]
    nats: PathBuf,
    /// Measure `sockets`, `analytics`, `layout` or `telemetry` without its peers: for those who work on ours.
    #[arg(long)]
    alone: bool,
    /// Measure `executions`, `queue` or `graphs` over PostgreSQL and Redis too, where tests find theirs (`tools/with-servers`).
    #[arg(long)]
    servers: bool,
    /// Measure `executions` with workers in another process, which do eight of the ten steps over gRPC.
    #[arg(long)]
    remote: bool,
    /// Hosts of `telemetry`, each with 20 series of 500 samples.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    hosts: u32,
    /// Graphs of `graphs`: it takes about five minutes for a million, and an hour and 15 GB for ten million.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000_000..=100_000_000))]
    count: u64,
    /// A graph for `analytics` or `layout`, in a format that is imported; the packages of Debian if not given.
    #[arg(long = "graph", value_name = "FILE")]
    graphs: Vec<PathBuf>,
    /// Tell what is measured on the way (standard error).
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Analyses of a real graph and of one of a million nodes, against igraph, networkit and the crate `graph`.
    Analytics,
    /// What floods, half-open connections, clients that read nothing and idle streams do to others.
    Attacks,
    /// What those notice who call a gateway that is told to end, with another one beside it.
    Drain,
    /// Calls and streams through the runtime with all its stages, against bare tonic.
    Rpc,
    /// Import, questions and the change stream of a real graph; its formats, and its memory.
    Graph,
    /// Get, list and start workflow graphs where there are a hundred thousand, and where there are `--count`.
    Graphs,
    /// Commands from a client to agents on their own streams, and their results on disk.
    Commands,
    /// Runs of a workflow graph of ten steps, each generation on disk before the next.
    Executions,
    /// REST, gRPC-web, Connect and gRPC through the gateway, against Envoy with the same service behind it.
    Gateway,
    /// Steps of a layout, its quality and the time it takes, against d3, graphology, ngraph, igraph and crategraph.
    Layout,
    /// Positions of 100,000 nodes to 1, 10 and 100 viewers: rate, size, time from step to socket.
    Positions,
    /// From the start of a run to its task at a worker: alone, at a rate, with many that wait, and beside a flood.
    Queue,
    /// 10,000 WebSockets: memory of idle ones, and a change stream to all of them, against a bare server and NATS.
    Sockets,
    /// Samples by remote write and by the report stream, on disk, and questions about them, against VictoriaMetrics and
    /// Prometheus where they are installed.
    Telemetry,
    /// Webhooks, each signed, verified and on disk before it is answered; with and without their runs.
    Triggers,
    /// Not a scenario: the bare server of `sockets`, until standard input ends.
    #[value(hide = true)]
    Broadcast,
    /// Not a scenario: the workers of `executions --remote`, told by standard input where and with which key.
    #[value(hide = true)]
    Workers,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // Logs go where the program's do, or the spans of all libraries would be turned into log lines for nobody.
    let log = if arguments.verbose { "warn,weft_load=info" } else { "warn" };
    let options = ObserveOptions { log: log.into(), ..ObserveOptions::default() };
    let _observation = observe::start(&options, "weft-load").map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if arguments.scenario == Scenario::Broadcast {
        return runtime.block_on(sockets::serve());
    }
    if arguments.scenario == Scenario::Workers {
        return runtime.block_on(workers::serve());
    }
    let report = runtime.block_on(async {
        match arguments.scenario {
            Scenario::Analytics => {
                Box::pin(analytics::measure(arguments.rounds, &arguments.graphs, arguments.alone)).await
            }
            Scenario::Attacks => attacks::measure(arguments.rounds).await,
            Scenario::Commands => Box::pin(commands::measure(arguments.rounds)).await,
            Scenario::Executions => {
                let Arguments { rounds, servers, remote, .. } = arguments;
                Box::pin(executions::measure(rounds, servers, remote)).await
            }
            Scenario::Drain => drain::measure(arguments.rounds).await,
            Scenario::Rpc => rpc::measure(arguments.rounds).await,
            Scenario::Graph => Box::pin(graph::measure(arguments.rounds)).await,
            Scenario::Graphs => {
                Box::pin(graphs::measure(arguments.rounds, arguments.count, arguments.servers)).await
            }
            Scenario::Gateway => {
                gateway::measure(arguments.rounds, &arguments.envoy, &arguments.h2load).await
            }
            Scenario::Layout => layout::measure(arguments.rounds, &arguments.graphs, arguments.alone),
            Scenario::Positions => Box::pin(positions::measure(arguments.rounds)).await,
            Scenario::Queue => Box::pin(queue::measure(arguments.rounds, arguments.servers)).await,
            Scenario::Telemetry => {
                Box::pin(telemetry::measure(arguments.rounds, arguments.hosts as usize, arguments.alone))
                    .await
            }
            Scenario::Triggers => Box::pin(triggers::measure(arguments.rounds)).await,
            Scenario::Sockets | Scenario::Broadcast | Scenario::Workers => {
                sockets::measure(arguments.rounds, arguments.alone, &arguments.nats).await
            }
        }
    })?;
    report.print(arguments.json)?;
    runtime.shutdown_background();
    Ok(())
}
