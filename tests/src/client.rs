//! A client of a mesh with one credential: typed gRPC, and whatever goes over HTTP or a WebSocket.

use std::time::Duration;

use serde_json::Value;
use tonic::{
    Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use weft_kit::BoxError;
use weft_proto::weft::{
    compute::v1::{
        analysis_service_client::AnalysisServiceClient, layout_service_client::LayoutServiceClient,
    },
    execution::v1::{
        execution_service_client::ExecutionServiceClient, worker_service_client::WorkerServiceClient,
    },
    graph::v1::{graph_service_client::GraphServiceClient, source_service_client::SourceServiceClient},
    identity::v1::{ApiKey, CreateApiKeyRequest, Role, identity_service_client::IdentityServiceClient},
    telemetry::v1::telemetry_service_client::TelemetryServiceClient,
    trigger::v1::trigger_service_client::TriggerServiceClient,
};

use crate::{
    http::{Answer, Http},
    socket::Socket,
};

/// A channel that sends the credential along.
pub type Signed = InterceptedService<Channel, WithKey>;

/// Adds the credential, if there is one, to each call.
#[derive(Clone, Debug)]
pub struct WithKey(Option<MetadataValue<Ascii>>);

impl Interceptor for WithKey {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

/// Somebody who calls a mesh, on connections of their own.
#[derive(Clone, Debug)]
pub struct Client {
    /// Base address of the mesh.
    pub url: String,
    key: Option<String>,
    channel: Channel,
    http: Http,
}

impl Client {
    /// A client of the mesh at `url`, with an API key or a token, or nobody.
    pub fn new(url: &str, key: Option<&str>) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).expect("an address");
        Self {
            url: url.to_owned(),
            key: key.map(str::to_owned),
            channel: endpoint.tcp_nodelay(true).connect_lazy(),
            http: Http::new(),
        }
    }

    /// The same mesh as somebody else sees it, on other connections.
    pub fn as_other(&self, key: Option<&str>) -> Self {
        Self::new(&self.url, key)
    }

    /// The same client on connections of its own.
    pub fn apart(&self) -> Self {
        Self::new(&self.url, self.key.as_deref())
    }

    /// The graph service.
    pub fn graphs(&self) -> GraphServiceClient<Signed> {
        GraphServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The telemetry service.
    pub fn telemetry(&self) -> TelemetryServiceClient<Signed> {
        TelemetryServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The source service.
    pub fn sources(&self) -> SourceServiceClient<Signed> {
        SourceServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The layout service.
    pub fn layouts(&self) -> LayoutServiceClient<Signed> {
        LayoutServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The analysis service.
    pub fn analyses(&self) -> AnalysisServiceClient<Signed> {
        AnalysisServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The trigger service.
    pub fn triggers(&self) -> TriggerServiceClient<Signed> {
        TriggerServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The execution service.
    pub fn executions(&self) -> ExecutionServiceClient<Signed> {
        ExecutionServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The service of workers.
    pub fn workers(&self) -> WorkerServiceClient<Signed> {
        WorkerServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// The identity service.
    pub fn identity(&self) -> IdentityServiceClient<Signed> {
        IdentityServiceClient::with_interceptor(self.channel.clone(), self.with_key())
    }

    /// Makes an API key in a project (`projects/p`); narrowed to `scopes` if there are any.
    pub async fn new_key(&self, project: &str, role: Role, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.make_key(project, ApiKey { role: role.into(), scopes, ..ApiKey::default() }).await
    }

    /// The same, for a key that ends after a while.
    pub async fn short_key(&self, project: &str, role: Role, lasts: Duration) -> String {
        let expire_time = Some((weft_kit::Clock::system().now() + lasts).into());
        self.make_key(project, ApiKey { role: role.into(), expire_time, ..ApiKey::default() }).await
    }

    async fn make_key(&self, project: &str, api_key: ApiKey) -> String {
        let request = CreateApiKeyRequest {
            parent: project.into(),
            api_key: Some(api_key),
            ..CreateApiKeyRequest::default()
        };
        let made = self.identity().create_api_key(request).await.expect("an administrator makes keys");
        made.into_inner().secret
    }

    /// A REST request, `"GET /v1/me"`, with a JSON body if there is one.
    pub async fn rest(&self, line: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.rest_raw(line, &[], body).await
    }

    /// A REST request with any headers (they replace ours) and any body.
    pub async fn rest_raw(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answer {
        self.try_rest(line, headers, body).await.expect("the server answers")
    }

    /// The same, where no answer may come.
    ///
    /// # Errors
    /// What the connection ended with.
    pub async fn try_rest(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Result<Answer, BoxError> {
        let body = body.into();
        let (method, path) = line.split_once(' ').expect("METHOD path");
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let ours = [
            ("authorization", self.bearer()),
            ("content-type", (!body.is_empty()).then(|| "application/json".into())),
        ];
        for (name, value) in ours {
            if let Some(value) = value.filter(|_| !headers.iter().any(|(theirs, _)| *theirs == name)) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.http
            .try_http1(
                request.body(tonic::body::Body::new(http_body_util::Full::from(body))).expect("a request"),
            )
            .await
    }

    /// A gRPC call as bytes: `body` holds the messages with their prefixes.
    pub async fn grpc_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, Status> {
        let answer = self.try_grpc(path, headers, body).await.expect("the server answers");
        let status =
            Status::from_header_map(&answer.trailers).or_else(|| Status::from_header_map(&answer.headers));
        match status {
            Some(status) if status.code() == tonic::Code::Ok => Ok(answer),
            Some(status) => Err(status),
            None => panic!("an answer without a status: {answer:?}"),
        }
    }

    /// The same, whatever the answer is, and where none may come.
    ///
    /// # Errors
    /// What the connection ended with.
    pub async fn try_grpc(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, BoxError> {
        let mut request = http::Request::builder().method("POST").uri(format!("{}{path}", self.url));
        let bearer = self.bearer();
        let ours = [
            ("content-type", Some("application/grpc")),
            ("te", Some("trailers")),
            ("authorization", bearer.as_deref()),
        ];
        for (name, value) in ours {
            if let Some(value) = value.filter(|_| !headers.iter().any(|(theirs, _)| *theirs == name)) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = tonic::body::Body::new(http_body_util::Full::from(body));
        self.http.try_http2(request.body(body).expect("a request")).await
    }

    /// A WebSocket with messages in JSON.
    pub async fn socket(&self) -> Socket {
        Socket::open(&self.url, self.key.as_deref()).await
    }

    /// The mesh's counters, as Prometheus reads them.
    pub async fn metrics(&self) -> String {
        self.rest_raw("GET /metrics", &[], "").await.text().to_owned()
    }

    fn bearer(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("Bearer {key}"))
    }

    fn with_key(&self) -> WithKey {
        WithKey(self.bearer().map(|key| key.parse().expect("credentials are ASCII")))
    }
}

/// The lines of the counters that speak of faults of ours: no client may cause one.
pub fn faults(metrics: &str) -> Vec<&str> {
    let faulty = ["INTERNAL", "UNKNOWN", "DATA_LOSS"].map(|code| format!("grpc_code=\"{code}\"}}"));
    metrics
        .lines()
        .filter(|line| faulty.iter().any(|code| line.contains(code)) && !line.ends_with(" 0"))
        .collect()
}
