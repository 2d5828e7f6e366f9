//! One kind of call, again and again, over a few connections: by h2load, nghttp2's load generator.
//!
//! It shares the cores with what is measured, so it should cost little, and be the same to all. And nobody here wrote it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, header};
use prost::Message;
use tokio::{fs, process::Command};
use tonic::body::Body;
use weft_proto::weft::graph::v1::{GetNodeRequest, Node};
use weft_tests::http::{Http, framed};

use super::edges::{Edge, GRAPH, NODE};
use crate::report::percentile;

/// Connections of HTTP/1.1, with one call on each at a time.
const CONNECTIONS: usize = 16;
/// Connections of HTTP/2, and the calls on each at a time.
const CHANNELS: usize = 4;
const STREAMS: usize = 16;
const METHOD: &str = "/weft.graph.v1.GraphService/GetNode";

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

/// h2load, and a folder for its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) program: &'a Path,
    pub(super) folder: &'a Path,
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

    /// Connections, and the calls on each at a time.
    fn calls(self) -> (usize, usize) {
        if self == Self::Grpc { (CHANNELS, STREAMS) } else { (CONNECTIONS, 1) }
    }

    fn path(self) -> String {
        if self == Self::Rest { format!("/v1/{GRAPH}/nodes/{NODE}") } else { METHOD.to_owned() }
    }

    /// Headers beside those of HTTP and the credential.
    fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rest => &[],
            Self::GrpcWeb => &[("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")],
            Self::Connect => &[("content-type", "application/proto"), ("connect-protocol-version", "1")],
            Self::Grpc => &[("content-type", "application/grpc"), ("te", "trailers")],
        }
    }

    /// What is sent; nothing with a GET.
    fn body(self) -> Option<Vec<u8>> {
        let message = GetNodeRequest { graph: GRAPH.into(), key: NODE.into() }.encode_to_vec();
        match self {
            Self::Rest => None,
            Self::Connect => Some(message),
            Self::GrpcWeb | Self::Grpc => Some(framed(0, &message)),
        }
    }

    /// Whether an answer is the node.
    fn is_answered(self, body: &[u8]) -> bool {
        let is_node = |message: &[u8]| Node::decode(message).is_ok_and(|node| node.key == NODE);
        let message = || {
            let length = body.get(1..5).map(|length| length.try_into().map(u32::from_be_bytes));
            body.get(5..)?.get(..length?.ok()? as usize)
        };
        match self {
            Self::Rest => {
                let node: Result<serde_json::Value, _> = serde_json::from_slice(body);
                node.is_ok_and(|node| node["key"] == NODE)
            }
            Self::Connect => is_node(body),
            Self::GrpcWeb | Self::Grpc => message().is_some_and(is_node),
        }
    }

    /// Makes the call once, and looks at what comes: how long its body is.
    async fn once(self, edge: Edge<'_>) -> Result<usize> {
        let mut request = Request::builder()
            .uri(format!("http://{}{}", edge.address, self.path()))
            .header(header::AUTHORIZATION, format!("Bearer {}", edge.key));
        for (name, value) in self.headers() {
            request = request.header(*name, *value);
        }
        let request = match self.body() {
            Some(body) => {
                request.method("POST").body(Body::new(http_body_util::Full::new(Bytes::from(body))))?
            }
            None => request.body(Body::empty())?,
        };
        let http = Http::new();
        let answer = if self == Self::Grpc { http.http2(request).await } else { http.http1(request).await };
        ensure!(answer.status == 200 && self.is_answered(&answer.body), "a call failed: {answer:?}");
        Ok(answer.body.len())
    }
}

impl Caller<'_> {
    /// Asks for as long as `span`.
    pub(super) async fn run(self, edge: Edge<'_>, ask: Ask, span: Duration) -> Result<Figures> {
        let length = ask.once(edge).await?;
        let (times, command) = self.command(edge, ask, span).await?;
        let output = { command }.output().await.with_context(|| {
            format!("{} cannot be started: tools/setup bench installs it", self.program.display())
        })?;
        let said = String::from_utf8_lossy(&output.stdout);
        let summary = Summary::read(&said).with_context(|| format!("h2load said:\n{said}"))?;
        // What gRPC refuses is 200, too, but has another length. Answers on their way at the beginning and at the end
        // count in part.
        let (connections, streams) = ask.calls();
        let off = summary.data.abs_diff(summary.done * length as u64);
        ensure!(
            summary.succeeded == summary.done && off <= (connections * streams * length) as u64,
            "calls failed; h2load said:\n{said}"
        );
        let times = fs::read_to_string(times).await?;
        let micros = times.lines().filter_map(|row| row.split('\t').nth(2)?.parse().ok()).collect();
        Ok(Figures {
            per_second: summary.succeeded as f64 / span.as_secs_f64(),
            p99_micros: percentile(micros, 0.99),
        })
    }

    /// The command, and where it writes how long each call took.
    async fn command(self, edge: Edge<'_>, ask: Ask, span: Duration) -> Result<(PathBuf, Command)> {
        let times = self.folder.join("times.tsv");
        // It appends.
        let _ = fs::remove_file(&times).await;
        let mut command = Command::new(self.program);
        command.kill_on_drop(true).stdin(Stdio::null()).stderr(Stdio::null());
        let (connections, streams) = if ask == Ask::Grpc { (CHANNELS, STREAMS) } else { (CONNECTIONS, 1) };
        if ask != Ask::Grpc {
            command.arg("--h1");
        }
        command
            .arg(format!("--clients={connections}"))
            .arg(format!("--max-concurrent-streams={streams}"))
            // Its own time to warm up would count in some of its figures.
            .arg(format!("--duration={}ms", span.as_millis()))
            .arg(format!("--header=authorization: Bearer {}", edge.key));
        for (name, value) in ask.headers() {
            command.arg(format!("--header={name}: {value}"));
        }
        if let Some(body) = ask.body() {
            let file = self.folder.join("request.bin");
            fs::write(&file, body).await?;
            command.arg(format!("--data={}", file.display()));
        }
        command.arg(format!("--log-file={}", times.display()));
        command.arg(format!("http://{}{}", edge.address, ask.path()));
        Ok((times, command))
    }
}

/// What h2load says at its end.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    /// Calls that were answered, and those of them whose status is a good one.
    done: u64,
    succeeded: u64,
    /// Bytes of all answers' bodies.
    data: u64,
}

impl Summary {
    fn read(said: &str) -> Option<Self> {
        let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
        // `requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout`
        let requests = line("requests: ")?;
        let count =
            |what: &str| requests.split(", ").find_map(|part| part.strip_suffix(what)?.trim().parse().ok());
        // `traffic: 1.2KB (1234) total, 34B (34) headers (space savings 0.00%), 1.1KB (1130) data`
        let data = line("traffic: ")?.rsplit_once('(')?.1.split_once(')')?.0.parse().ok()?;
        Some(Self { done: count("done")?, succeeded: count("succeeded")?, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_h2load_says() {
        let said = "finished in 1.50s, 9.00 req/s, 1.2KB/s\n\
                    requests: 12 total, 12 started, 10 done, 9 succeeded, 1 failed, 0 errored, 0 timeout\n\
                    status codes: 9 2xx, 0 3xx, 1 4xx, 0 5xx\n\
                    traffic: 1.2KB (1234) total, 34B (34) headers (space savings 0.00%), 1.1KB (1130) data\n";
        assert_eq!(Summary::read(said), Some(Summary { done: 10, succeeded: 9, data: 1130 }));
        assert_eq!(Summary::read("requests: none"), None);
    }
}
