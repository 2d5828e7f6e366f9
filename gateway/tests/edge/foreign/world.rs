//! A gateway that knows no service of the tests, and servers for it to find.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket},
    sync::mpsc,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;
use tonic::{Status, body::Body};
use tower::ServiceExt;
use weft_gateway::{Gateway, GatewayOptions, Keeper, UpstreamAccess, UpstreamOptions, Upstreams};
use weft_kit::{
    Clock, Ids, Lifecycle, Peer,
    auth::{Authenticator, IdentitySource, SigningKey, VerifyingKeys},
    config::{ClientOptions, LimitOptions},
    metrics::Metrics,
    server::{Guards, RateLimits, Reflection},
};
use weft_proto::weft::{
    gateway::v1::{ListRoutesRequest, ListRoutesResponse, Route, gateway_service_server::GatewayService},
    identity::v1::{Grant, JsonWebKey, Principal, Role},
};

use crate::{
    support::{Answer, Edge, pool},
    upstream::{Echo, Event},
};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Knows keys by what they may do: `weft_admin` in the project `mesh`, and so on.
struct Keys;

#[tonic::async_trait]
impl IdentitySource for Keys {
    async fn keys(&self) -> Result<Vec<JsonWebKey>, Status> {
        Ok(Vec::new())
    }

    async fn introspect(&self, api_key: &str) -> Result<Option<Principal>, Status> {
        let (project, role) = match api_key {
            "weft_admin" => ("projects/mesh", Role::Admin),
            "weft_operator" => ("projects/mesh", Role::Operator),
            "weft_viewer" => ("projects/mesh", Role::Viewer),
            "weft_elsewhere" => ("projects/p", Role::Admin),
            _ => return Ok(None),
        };
        let grants = vec![Grant { project: project.to_owned(), role: role.into() }];
        Ok(Some(Principal { name: format!("{project}/apiKeys/{api_key}"), grants, ..Principal::default() }))
    }
}

/// A gateway, and what keeps services in it.
pub(crate) struct World {
    pub(crate) edge: Edge,
    pub(crate) keeper: Keeper,
    pub(crate) folder: PathBuf,
    wanted: BTreeMap<String, UpstreamOptions>,
}

impl World {
    pub(crate) fn new() -> Self {
        let lifecycle = Lifecycle::new();
        let limits = LimitOptions::default();
        let mesh = SigningKey::from_seed(&[2; 32]).public();
        let guards = Guards {
            authenticator: Arc::new(Authenticator::new(
                Arc::new(Keys),
                VerifyingKeys::new(&mesh),
                Clock::system(),
            )),
            rates: RateLimits::new(&limits.rate),
            limits,
            metrics: Metrics::new(),
            ids: Ids::system(),
            lifecycle: lifecycle.clone(),
        };
        let ours = weft_proto::pool().clone();
        let nobody = tower::service_fn(|_: Request<Body>| async {
            Err::<http::Response<Body>, _>(std::io::Error::other("nobody"))
        });
        let own = Upstreams::new().with("weft.graph.v1.GraphService", Peer::new(nobody));
        let gateway = Gateway::new(own, GatewayOptions::default(), ours, lifecycle.clone()).expect("ours");
        let keeper = gateway.keeper(guards, ClientOptions::default());
        let folder = std::env::temp_dir()
            .join(format!("weft-foreign-{:032x}", u128::from_be_bytes(Ids::system().bytes())));
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let edge = Edge { gateway, lifecycle, events: mpsc::unbounded_channel().1 };
        Self { edge, keeper, folder, wanted: BTreeMap::new() }
    }

    /// Keeps one more, or in another way.
    pub(crate) fn add(&mut self, name: &str, options: UpstreamOptions) {
        self.wanted.insert(name.to_owned(), options);
        self.keeper.apply(&self.wanted);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.wanted.remove(name).expect("it was kept");
        self.keeper.apply(&self.wanted);
    }

