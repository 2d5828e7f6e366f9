//! The samples as others send them: Prometheus' remote write, made before the clock runs; and HTTP over one connection.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;
use weft_kit::Lifecycle;
use weft_series::Batch;

use super::data::{self, ROWS};

/// `prometheus.WriteRequest` of remote write 1.0.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// Hosts whose rows of one time are one request: 1,000 samples.
const TOGETHER: usize = 50;

/// Requests of all hosts, in the order of time, for so many connections.
pub(super) fn remote_writes(hosts: &[Batch], connections: usize) -> Result<Vec<Vec<Bytes>>> {
    let mut all = vec![Vec::new(); connections];
    let groups: Vec<(usize, &[Batch])> = hosts.chunks(TOGETHER).enumerate().collect();
    for row in 0..ROWS {
        for (group, members) in &groups {
            let mut series = Vec::with_capacity(members.len() * data::METRICS);
            for (member, host) in members.iter().enumerate() {
                let name = data::host(group * TOGETHER + member);
                for (number, values) in &host.columns {
                    let label = |name: &str, value: String| Label { name: name.to_owned(), value };
                    let labels = vec![
                        label("__name__", data::metric(*number as usize)),
                        label("instance", name.clone()),
                        label("job", "load".to_owned()),
                    ];
                    let samples = vec![Sample { value: values[row], timestamp: host.times[row] }];
                    series.push(TimeSeries { labels, samples });
                }
            }
            let plain = WriteRequest { series }.encode_to_vec();
            // A series stays on its connection, or its samples would come out of order.
            all[group % connections].push(snap::raw::Encoder::new().compress_vec(&plain)?.into());
        }
    }
    Ok(all)
}

/// One connection of HTTP/1.1.
pub(super) struct Http {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    key: Option<String>,
}

impl Http {
    pub(super) async fn connect(address: &str, key: Option<String>, life: &Lifecycle) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        life.spawn_future(async move { drop(connection.await) });
        Ok(Self { sender, address: address.to_owned(), key })
    }

    pub(super) async fn write(&mut self, body: Bytes) -> Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/write")
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        self.send(request, body).await.map(drop)
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Bytes> {
        self.send(Request::builder().uri(path), Bytes::new()).await
    }

    async fn send(&mut self, mut request: http::request::Builder, body: Bytes) -> Result<Bytes> {
        request = request.header(header::HOST, &self.address);
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
        ensure!(
            status.is_success(),
            "{} answered {status}: {}",
            self.address,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}
