//! A gateway to ask, and how to ask it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tokio::{io::DuplexStream, sync::mpsc};
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::ServiceExt;
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

use crate::upstream::{Echo, Event};

/// The test contracts, compiled once.
pub(crate) fn pool() -> DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
        let includes = ["tests/proto", "../proto", "../proto/vendor"].map(|folder| format!("{root}{folder}"));
        let mut compiler = protox::Compiler::new(includes).expect("the folders are there");
        compiler.include_source_info(true).include_imports(true);
        let files = ["test/v1/echo.proto", "test/v1/shape.proto", "weft/identity/v1/identity_service.proto"];
        compiler.open_files(files).expect("they are good contracts");
        DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())
            .expect("the compiler wrote it")
    });
    POOL.clone()
}

/// A gateway, its life, and what the service behind it notices.
pub(crate) struct Edge {
    pub(crate) gateway: Gateway,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with(GatewayOptions::default())
    }

    pub(crate) fn with(options: GatewayOptions) -> Self {
        Self::serving(&["test.v1.EchoService"], options)
    }

    /// A gateway that can ask who somebody is: the bearer of `x` is `callers/x`.
    pub(crate) fn with_identity(options: GatewayOptions) -> Self {
        Self::serving(&["test.v1.EchoService", "weft.identity.v1.IdentityService"], options)
    }

    fn serving(services: &[&str], options: GatewayOptions) -> Self {
        let (echo, events) = Echo::new(pool());
        let upstreams = services
            .iter()
            .fold(Upstreams::new(), |upstreams, service| upstreams.with(*service, Peer::new(echo.clone())));
        let lifecycle = Lifecycle::new();
        let gateway = Gateway::new(upstreams, options, pool(), lifecycle.clone()).expect("good contracts");
        Self { gateway, lifecycle, events }
    }

    /// A gateway whose service is at the other end of an HTTP/2 connection.
    pub(crate) async fn remote() -> (Self, Channel) {
        let (echo, events) = Echo::new(pool());
        let (client, server) = tokio::io::duplex(64 * 1024);
        let lifecycle = Lifecycle::new();
        lifecycle.spawn_future(async move {
            // tonic takes a stream that was reset for one that ended; here the two must be told apart.
            let reset = |_| tonic::Status::aborted("reset");
            let echo = echo.map_request(move |request: Request<Incoming>| {
                request.map(|body| Body::new(body.map_err(reset)))
            });
            let echo = TowerToHyperService::new(echo);
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // How a connection ends is the client's to see.
            let _ = builder.serve_connection(TokioIo::new(server), echo).await;
        });
        let mut client = Some(client);
        let connector = tower::service_fn(move |_| {
            let client = client.take().ok_or_else(|| std::io::Error::other("there is one connection"));
            async move { client.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://echo.test").connect_with_connector(connector).await;
        let channel = channel.expect("the service is there");
        let upstreams = Upstreams::new().with("test.v1.EchoService", Peer::new(channel.clone()));
        let gateway = Gateway::new(upstreams, GatewayOptions::default(), pool(), lifecycle.clone());
        (Self { gateway: gateway.expect("good contracts"), lifecycle, events }, channel)
    }

    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        let Ok(response) = self.gateway.clone().oneshot(request).await;
        Answer::of(response).await
    }

    /// `GET /v1/…`, or `POST /v1/…` with a JSON body, and so on.
    pub(crate) async fn call(&self, line: &str, body: &str) -> Answer {
        self.call_with(line, &[], body).await
    }

    pub(crate) async fn call_with(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request = Request::builder().method(method).uri(path);
        let is_typed = headers.iter().any(|(name, _)| *name == "content-type");
        if !body.is_empty() && !is_typed {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Full::from(body.to_owned())).expect("a good request")).await
    }

    /// A connection to the gateway, as a socket would be, without a port.
    pub(crate) fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let service = TowerToHyperService::new(self.gateway.clone());
        self.lifecycle.spawn_future(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // How a connection ends is the client's to see.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(server), service).await;
        });
        client
    }
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What broke the transfer off.
    pub(crate) broken: Option<Arc<tonic::Status>>,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut broken = None;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
                Err(status) => {
                    broken = Some(Arc::new(status));
                    break;
                }
            }
        }
        Self { status: parts.status, headers: parts.headers, body: bytes.into(), broken }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// The JSON of an answer that must have succeeded.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// The message of an error, which must have this HTTP code.
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let json = self.json();
        assert!(json["code"].as_i64().is_some_and(|code| code > 0), "{json}");
        assert!(json["details"].is_array(), "{json}");
        json["message"].as_str().expect("a message").to_owned()
    }
}