    /// A file of this world, with this content.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        std::fs::write(&new, content).expect("the folder is ours");
        std::fs::rename(&new, &file).expect("the folder is ours");
        file
    }

    /// The methods of services that are not the mesh's own.
    pub(crate) async fn foreign(&self) -> Vec<Route> {
        let routes = self.routes().await.routes;
        routes.into_iter().filter(|route| !route.upstream.is_empty()).collect()
    }

    pub(crate) async fn routes(&self) -> ListRoutesResponse {
        let request = ListRoutesRequest { parent: "projects/mesh".to_owned(), ..Default::default() };
        let answer = self.keeper.list_routes(tonic::Request::new(request)).await;
        answer.expect("routes can always be told").into_inner()
    }

    /// Waits until as many methods of an upstream are served.
    pub(crate) async fn served(&self, name: &str, methods: usize) {
        self.until(|routes| routes.routes.iter().filter(|route| route.upstream == name).count() == methods)
            .await;
    }

    /// Waits for what is wrong with an upstream.
    pub(crate) async fn problem(&self, name: &str) -> String {
        let of = |routes: &ListRoutesResponse| {
            let problem = routes.problems.iter().find(|problem| problem.upstream == name)?;
            Some(problem.description.clone())
        };
        self.until(|routes| of(routes).is_some()).await;
        of(&self.routes().await).expect("it was there")
    }

    /// Waits until the routes are as they should be.
    pub(crate) async fn until(&self, holds: impl Fn(&ListRoutesResponse) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let routes = self.routes().await;
            if holds(&routes) {
                return;
            }
            assert!(Instant::now() < end, "it does not come to that: {routes:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Calls a method of the echo service with JSON, by Connect.
    pub(crate) async fn call(&self, key: &str, method: &str, body: &str) -> Answer {
        let authorization = format!("Bearer {key}");
        let mut headers = vec![("content-type", "application/json")];
        if !key.is_empty() {
            headers.push(("authorization", authorization.as_str()));
        }
        self.edge.call_with(&format!("POST /test.v1.EchoService/{method}"), &headers, body).await
    }
}

/// That Connect refuses with this code, and HTTP with this one.
pub(crate) fn refused_as(answer: &Answer, code: &str, http: u16) {
    assert_eq!(answer.status, http, "{}", answer.text());
    assert_eq!(answer.json()["code"], code, "{}", answer.text());
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How a server tells of its contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    V1,
    V1Alpha,
    Nothing,
}

/// A server with the echo service on a port of its own, which stays its own while it is down.
pub(crate) struct Server {
    address: SocketAddr,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    echo: Echo,
    tells: Tells,
    /// What it speaks TLS with, if it does.
    door: Option<TlsAcceptor>,
    /// Ends with it, or when it goes down.
    lifecycle: Lifecycle,
    /// Has the port while it is down: who connects is refused.
    held: Option<TcpSocket>,
}

impl Server {
    pub(crate) async fn start(tells: Tells) -> Self {
        Self::start_behind(tells, None).await
    }

    pub(crate) async fn start_behind(tells: Tells, door: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (echo, events) = Echo::new(pool());
        let server = Self { address, events, echo, tells, door, lifecycle: Lifecycle::new(), held: None };
        server.serve(listener);
        server
    }

    fn serve(&self, listener: TcpListener) {
        let (echo, tells, door) = (self.echo.clone(), self.tells, self.door.clone());
        let life = self.lifecycle.clone();
        self.lifecycle.spawn_future(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("it listens");
                let (echo, door) = (echo.clone(), door.clone());
                life.spawn_future(async move {
                    let Some(door) = door else { return talk(socket, echo, tells).await };
                    // Who does not get in is the client's to see.
                    if let Ok(socket) = door.accept(socket).await {
                        talk(socket, echo, tells).await;
                    }
                });
            }
        });
    }

    /// Ends every connection, and lets nobody in.
    pub(crate) async fn down(&mut self) {
        self.lifecycle.shut_down(Duration::ZERO).await;
        let socket = TcpSocket::new_v4().expect("there are sockets");
        socket.set_reuseaddr(true).expect("it is new");
        socket.bind(self.address).expect("the port was ours a moment ago");
        self.held = Some(socket);
    }

    /// Lets everybody in again.
    pub(crate) fn up(&mut self) {
        self.lifecycle = Lifecycle::new();
        let socket = self.held.take().expect("it is down");
        self.serve(socket.listen(64).expect("the port is ours"));
    }

    pub(crate) fn options(&self) -> UpstreamOptions {
        UpstreamOptions {
            address: match self.door {
                None => format!("http://{}", self.address),
                // What a certificate names.
                Some(_) => format!("https://localhost:{}", self.address.port()),
            },
            access: UpstreamAccess::Public,
            refresh: Duration::from_millis(200),
            // A file has more; who can be asked is asked.
            services: match self.tells {
                Tells::Nothing => vec!["test.v1.EchoService".to_owned()],
                _ => Vec::new(),
            },
            ..UpstreamOptions::default()
        }
    }

    /// Ends it, and every connection to it.
    pub(crate) async fn stop(self) {
        self.lifecycle.shut_down(Duration::ZERO).await;
    }
}

async fn talk(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, echo: Echo, tells: Tells) {
    let service = tower::service_fn(move |request| answer(echo.clone(), tells, request));
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // How a connection ends is the client's to see.
    let _ = builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(service)).await;
}

fn answer(
    echo: Echo,
    tells: Tells,
    request: Request<Incoming>,
) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>> {
    let request = request.map(Body::new);
    let reflection = Reflection::new(pool(), ["test.v1.EchoService".to_owned()]);
    Box::pin(async move {
        if path_is(&request, "/grpc.reflection.v1.") && tells == Tells::V1 {
            return reflection.server().oneshot(request).await;
        }
        if path_is(&request, "/grpc.reflection.v1alpha.") && tells == Tells::V1Alpha {
            return reflection.server_v1alpha().oneshot(request).await;
        }
        if path_is(&request, "/test.v1.EchoService/") {
            return echo.oneshot(request).await;
        }
        Ok(Status::unimplemented("there is no such service").into_http())
    })
}

fn path_is(request: &Request<Body>, prefix: &str) -> bool {
    request.uri().path().starts_with(prefix)
}

/// The contracts of the tests as a descriptor set, their options included.
pub(crate) fn descriptors() -> Vec<u8> {
    pool().encode_to_vec()
}

/// The same after a change to the file of the echo service; options are lost.
pub(crate) fn changed(change: impl Fn(&mut FileDescriptorProto)) -> Vec<u8> {
    let mut set = FileDescriptorSet { file: pool().file_descriptor_protos().cloned().collect() };
    let file = set.file.iter_mut().find(|file| file.name() == "test/v1/echo.proto").expect("it is there");
    change(file);
    set.encode_to_vec()
}

/// How many methods the echo service has.
pub(crate) fn methods() -> usize {
    pool().get_service_by_name("test.v1.EchoService").expect("it is there").methods().len()
}
