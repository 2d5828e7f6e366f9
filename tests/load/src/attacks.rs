//! What attacks do to somebody else: the real program is flooded, half opened, left unread and filled
//! with idle streams, while a decent client calls it one call after the other. Attackers and client share
//! the machine with the program: what attackers compute is missing from it, whatever the program does.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::future::join_all;
use prost::Message;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, timeout},
};
use weft_proto::weft::{graph::v1::WatchGraphRequest, identity::v1::Role};
use weft_tests::{
    client::Client,
    graphs,
    process::{Process, open_files},
    wire::{self, END_STREAM, Flood, HalfOpen, frame, greet, kind, open, stranger},
};

use crate::{
    report::{Better, Report, median, percentile},
    rpc::now,
};

/// How long each attack lasts.
const SPAN: Duration = Duration::from_secs(1);
/// When an attacker that was cut off comes back, from an address of its own.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections of each attack.
const ATTACKERS: usize = 4;
/// Half-open connections of each kind, and idle streams.
const HALF_OPEN: usize = 2_000;
const IDLE: usize = 10_000;
const GRAPH: &str = "projects/p/graphs/g";
/// For streams that their client gives no room.
const STALL_TIMEOUT: &str = "3s";

struct Program {
    process: Process,
    client: Client,
    _folder: TempDir,
}

impl Program {
    async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut process = Process::up(&folder.path().join("data"))
            .set("SERVER__STALL_TIMEOUT", STALL_TIMEOUT)
            .set("SERVER__MAX_CONNECTIONS", "12000")
            .set("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "12000")
            .set("LIMITS__MAX_STREAMS", "12000");
        process.start();
        let client = process.client();
        graphs::create(&client, "g").await;
        let program = Self { process, client, _folder: folder };
        program.calls(Duration::from_millis(500)).await;
        program.process.peak_memory();
        Ok(program)
    }

    fn address(&self) -> String {
        self.process.url().trim_start_matches("http://").to_owned()
    }

    /// What it has now, in MiB.
    fn memory(&self) -> u64 {
        // The first forgets the peak, and the second is what there is since.
        self.process.peak_memory();
        self.process.peak_memory()
    }

    /// The times of calls one after the other, in milliseconds.
    async fn calls(&self, span: Duration) -> Vec<f64> {
        let (began, mut times) = (now(), Vec::new());
        while began.elapsed() < span {
            times.push(self.call().await);
        }
        times
    }

    async fn call(&self) -> f64 {
        let began = now();
        graphs::get(&self.client, GRAPH).await;
        millis(began)
    }

    /// Until twenty calls in a row are as fast as nearly all are when nothing else happens.
    async fn until_normal(&self, normal: f64) -> f64 {
        let (began, mut fast) = (now(), 0);
        while fast < 20 && began.elapsed() < 10 * SPAN {
            fast = if self.call().await <= normal { fast + 1 } else { 0 };
        }
        began.elapsed().as_secs_f64()
    }
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    anyhow::ensure!(open_files(16_000) >= 12_000, "it takes 12,000 open files: `ulimit -n`");
    let mut report = Report::new("attacks");
    let program = Program::start().await?;
    for flood in Flood::ALL {
        flooded(&mut report, &program, flood, Comes::FromElsewhere, rounds).await?;
    }
    for flood in Flood::ALL {
        flooded(&mut report, &program, flood, Comes::AtOnce, rounds).await?;
    }
    unread(&mut report, &program).await?;
    for half in HalfOpen::ALL {
        half_open(&mut report, half).await?;
    }
    for on_each in [100, 1] {
        idle(&mut report, on_each).await?;
    }
    Ok(report)
}

/// How an attacker comes back that was cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// After a pause, and from another address each time, as many attackers do.
    FromElsewhere,
    /// At once and always from the same address, as one does. It is soon kept out, and what is left of its attack is
    /// connections that are closed.
    AtOnce,
}

async fn flooded(
    report: &mut Report,
    program: &Program,
    flood: Flood,
    comes: Comes,
    rounds: u32,
) -> Result<()> {
    let (mut ratios, mut cuts, mut normal) = (Vec::new(), Vec::new(), Vec::new());
    program.process.peak_memory();
    let before = program.process.peak_memory();
    for _ in 0..rounds {
        let idle = percentile(program.calls(SPAN).await, 0.99);
        let mut attackers = JoinSet::new();
        let one = stranger();
        for _ in 0..ATTACKERS {
            let address = program.address();
            attackers.spawn(async move {
                let (began, mut cuts) = (now(), Vec::new());
                while began.elapsed() < SPAN {
                    let from = if comes == Comes::AtOnce { one } else { stranger() };
                    // What is not cut within ten seconds is not cut.
                    let cut = flood.pour(from, &address, 10 * SPAN).await;
                    cuts.push(cut.map_or(f64::INFINITY, |cut| cut.as_secs_f64() * 1e3));
                    if comes == Comes::FromElsewhere {
                        sleep(PAUSE).await;
                    }
                }
                cuts
            });
        }
        let attacked = percentile(program.calls(SPAN).await, 0.99);
        cuts.extend(attackers.join_all().await.into_iter().flatten());
        normal.push(program.until_normal(idle * 1.5).await);
        ratios.push(attacked / idle);
    }
    let grown = program.process.peak_memory().saturating_sub(before);
    let name = match comes {
        Comes::FromElsewhere => format!("{flood:?}"),
        Comes::AtOnce => format!("{flood:?}, at once"),
    };
    if comes == Comes::FromElsewhere {
        report.add(format!("{name}: until cut off"), median(cuts), "ms", 1_000.0, Better::Lower);
    }
    report.add(format!("{name}: another's p99, of idle"), median(ratios), "times", 5.0, Better::Lower);
    report.add(format!("{name}: memory"), grown as f64, "MB", 50.0, Better::Lower);
    report.add(format!("{name}: back to normal"), median(normal), "s", 1.0, Better::Lower);
    Ok(())
}

