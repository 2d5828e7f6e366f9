//! Calls and streams through the runtime with all its stages, against bare tonic with the same
//! service, the same client, and nothing between.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use weft_kit::{Lifecycle, config::Rates};
use weft_tests::{
    echo::{
        Echo,
        v1::{
            ChatRequest, EchoRequest, echo_service_client::EchoServiceClient,
            echo_service_server::EchoServiceServer,
        },
    },
    runtime::{Runtime, Settings, signed},
};

use crate::report::{Better, Pair, Report, median};

/// Length of one measurement.
const SPAN: Duration = Duration::from_millis(1_500);
const IN_FLIGHT: usize = 16;
const MESSAGES: usize = 200_000;

type Client = EchoServiceClient<Channel>;

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let (ours, theirs) = (start_ours().await, start_bare().await?);
    let token = ours.token(&[("p", "operator")]);
    let mut clients = [client(&ours.address.to_string())?, client(&theirs)?];
    for client in &mut clients {
        unary(client, &token, Duration::from_millis(300)).await?;
    }

    let (mut calls, mut latencies, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // They take turns, and each begins every other round.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let mut rates = [(0.0, 0.0, 0.0); 2];
        for which in order {
            let client = &mut clients[which];
            rates[which] = (
                unary(client, &token, SPAN).await?,
                one_by_one(client, &token, 3_000).await?,
                bidi(client, &token).await?,
            );
        }
        calls.push((rates[0].0, rates[1].0));
        latencies.push((rates[0].1, rates[1].1));
        messages.push((rates[0].2, rates[1].2));
    }
    ours.stop().await;

    let mut report = Report::new("rpc");
    let peer = "bare tonic";
    report.compare(
        "unary calls, 16 in flight",
        "calls/s",
        Pair::of_rounds(peer, &calls),
        0.85,
        Better::Higher,
    );
    report.compare(
        "bidirectional messages, one stream",
        "messages/s",
        Pair::of_rounds(peer, &messages),
        0.85,
        Better::Higher,
    );
    let added = median(latencies.iter().map(|(ours, theirs)| ours - theirs).collect());
    report.add("added to a unary call at p50", added, "µs", 30.0, Better::Lower);
    Ok(report)
}

async fn start_ours() -> Runtime {
    let mut settings = Settings::default();
    // The buckets are there and are charged, but they do not run empty.
    settings.limits.rate.read = Rates { per_second: u32::MAX, burst: u32::MAX };
    Runtime::start(settings).await
}

async fn start_bare() -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    // tonic sets this itself only on sockets that it accepts itself; ours must not win by that.
    let incoming = TcpListenerStream::new(listener)
        .map(|accepted| accepted.and_then(|socket| socket.set_nodelay(true).map(|()| socket)));
    let server = Server::builder().add_service(EchoServiceServer::new(Echo::default()));
    Lifecycle::new().spawn_future(async move {
        // It ends with the program.
        let _ = server.serve_with_incoming(incoming).await;
    });
    Ok(address)
}

fn client(address: &str) -> Result<Client> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(EchoServiceClient::new(endpoint.connect_lazy()))
}

fn echo(token: &str) -> tonic::Request<EchoRequest> {
    signed(EchoRequest { parent: "projects/p".into(), payload: Bytes::from_static(&[7; 64]) }, token)
}

/// Calls a second with sixteen in flight.
async fn unary(client: &Client, token: &str, span: Duration) -> Result<f64> {
    let began = now();
    let workers = (0..IN_FLIGHT).map(|_| {
        let mut client = client.clone();
        async move {
            let mut count = 0_u64;
            while began.elapsed() < span {
                client.echo(echo(token)).await?;
                count += 1;
            }
            Ok::<_, tonic::Status>(count)
        }
    });
    let counts: Vec<u64> = join_all(workers).await.into_iter().collect::<Result<_, _>>()?;
    Ok(counts.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
}

/// Median time of a call when nothing else runs, in microseconds.
async fn one_by_one(client: &mut Client, token: &str, calls: usize) -> Result<f64> {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = now();
        client.echo(echo(token)).await?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

/// Messages a second through one bidirectional stream.
async fn bidi(client: &mut Client, token: &str) -> Result<f64> {
    let message = |index| ChatRequest {
        parent: if index == 0 { "projects/p".into() } else { String::new() },
        payload: Bytes::from_static(&[7; 64]),
    };
    let began = now();
    let messages = stream::iter((0..MESSAGES).map(message));
    let answers = client.chat(signed(messages, token)).await?.into_inner();
    let count = answers.filter(|answer| std::future::ready(answer.is_ok())).count().await;
    (count == MESSAGES).then_some(()).context("some messages did not come back")?;
    Ok(MESSAGES as f64 / began.elapsed().as_secs_f64())
}

pub(crate) fn now() -> Instant {
    Instant::now()
}
