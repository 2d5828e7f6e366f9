//! The runtime with all its stages around the echo service, on a real port.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tonic::{Status, transport::Endpoint};
use weft_kit::{
    Clock, Ids, Lifecycle, Peer, Respond,
    auth::{AUDIENCE, Authenticator, Claims, ISSUER, IdentitySource, SigningKey, VerifyingKeys},
    client::remote,
    config::{ClientOptions, ConnectionOptions, LimitOptions},
    metrics::Metrics,
    server::{Admin, Guards, Health, HttpService, Listener, Pipeline, RateLimits, Reflection, Services},
};
use weft_proto::weft::identity::v1::{JsonWebKey, Principal};

use crate::echo::{
    Echo, methods, pool, v1::echo_service_client::EchoServiceClient,
    v1::echo_service_server::EchoServiceServer,
};

/// A process with the echo service.
pub struct Runtime {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its end.
    pub lifecycle: Lifecycle,
    /// What it counts.
    pub metrics: Metrics,
    /// What it says of its readiness.
    pub health: Health,
    /// The service behind the stages, without a socket.
    pub peer: Peer,
    /// How uploads ended.
    pub uploads: tokio::sync::mpsc::UnboundedReceiver<Result<u32, tonic::Code>>,
    signing: SigningKey,
}

/// How the runtime differs from its defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Limits.
    pub limits: LimitOptions,
    /// Connections.
    pub connections: ConnectionOptions,
}

/// Publishes one key and knows one API key.
struct OneKey(JsonWebKey);

/// The API key that it knows: a viewer of project p.
pub const API_KEY: &str = "weft_of_a_viewer_of_p";

#[tonic::async_trait]
impl IdentitySource for OneKey {
    async fn keys(&self) -> Result<Vec<JsonWebKey>, Status> {
        Ok(vec![self.0.clone()])
    }

    async fn introspect(&self, api_key: &str) -> Result<Option<Principal>, Status> {
        let grant = weft_proto::weft::identity::v1::Grant { project: "projects/p".into(), role: 1 };
        Ok((api_key == API_KEY).then(|| Principal {
            name: "projects/p/apiKeys/viewer".into(),
            grants: vec![grant],
            ..Principal::default()
        }))
    }
}

impl Runtime {
    /// Starts it on a free port of this machine.
    pub async fn start(settings: Settings) -> Self {
        let signing = SigningKey::from_seed(&[1; 32]);
        let mesh = SigningKey::from_seed(&[2; 32]);
        let (lifecycle, metrics, health) = (Lifecycle::new(), Metrics::new(), Health::new());
        let source = Arc::new(OneKey(signing.public()));
        let guards = Guards {
            authenticator: Arc::new(Authenticator::new(
                source,
                VerifyingKeys::new(&mesh.public()),
                Clock::system(),
            )),
            rates: RateLimits::new(&settings.limits.rate),
            limits: settings.limits,
            metrics: metrics.clone(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        let (uploads, ended) = tokio::sync::mpsc::unbounded_channel();
        health.set(crate::echo::SERVICE, true);
        let reflection = Reflection::new(pool().clone(), [crate::echo::SERVICE.to_owned()]);
        let echo = Pipeline::new(
            &Services::new(EchoServiceServer::new(Echo { uploads: Some(uploads) })),
            methods(),
            guards.clone(),
        );
        let peer = Peer::shared(echo.clone());
        let others = Services::new(health.server()).and(reflection.server());
        let others = Pipeline::new(&others, weft_proto::methods(), guards);
        let port = tower_port(echo, others);
        let listener = Listener::bind("127.0.0.1:0", settings.connections).await.expect("a free port");
        let listener = listener.counted(&metrics);
        let address = listener.local_address().expect("it is bound");
        let service = Admin::in_front_of(port, health.clone(), metrics.clone());
        let (life, ids) = (lifecycle.clone(), Ids::system());
        lifecycle.spawn_future(async move { listener.serve(service, ids, life).await });
        Self { address, lifecycle, metrics, health, peer, uploads: ended, signing }
    }

    /// A client over a socket.
    pub fn client(&self) -> EchoServiceClient<Peer> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
        EchoServiceClient::new(Peer::new(endpoint.tcp_nodelay(true).connect_lazy()))
    }

    /// A client as services of the mesh have them: over sockets, with retries.
    pub fn remote_client(&self) -> EchoServiceClient<Peer> {
        let address = format!("http://{}", self.address);
        let options = ClientOptions::default();
        let peer = remote(&address, methods(), &options, Ids::system(), &self.lifecycle).expect("an address");
        EchoServiceClient::new(peer)
    }

    /// A client in this process.
    pub fn local_client(&self) -> EchoServiceClient<Peer> {
        EchoServiceClient::new(self.peer.clone())
    }

    /// A token that holds for an hour, with roles ("viewer", "operator", "admin") by project.
    pub fn token(&self, grants: &[(&str, &str)]) -> String {
        let now = Clock::system().now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        self.signing.sign(&Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: "projects/p/apiKeys/k".into(),
            exp: now + 3600,
            nbf: now,
            iat: now,
            auth_time: now,
            jti: "1".into(),
            name: String::new(),
            grants: grants
                .iter()
                .map(|(project, role)| ((*project).into(), (*role).into()))
                .collect::<BTreeMap<_, _>>(),
            scopes: Vec::new(),
        })
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.lifecycle.shut_down(Duration::from_secs(5)).await;
    }
}

/// Echo calls to the one, all others to the other.
fn tower_port(echo: Pipeline, others: Pipeline) -> HttpService {
    HttpService::new(tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let pipeline = if request.uri().path().starts_with("/weft.test.") { &echo } else { &others };
        pipeline.respond(request)
    }))
}

/// A request with a bearer credential.
pub fn signed<T>(message: T, credential: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {credential}").parse().expect("ASCII"));
    request
}
