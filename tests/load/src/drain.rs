//! What those notice who call a gateway that is told to end (SIGTERM) while another one stands beside it: callers in every
//! protocol, and streams over gRPC and WebSockets.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Code;
use weft_proto::weft::graph::v1::WatchGraphRequest;
use weft_tests::{
    client::Client,
    gateways::{Way, gateway},
    graphs,
    process::Process,
    refused::Refused,
};

use crate::{
    report::{Better, Report, median},
    rpc::now,
};

const GRAPH: &str = "projects/p/graphs/g";
/// Callers of each protocol, and streams over gRPC and over WebSockets.
const CALLERS: usize = 8;
const STREAMS: usize = 100;
/// Load before the signal, and after the end.
const SPAN: Duration = Duration::from_secs(1);
/// A call that was begun so long before the signal is surely on its way. One that meets a connection that is being closed
/// was never heard of, and its client asks the other gateway: every client of HTTP does.
const ON_ITS_WAY: Duration = Duration::from_millis(20);
/// Longer than the process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a caller went through.
#[derive(Default)]
struct Calls {
    answered: u64,
    refused: u64,
    /// When those were begun that got no answer.
    unanswered: Vec<Instant>,
    /// From the beginning of a call to its answer, by whichever gateway, at most.
    longest: Duration,
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let folder = TempDir::new()?;
    let mut service = Process::serve(&folder.path().join("service"), &["identity", "graph"]);
    service.start();
    graphs::create(&service.client(), "g").await;
    let stays = gateway(folder.path(), "stays", &service);
    let (mut failed, mut again, mut calls, mut untold) = (0, 0, 0, 0);
    let (mut ends, mut longest) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut goes = gateway(folder.path(), &format!("goes-{round}"), &service);
        let client = |process: &Process| Client::new(&process.url(), Some(&service.key()));
        let (mut callers, mut streams) = (JoinSet::new(), JoinSet::new());
        let (stop, stopped) = watch::channel(false);
        for way in Way::ALL {
            for _ in 0..CALLERS {
                callers.spawn(call(way, [client(&goes), client(&stays)], stopped.clone()));
            }
        }
        let (ready, mut readies) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..STREAMS {
            streams.spawn(over_grpc(client(&goes), ready.clone()));
            streams.spawn(over_socket(client(&goes), ready.clone()));
        }
        for _ in 0..2 * STREAMS {
            timeout(PATIENCE, readies.recv()).await.context("a stream does not begin")?;
        }
        sleep(SPAN).await;
        goes.terminate();
        let signalled = now();
        let status = timeout(PATIENCE, goes.ended()).await.context("it does not end")?;
        ensure!(status.success(), "it ended with {status}");
        ends.push(signalled.elapsed().as_secs_f64());
        for was_told in streams.join_all().await {
            untold += u32::from(!was_told?);
        }
        sleep(SPAN).await;
        stop.send(true)?;
        for seen in callers.join_all().await {
            let lost =
                seen.unanswered.iter().filter(|began| **began + ON_ITS_WAY <= signalled).count() as u64;
            failed += seen.refused + lost;
            again += seen.unanswered.len() as u64 - lost;
            calls += seen.answered;
            longest.push(seen.longest.as_secs_f64() * 1e3);
        }
    }
    let mut report = Report::new("drain");
    let name =
        format!("unary calls that failed, of {calls} ({again} met a closed door and were asked elsewhere)");
    report.add(name, failed as f64, "calls", 0.0, Better::Lower);
    let name = format!("streams not told to connect again, of {}", 2 * STREAMS * rounds as usize);
    report.add(name, f64::from(untold), "streams", 0.0, Better::Lower);
    report.add("from SIGTERM to the end", median(ends), "s", 10.0, Better::Lower);
    let longest = longest.into_iter().fold(0.0, f64::max);
    report.add(
        "longest wait for an answer, the change of gateway included",
        longest,
        "ms",
        1_000.0,
        Better::Lower,
    );
    Ok(report)
}

/// Calls the gateway that goes for as long as it answers, and then the one that stays, until told to stop.
async fn call(way: Way, gateways: [Client; 2], stop: watch::Receiver<bool>) -> Calls {
    let (mut calls, mut current) = (Calls::default(), 0);
    while !*stop.borrow() {
        let began = now();
        let mut answer = way.ask(&gateways[current], GRAPH).await;
        if answer.is_none() && current == 0 {
            calls.unanswered.push(began);
            current = 1;
            answer = way.ask(&gateways[current], GRAPH).await;
        }
        match answer {
            Some(Ok(())) => calls.answered += 1,
            _ => calls.refused += 1,
        }
        calls.longest = calls.longest.max(began.elapsed());
    }
    calls
}

/// Whether a stream over gRPC is told to connect again.
async fn over_grpc(gateway: Client, ready: tokio::sync::mpsc::UnboundedSender<()>) -> Result<bool> {
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
    let mut events = gateway.apart().graphs().watch_graph(request).await?.into_inner();
    events.message().await?.context("it begins")?;
    ready.send(())?;
    loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(false),
            Err(status) => {
                let refused = Refused::from(status);
                return Ok(refused.code == Code::Unavailable && refused.reason == "DRAINING");
            }
        }
    }
}

/// Whether a stream over a WebSocket is, and the socket closed as one that goes on elsewhere.
async fn over_socket(gateway: Client, ready: tokio::sync::mpsc::UnboundedSender<()>) -> Result<bool> {
    let mut socket = gateway.socket().await;
    let call = socket.begin("graph.v1.GraphService/WatchGraph").await;
    socket.message(call, &json!({ "graph": GRAPH })).await;
    socket.hear().await.map_err(|code| anyhow::anyhow!("closed with {code}"))?;
    ready.send(())?;
    let mut is_told = false;
    loop {
        match socket.hear().await {
            Ok(message) if message.get("status").is_some() => {
                let refused = Refused::from_json(&message["status"]);
                is_told = refused.code == Code::Unavailable && refused.reason == "DRAINING";
            }
            Ok(_) => {}
            Err(code) => return Ok(is_told && code == 1001),
        }
    }
}
