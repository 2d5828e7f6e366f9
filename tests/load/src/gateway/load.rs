//! One kind of call, again and again, over a few connections.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{net::TcpStream, task::JoinSet};
use tonic::transport::Endpoint;
use weft_proto::weft::graph::v1::{GetNodeRequest, graph_service_client::GraphServiceClient};
use weft_tests::{http::framed, runtime::signed};

use super::edges::{Edge, GRAPH, NODE};
use crate::rpc::now;

/// Connections of HTTP/1.1, with one call on each at a time.
const CONNECTIONS: usize = 16;
/// Connections of HTTP/2, and the calls on each at a time.
const CHANNELS: usize = 4;
const STREAMS: usize = 16;

/// How a call is made. It is always GetNode: a look-up in memory, so that the edge is most of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `GET /v1/…`, JSON back, over HTTP/1.1.
    Rest,
    /// gRPC-web, binary, over HTTP/1.1.
    GrpcWeb,
    /// Connect, protobuf, over HTTP/1.1.
    Connect,
    /// gRPC over HTTP/2.
    Grpc,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) per_second: f64,
    pub(super) p99_micros: f64,
}

impl Ask {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::GrpcWeb => "gRPC-web",
            Self::Connect => "Connect",
            Self::Grpc => "gRPC",
        }
    }

    fn request(self, edge: Edge<'_>) -> Result<Request<Full<Bytes>>> {
        let message = look_up().encode_to_vec();
        let request = Request::builder()
            .header(header::HOST, edge.address)
            .header(header::AUTHORIZATION, format!("Bearer {}", edge.key));
        let method = "/weft.graph.v1.GraphService/GetNode";
        Ok(match self {
            Self::Rest => request.uri(format!("/v1/{GRAPH}/nodes/{NODE}")).body(Full::default())?,
            Self::GrpcWeb => request
                .method("POST")
                .uri(method)
                .header(header::CONTENT_TYPE, "application/grpc-web+proto")
                .header("x-grpc-web", "1")
                .body(Full::from(framed(0, &message)))?,
            Self::Connect | Self::Grpc => request
                .method("POST")
                .uri(method)
                .header(header::CONTENT_TYPE, "application/proto")
                .header("connect-protocol-version", "1")
                .body(Full::from(message))?,
        })
    }
}

fn look_up() -> GetNodeRequest {
    GetNodeRequest { graph: GRAPH.into(), key: NODE.into() }
}

/// Asks for as long as `span`.
pub(super) async fn run(edge: Edge<'_>, ask: Ask, span: Duration) -> Result<Figures> {
    let began = now();
    let mut times =
        if ask == Ask::Grpc { over_grpc(edge, span).await? } else { over_http(edge, ask, span).await? };
    let seconds = began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).context("nothing was answered")?;
    Ok(Figures { per_second: times.len() as f64 / seconds, p99_micros: p99 * 1e6 })
}

/// Seconds of each call.
async fn over_grpc(edge: Edge<'_>, span: Duration) -> Result<Vec<f64>> {
    let mut tasks = JoinSet::new();
    for _ in 0..CHANNELS {
        let endpoint = Endpoint::from_shared(format!("http://{}", edge.address))?.tcp_nodelay(true);
        let channel = endpoint.connect().await?;
        for _ in 0..STREAMS {
            let mut client = GraphServiceClient::new(channel.clone());
            let key = edge.key.to_owned();
            tasks.spawn(async move {
                let (began, mut times) = (now(), Vec::new());
                while began.elapsed() < span {
                    let asked = now();
                    client.get_node(signed(look_up(), &key)).await?;
                    times.push(asked.elapsed().as_secs_f64());
                }
                anyhow::Ok(times)
            });
        }
    }
    together(tasks).await
}

/// Seconds of each call.
async fn over_http(edge: Edge<'_>, ask: Ask, span: Duration) -> Result<Vec<f64>> {
    let connections = try_join_all((0..CONNECTIONS).map(|_| TcpStream::connect(edge.address))).await?;
    let mut tasks = JoinSet::new();
    for socket in connections {
        socket.set_nodelay(true)?;
        let request = ask.request(edge)?;
        tasks.spawn(async move {
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
            let asking = async {
                let (began, mut times) = (now(), Vec::new());
                while began.elapsed() < span {
                    let asked = now();
                    ask_once(&mut sender, request.clone()).await?;
                    times.push(asked.elapsed().as_secs_f64());
                }
                anyhow::Ok(times)
            };
            tokio::select! {
                times = asking => times,
                ended = connection => Err(ended.err().map_or_else(|| anyhow::anyhow!("closed"), Into::into)),
            }
        });
    }
    together(tasks).await
}

async fn ask_once(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<()> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let refused = response.headers().get("grpc-status").is_some_and(|code| code != "0");
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(
        status.is_success() && !refused && !body.is_empty(),
        "a call failed with {status}: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

async fn together(mut tasks: JoinSet<Result<Vec<f64>>>) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    while let Some(times) = tasks.join_next().await {
        all.extend(times??);
    }
    Ok(all)
}
