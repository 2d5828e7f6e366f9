//! Webhooks from senders on connections of their own: each signed, verified, and on disk before it is answered. What they
//! start is measured apart: a condition that never holds starts nothing, and a workflow of two nodes is soon done.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use hmac::{Hmac, Mac};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;
use weft_kit::Lifecycle;
use weft_proto::weft::{
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, GraphKind, Node,
        NodeUpsert, change,
    },
    trigger::v1::{
        CreateTriggerRequest, HmacSignature, Trigger, WebhookProvider, WebhookSource, trigger::Source,
        trigger_service_client::TriggerServiceClient,
    },
};
use weft_tests::runtime::signed;

use crate::{
    mesh::Mesh,
    report::{Better, Report, median},
    rpc::now,
};

const PARENT: &str = "projects/default";
const SECRET: &str = "a secret that is only measured with";
/// Connections, each with one request at a time: many for the rate, and few for the time of one.
const MANY: usize = 64;
const FEW: usize = 16;
/// Length of one measurement.
const SPAN: Duration = Duration::from_secs(4);

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let mesh = Mesh::start().await?;
    echo(&mesh).await?;
    let life = Lifecycle::new();
    let idle = Hook::make(&mesh, "idle", "event.body.n < 0").await?;
    let busy = Hook::make(&mesh, "busy", "").await?;
    idle.many(&life, FEW, Duration::from_millis(500), "warm").await?;

    let (mut rates, mut halves, mut lates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut busy_rates, mut busy_lates) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (rate, _) = idle.many(&life, MANY, SPAN, &format!("many{round}")).await?;
        rates.push(rate);
        let (_, times) = idle.many(&life, FEW, SPAN, &format!("few{round}")).await?;
        halves.push(at(&times, 0.5));
        lates.push(at(&times, 0.99));
        let (rate, times) = busy.many(&life, FEW, SPAN, &format!("busy{round}")).await?;
        busy_rates.push(rate);
        busy_lates.push(at(&times, 0.99));
    }
    life.drain();
    mesh.stop().await;

    let mut report = Report::new("triggers");
    let name = |connections: usize, what: &str| {
        format!("webhooks of {connections} connections, verified and on disk, {what}")
    };
    report.add(name(MANY, "rate"), median(rates), "webhooks/s", 5_000.0, Better::Higher);
    report.add(name(FEW, "p50"), median(halves), "ms", 5.0, Better::Lower);
    report.add(name(FEW, "p99"), median(lates), "ms", 10.0, Better::Lower);
    report.add(
        "of 16 while their runs are made, rate",
        median(busy_rates),
        "webhooks/s",
        1_000.0,
        Better::Higher,
    );
    report.add("of 16 while their runs are made, p99", median(busy_lates), "ms", 100.0, Better::Lower);
    Ok(report)
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted.get((sorted.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

/// A webhook, and who calls it.
struct Hook {
    address: String,
    path: String,
}

impl Hook {
    /// Makes one that takes all that come and are signed.
    async fn make(mesh: &Mesh, id: &str, condition: &str) -> Result<Self> {
        let hmac = HmacSignature {
            header: "X-Signature".into(),
            id_header: "X-Delivery".into(),
            ..HmacSignature::default()
        };
        let webhook = WebhookSource {
            provider: WebhookProvider::Hmac.into(),
            secrets: vec![SECRET.into()],
            hmac: Some(hmac),
            max_per_second: 100_000,
            ..WebhookSource::default()
        };
        let trigger = Trigger {
            graph: format!("{PARENT}/graphs/echo"),
            condition: condition.into(),
            source: Some(Source::Webhook(webhook)),
            ..Trigger::default()
        };
        let request = CreateTriggerRequest {
            parent: PARENT.into(),
            trigger_id: id.into(),
            trigger: Some(trigger),
            request_id: String::new(),
        };
        let mut client = TriggerServiceClient::new(mesh.channel.clone());
        let made = client.create_trigger(signed(request, &mesh.key)).await?.into_inner();
        let Some(Source::Webhook(webhook)) = made.source else { anyhow::bail!("it is no webhook") };
        let address = mesh.url().strip_prefix("http://").context("it is plain")?.to_owned();
        Ok(Self { address, path: webhook.path })
    }

    /// Webhooks a second over all connections, and the time of each in milliseconds, sorted.
    async fn many(
        &self,
        life: &Lifecycle,
        connections: usize,
        span: Duration,
        round: &str,
    ) -> Result<(f64, Vec<f64>)> {
        let mut senders = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            life.spawn_future(async move { drop(connection.await) });
            senders.push(sender);
        }
        let began = now();
        let callers = senders
            .into_iter()
            .enumerate()
            .map(|(caller, sender)| self.call(sender, caller, round, began, span));
        let mut times: Vec<f64> = try_join_all(callers).await?.into_iter().flatten().collect();
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        Ok((rate, times))
    }

    async fn call(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        caller: usize,
        round: &str,
        began: Instant,
        span: Duration,
    ) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        while began.elapsed() < span {
            let number = times.len();
            let body = Bytes::from(format!("{{\"n\":{number},\"text\":\"{}\"}}", "x".repeat(200)));
            let request = Request::builder()
                .method(Method::POST)
                .uri(&self.path)
                .header(header::HOST, &self.address)
                .header(header::CONTENT_TYPE, "application/json")
                .header("x-delivery", format!("{round}-{caller}-{number}"))
                .header("x-signature", signature(&body)?)
                .body(Full::new(body))?;
            let sent = now();
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            let answer = response.into_body().collect().await?.to_bytes();
            ensure!(status == StatusCode::ACCEPTED, "{status}: {}", String::from_utf8_lossy(&answer));
            times.push(sent.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(times)
    }
}

fn signature(body: &[u8]) -> Result<String> {
    let mut code = <Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes())?;
    code.update(body);
    let bytes = code.finalize().into_bytes();
    Ok(bytes.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}")))
}

/// A workflow that gives what it is given.
async fn echo(mesh: &Mesh) -> Result<()> {
    let request = CreateGraphRequest {
        parent: PARENT.into(),
        graph_id: "echo".into(),
        graph: Some(Graph { kind: GraphKind::Workflow.into(), ..Graph::default() }),
        request_id: String::new(),
    };
    let graph = mesh.graphs().create_graph(signed(request, &mesh.key)).await?.into_inner().name;
    let node = |key: &str| {
        let node = Node { key: key.into(), r#type: key.into(), ..Node::default() };
        change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
    };
    let edge = Edge { source: "input".into(), target: "output".into(), ..Edge::default() };
    let edge = change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None });
    let changes = [node("input"), node("output"), edge].map(|change| Change { change: Some(change) });
    let request = ApplyChangesRequest { graph, changes: changes.into(), ..ApplyChangesRequest::default() };
    mesh.graphs().apply_changes(signed(request, &mesh.key)).await?;
    Ok(())
}
