//! Reaching a mesh as a client: a connection, and the credential that each call carries.
//!
//! It knows neither the command line nor the node: both use it.

mod connect;
mod dial;
mod files;
mod upload;

use std::path::Path;

use anyhow::{Context, Result};
use http::HeaderValue;
use tonic::{
    Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, ClientTlsConfig, Endpoint},
};
use weft_kit::{Peer, config::Secret};
use weft_proto::weft::{
    agent::v1::{
        agent_service_client::AgentServiceClient, collector_service_client::CollectorServiceClient,
        host_service_client::HostServiceClient,
    },
    command::v1::command_service_client::CommandServiceClient,
    compute::v1::{
        analysis_service_client::AnalysisServiceClient, layout_service_client::LayoutServiceClient,
    },
    execution::v1::{
        execution_service_client::ExecutionServiceClient, object_service_client::ObjectServiceClient,
        worker_service_client::WorkerServiceClient,
    },
    gateway::v1::gateway_service_client::GatewayServiceClient,
    graph::v1::{graph_service_client::GraphServiceClient, source_service_client::SourceServiceClient},
    identity::v1::{
        identity_service_client::IdentityServiceClient, secret_service_client::SecretServiceClient,
    },
    telemetry::v1::{
        alert_service_client::AlertServiceClient, log_service_client::LogServiceClient,
        telemetry_service_client::TelemetryServiceClient, trace_service_client::TraceServiceClient,
    },
    trigger::v1::trigger_service_client::TriggerServiceClient,
};

pub(crate) use connect::{AnyMethod, headers, refusal};
pub(crate) use dial::{Dial, Wire};
pub(crate) use files::{fetch, send};
pub(crate) use upload::{Upload, import};

/// Adds the key to each call.
#[derive(Clone)]
pub(crate) struct WithKey(Option<MetadataValue<tonic::metadata::Ascii>>);

impl WithKey {
    fn new(key: Option<&Secret>) -> Result<Self> {
        let header = |key: &Secret| {
            format!("Bearer {}", key.reveal()).parse().context("the API key holds characters that no key has")
        };
        Ok(Self(key.map(header).transpose()?))
    }

    /// As a header, where there is a key.
    fn header(&self) -> Option<HeaderValue> {
        let text = self.0.as_ref().map(|value| HeaderValue::from_bytes(value.as_encoded_bytes()));
        let mut value = text?.ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Interceptor for WithKey {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

/// The client of the graph service.
pub(crate) type GraphClient = GraphServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the source service.
pub(crate) type SourceClient = SourceServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the agent service.
pub(crate) type AgentClient = AgentServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the service of hosts.
pub(crate) type HostClient = HostServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the service of collectors.
pub(crate) type CollectorClient = CollectorServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the command service.
pub(crate) type CommandClient = CommandServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the execution service.
pub(crate) type ExecutionClient = ExecutionServiceClient<InterceptedService<Peer, WithKey>>;

/// Client of the layouts.
pub(crate) type LayoutClient = LayoutServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the analysis service.
pub(crate) type AnalysisClient = AnalysisServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the telemetry service.
pub(crate) type TelemetryClient = TelemetryServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the log service.
pub(crate) type LogClient = LogServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the trace service.
pub(crate) type TraceClient = TraceServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the alert service.
pub(crate) type AlertClient = AlertServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the trigger service.
pub(crate) type TriggerClient = TriggerServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the service of objects.
pub(crate) type ObjectClient = ObjectServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the service of workers.
pub(crate) type WorkerClient = WorkerServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the secret service.
pub(crate) type SecretClient = SecretServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the identity service.
pub(crate) type IdentityClient = IdentityServiceClient<InterceptedService<Peer, WithKey>>;

/// The client of the gateway's own service.
pub(crate) type GatewayClient = GatewayServiceClient<InterceptedService<Peer, WithKey>>;

/// A connection to a mesh.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) url: String,
    peer: Peer,
    key: WithKey,
}

impl Connection {
    /// To the mesh at `url`, for example `http://127.0.0.1:8080`. It is made when it is used.
    /// Over TLS it trusts what the system trusts, and the authorities in `ca_file` besides.
    pub(crate) fn to_url(url: &str, key: Option<&Secret>, ca_file: Option<&Path>) -> Result<Self> {
        let mut endpoint =
            Endpoint::from_shared(url.to_owned()).with_context(|| url.to_owned())?.tcp_nodelay(true);
        if url.starts_with("https:") {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(file) = ca_file {
                let pem = std::fs::read(file).with_context(|| file.display().to_string())?;
                tls = tls.ca_certificate(Certificate::from_pem(pem));
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        Ok(Self { url: url.to_owned(), peer: Peer::new(endpoint.connect_lazy()), key: WithKey::new(key)? })
    }

    /// To a service of this process.
    pub(crate) fn to_peer(peer: Peer, key: &Secret) -> Result<Self> {
        Ok(Self { url: String::new(), peer, key: WithKey::new(Some(key))? })
    }

    /// To a service of this process, for calls that bring their own credential, or none.
    pub(crate) fn to_stranger(peer: Peer) -> Self {
        Self { url: String::new(), peer, key: WithKey(None) }
    }

    pub(crate) fn graph(&self) -> GraphClient {
        GraphServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn sources(&self) -> SourceClient {
        SourceServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn objects(&self) -> ObjectClient {
        ObjectServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn workers(&self) -> WorkerClient {
        WorkerServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn secrets(&self) -> SecretClient {
        SecretServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn triggers(&self) -> TriggerClient {
        TriggerServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn agents(&self) -> AgentClient {
        AgentServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn hosts(&self) -> HostClient {
        HostServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn collectors(&self) -> CollectorClient {
        CollectorServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn commands(&self) -> CommandClient {
        CommandServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn executions(&self) -> ExecutionClient {
        ExecutionServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn layouts(&self) -> LayoutClient {
        LayoutServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn analyses(&self) -> AnalysisClient {
        AnalysisServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn telemetry(&self) -> TelemetryClient {
        TelemetryServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn logs(&self) -> LogClient {
        LogServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn traces(&self) -> TraceClient {
        TraceServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn alerts(&self) -> AlertClient {
        AlertServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn identity(&self) -> IdentityClient {
        IdentityServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn gateway(&self) -> GatewayClient {
        GatewayServiceClient::with_interceptor(self.peer.clone(), self.key.clone())
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer.clone()
    }
}