/// Streams whose client gives them no room.
async fn unread(report: &mut Report, program: &Program) -> Result<()> {
    let idle = percentile(program.calls(SPAN).await, 0.99);
    program.process.peak_memory();
    let before = program.process.peak_memory();
    let (mut attackers, began) = (JoinSet::new(), now());
    for _ in 0..ATTACKERS {
        let address = program.address();
        attackers.spawn(async move {
            let (mut from, mut to) = greet(&address, &[0, 4, 0, 0, 0, 0]).await;
            for stream in 0..200 {
                let ask = open(2 * stream + 1, END_STREAM, "GET", "/openapi.json", &[]);
                to.write_all(&ask).await?;
            }
            wire::read_to_end(&mut from, 30 * SPAN).await.context("it is not cut off")?;
            Ok::<_, anyhow::Error>(began.elapsed().as_secs_f64())
        });
    }
    let attacked = percentile(program.calls(2 * SPAN).await, 0.99);
    let cuts = attackers.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let grown = program.process.peak_memory().saturating_sub(before);
    let normal = program.until_normal(idle * 1.5).await;
    let name = "No room for answers";
    report.add(format!("{name}: until cut off ({STALL_TIMEOUT} set)"), median(cuts), "s", 4.0, Better::Lower);
    report.add(format!("{name}: another's p99, of idle"), attacked / idle, "times", 5.0, Better::Lower);
    report.add(format!("{name}: memory"), grown as f64, "MB", 50.0, Better::Lower);
    report.add(format!("{name}: back to normal"), normal, "s", 1.0, Better::Lower);
    Ok(())
}

async fn half_open(report: &mut Report, half: HalfOpen) -> Result<()> {
    // A program of its own: what was opened before has left its mark on the allocator.
    let program = Program::start().await?;
    let address = program.address();
    let before = program.memory();
    let mut lines = Vec::new();
    for _ in 0..HALF_OPEN {
        lines.push(half.leave(&address).await);
    }
    let newcomer = now();
    graphs::get(&program.client.apart(), GRAPH).await;
    let newcomer = millis(newcomer);
    let grown = program.memory().saturating_sub(before) as f64 * 1024.0;
    let closing = join_all(lines.into_iter().map(|(line, began)| wire::closed(line, began)));
    let lived = timeout(30 * SPAN, closing).await.context("they are not closed")?;
    let name = format!("Half open, {half:?}");
    let longest = lived.into_iter().max().unwrap_or_default().as_secs_f64();
    report.add(format!("{name}: all closed"), longest, "s", 10.0, Better::Lower);
    report.add(format!("{name}: memory"), grown / HALF_OPEN as f64, "KB each", 20.0, Better::Lower);
    report.add(format!("{name}: a new client's call"), newcomer, "ms", 100.0, Better::Lower);
    Ok(())
}

/// Streams of gRPC that wait for a graph to change, so many on each connection.
async fn idle(report: &mut Report, on_each: usize) -> Result<()> {
    let program = Program::start().await?;
    let address = program.address();
    let before = program.memory();
    let key = format!("Bearer {}", program.client.new_key("projects/p", Role::Viewer, &[]).await);
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", key.as_str())];
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() }.encode_to_vec();
    let message = [&[0, 0, 0, 0, request.len() as u8], &request[..]].concat();
    let mut lines = Vec::new();
    for _ in 0..IDLE / on_each {
        let (from, mut to) = greet(&address, &[]).await;
        for index in 0..on_each as u32 {
            let stream = 2 * index + 1;
            let ask = open(stream, 0, "POST", "/weft.graph.v1.GraphService/WatchGraph", &headers);
            to.write_all(&[ask, frame(kind::DATA, END_STREAM, stream, &message)].concat()).await?;
        }
        lines.push((from, to));
    }
    let open =
        r#"grpc_server_in_flight{grpc_service="weft.graph.v1.GraphService",grpc_method="WatchGraph"} "#;
    let all = async {
        while !program.client.metrics().await.contains(&format!("{open}{IDLE}\n")) {
            sleep(SPAN / 10).await;
        }
    };
    timeout(20 * SPAN, all).await.context("not all streams were opened")?;
    let grown = program.memory().saturating_sub(before) as f64 * 1024.0;
    let each = grown / IDLE as f64;
    report.add(format!("Idle streams, {on_each} a connection: memory"), each, "KB each", 40.0, Better::Lower);
    Ok(())
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}
