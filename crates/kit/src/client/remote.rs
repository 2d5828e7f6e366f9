//! A service on other machines: several connections to each of its addresses, kept up to date by
//! DNS, the least busy healthy one taken.

use std::{
    net::SocketAddr,
    ops::Deref,
    sync::{
        Arc, RwLock, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::Service;
use weft_proto::Methods;

use super::{
    client_tls::ClientTls,
    retry::{Retrying, Shunned},
    unseen::Unseen,
};
use crate::{
    BoxError, Ids, Lifecycle, Peer, Problem, TaskKind, config::ClientOptions, server::PeerAddress,
    server::deadline_exceeded,
};

/// After so many failures in a row a connection is left alone for a while.
const FAILURES_TO_EJECT: u32 = 3;
/// For how long, as a rule.
const EJECTION: Duration = Duration::from_secs(5);
/// Behind a circuit breaker: for how long at first; it doubles each time that the way turns out to be closed
/// still.
const FIRST_EJECTION: Duration = Duration::from_millis(500);
/// And at most.
const LONGEST_EJECTION: Duration = Duration::from_secs(8);

/// A peer at `address`, for example `http://graph:8080`. Its name is resolved now and then again;
/// every address that it has gets `options.connections` connections. Calls that `methods` says
/// may be repeated are retried, and so is any call that no service has seen (gRFC A6). What comes from
/// below gRPC is UNAVAILABLE, never INTERNAL: a connection that is gone is no fault of a service.
///
/// # Errors
/// An address that cannot be read.
pub fn remote(
    address: &str,
    methods: &'static Methods,
    options: &ClientOptions,
    ids: Ids,
    lifecycle: &Lifecycle,
) -> Result<Peer, String> {
    let tls = ClientTls::default();
    Ok(Remote::open(address, &tls, options, ids, lifecycle, Circuit::Absent)?.peer(methods))
}

/// What happens while no connection of a service works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are tried anyway: right within a mesh, whose processes come back within a moment.
    Absent,
    /// Calls are refused at once with UNAVAILABLE and the time to try again; then the next one finds out.
    Breaks,
}

/// The connections to a service on other machines. They are given up with the last clone and the last
/// [`peer`](Self::peer). Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    pool: Pool,
    ids: Ids,
}

impl Remote {
    /// Begins to look up `address`, for example `http://graph:8080`; connects when there is a call. With
    /// `https:` it speaks TLS as `tls` says.
    ///
    /// # Errors
    /// An address that cannot be read, or files of `tls` that are no good.
    pub fn open(
        address: &str,
        tls: &ClientTls,
        options: &ClientOptions,
        ids: Ids,
        lifecycle: &Lifecycle,
        circuit: Circuit,
    ) -> Result<Self, String> {
        let uri: Uri = address.parse().map_err(|error| format!("{address}: {error}"))?;
        let host = uri.host().ok_or_else(|| format!("{address}: names no host"))?.to_owned();
        let is_secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let mut endpoint = Endpoint::from(uri);
        if is_secure {
            let refused = |error: tonic::transport::Error| format!("{address}: {}", below(&error));
            endpoint = endpoint.tls_config(tls.config()?).map_err(refused)?;
        }
        let pool = Pool { endpoint, options: options.clone(), circuit, connections: Arc::default() };
        pool.set(&[None]);
        pool.resolve((host, port), lifecycle);
        Ok(Self { pool, ids })
    }

    /// As a peer that repeats what `methods` says may be repeated.
    pub fn peer<M>(&self, methods: M) -> Peer
    where
        M: Deref<Target = Methods> + Clone + Send + Sync + 'static,
    {
        Peer::new(Retrying::new(self.pool.clone(), methods, &self.pool.options, self.ids.clone()))
    }

    /// How many connections calls are sent over now, and how many there are in all.
    pub fn connections(&self) -> (usize, usize) {
        let connections = self.pool.connections.read().expect("nobody panics with it");
        let now = Instant::now();
        let healthy = connections.iter().filter(|connection| connection.ejection(now).is_none()).count();
        (healthy, connections.len())
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").field("uri", self.pool.endpoint.uri()).finish_non_exhaustive()
    }
}

/// What an error says, and what is below it: tonic's own says only where it happened.
fn below(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", below(cause)))
}

/// The connections to one service.
#[derive(Clone)]
struct Pool {
    endpoint: Endpoint,
    options: ClientOptions,
    circuit: Circuit,
    connections: Arc<Connections>,
}

type Connections = RwLock<Vec<Arc<Connection>>>;

struct Connection {
    /// Where to; `None` before the name was resolved: the channel resolves it itself.
    address: Option<SocketAddr>,
    channel: Channel,
    in_flight: AtomicUsize,
    failures: AtomicU32,
    /// How often in a row it was left alone without a success in between.
    ejections: AtomicU32,
    ejected_until: RwLock<Option<Instant>>,
}

impl Pool {
    /// Looks the name up now and again, for as long as there is a use for the connections.
    fn resolve(&self, target: (String, u16), lifecycle: &Lifecycle) {
        let (endpoint, options, circuit) = (self.endpoint.clone(), self.options.clone(), self.circuit);
        let connections = Arc::downgrade(&self.connections);
        let pool = move |connections: &Weak<Connections>| {
            let connections = connections.upgrade()?;
            Some(Self { endpoint: endpoint.clone(), options: options.clone(), circuit, connections })
        };
        let interval = self.options.resolve_interval;
        lifecycle.spawn("resolve", TaskKind::Background, move |life| {
            let (pool, connections, target) = (pool.clone(), connections.clone(), target.clone());
            async move {
                loop {
                    if let Ok(found) = tokio::net::lookup_host(&target).await {
                        let mut found: Vec<_> = found.map(Some).collect();
                        found.sort();
                        found.dedup();
                        let Some(pool) = pool(&connections) else { return Ok(()) };
                        if !found.is_empty() {
                            pool.set(&found);
                        }
                    }
                    if connections.strong_count() == 0 {
                        return Ok(());
                    }
                    tokio::select! {
                        () = tokio::time::sleep(interval) => {}
                        () = life.draining() => return Ok::<_, std::convert::Infallible>(()),
                    }
                }
            }
        });
    }

    /// Makes the connections those of `addresses`; what is there already stays.
    fn set(&self, addresses: &[Option<SocketAddr>]) {
        let mut connections = self.connections.write().expect("nobody panics with it");
        let mut wanted = Vec::new();
        for address in addresses {
            let kept: Vec<_> =
                connections.iter().filter(|connection| connection.address == *address).cloned().collect();
            let missing = self.options.connections.max(1).saturating_sub(kept.len());
            wanted.extend(kept);
            wanted.extend((0..missing).map(|_| Arc::new(self.connect(*address))));
        }
        *connections = wanted;
    }

    fn connect(&self, address: Option<SocketAddr>) -> Connection {
        let endpoint = self
            .endpoint
            .clone()
            .connect_timeout(self.options.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024);
        let channel = match address {
            None => endpoint.connect_lazy(),
            Some(address) => endpoint.connect_with_connector_lazy(tower::service_fn(move |_| async move {
                let socket = tokio::net::TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(socket))
            })),
        };
        Connection {
            address,
            channel,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected_until: RwLock::new(None),
        }
    }

    /// The least busy connection that is not left alone; if all are, the least busy one anyway, or how
    /// long it is until one may be tried.
    fn pick(&self) -> Result<Arc<Connection>, Refused> {
        let connections = self.connections.read().expect("nobody panics with it");
        let now = Instant::now();
        let busy = |connection: &&Arc<Connection>| connection.in_flight.load(Ordering::Relaxed);
        let healthy =
            connections.iter().filter(|connection| connection.ejection(now).is_none()).min_by_key(busy);
        if let Some(healthy) = healthy {
            return Ok(Arc::clone(healthy));
        }
        match self.circuit {
            Circuit::Absent => connections.iter().min_by_key(busy).map(Arc::clone).ok_or(Refused::NoAddress),
            Circuit::Breaks => {
                let pauses = connections.iter().filter_map(|connection| connection.ejection(now));
                Err(pauses.min().map_or(Refused::NoAddress, Refused::For))
            }
        }
    }
}

/// Why a call is not even tried.
enum Refused {
    NoAddress,
    /// All connections are left alone, for so long.
    For(Duration),
}

impl Refused {
    fn into_response(self) -> Response<Body> {
        let problem = match self {
            Self::NoAddress => Problem::unavailable("NO_ADDRESS", "the service has no address"),
            Self::For(pause) => unreachable_peer().retry_after(pause),
        };
        let mut response = Status::from(problem).into_http();
        response.extensions_mut().insert(Shunned);
        response
    }
}

fn unreachable_peer() -> Problem {
    Problem::unavailable("PEER_UNREACHABLE", "the service could not be reached")
}

impl Connection {
    /// For how long it is still left alone.
    fn ejection(&self, now: Instant) -> Option<Duration> {
        let until = (*self.ejected_until.read().expect("nobody panics with it"))?;
        Some(until.saturating_duration_since(now)).filter(|pause| !pause.is_zero())
    }

    fn note(&self, failed: bool, circuit: Circuit) {
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
            self.ejections.store(0, Ordering::Relaxed);
            return;
        }
        let ejections = self.ejections.load(Ordering::Relaxed);
        // Who was left alone and fails again has not come back: no need to be sure.
        let enough = if circuit == Circuit::Breaks && ejections > 0 { 1 } else { FAILURES_TO_EJECT };
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 < enough {
            return;
        }
        let now = Instant::now();
        let mut until = self.ejected_until.write().expect("nobody panics with it");
        if until.is_some_and(|until| until > now) {
            // A call that began before the others failed: nothing new.
            return;
        }
        let pause = match circuit {
            Circuit::Absent => EJECTION,
            Circuit::Breaks => (FIRST_EJECTION * (1 << ejections.min(8))).min(LONGEST_EJECTION),
        };
        self.failures.store(0, Ordering::Relaxed);
        self.ejections.store(ejections + 1, Ordering::Relaxed);
        *until = Some(now + pause);
    }
}

impl Service<Request<Body>> for Pool {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        carry_address(&mut request);
        let connection = match self.pick() {
            Ok(connection) => connection,
            Err(refused) => return Box::pin(std::future::ready(Ok(refused.into_response()))),
        };
        let circuit = self.circuit;
        let mut channel = connection.channel.clone();
        Box::pin(async move {
            let _busy = Busy::new(&connection);
            let answer = async {
                std::future::poll_fn(|context| channel.poll_ready(context)).await?;
                channel.call(request).await
            }
            .await;
            let failure = match answer {
                Ok(response) => {
                    connection.note(false, circuit);
                    return Ok(response.map(|body| Body::new(body.map_err(broke_off))));
                }
                Err(error) => error,
            };
            // The channel watches the deadline too, and would call its end CANCELLED.
            if is_timeout(&failure) {
                return Ok(deadline_exceeded().into_http());
            }
            // Everything else below gRPC is a connection that failed, or that its server let go in order:
            // it passes by itself.
            let unseen = Unseen::of(&failure);
            connection.note(unseen.is_none(), circuit);
            tracing::debug!(error = %failure, ?unseen, "a peer could not be reached");
            let problem = match circuit {
                Circuit::Absent => unreachable_peer(),
                Circuit::Breaks => unreachable_peer().retry_after(FIRST_EJECTION),
            };
            let mut answer = Status::from(problem).into_http();
            if let Some(unseen) = unseen {
                answer.extensions_mut().insert(unseen);
            }
            Ok(answer)
        })
    }
}

/// Tells the service where the request came from, if it came from outside. What a client said of
/// itself is replaced.
fn carry_address(request: &mut Request<Body>) {
    let address = request.extensions().get::<PeerAddress>().map(|address| address.0.ip().to_string());
    request.headers_mut().remove("x-forwarded-for");
    if let Some(Ok(address)) = address.map(HeaderValue::try_from) {
        request.headers_mut().insert("x-forwarded-for", address);
    }
}

/// What is told of an answer that ends without a status: its service died, or the way to it. What HTTP/2
/// gives a reason for keeps it.
fn broke_off(error: Status) -> Status {
    match error.code() {
        Code::Unknown | Code::Internal => {
            tracing::debug!(%error, "an answer broke off");
            Problem::unavailable("ANSWER_BROKE_OFF", "the service was lost in the middle of its answer")
                .into()
        }
        _ => error,
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<tonic::TimeoutExpired>() || error.source().is_some_and(is_timeout)
}

/// Counts a call while it waits for its answer's head.
struct Busy(Arc<Connection>);

impl Busy {
    fn new(connection: &Arc<Connection>) -> Self {
        connection.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connection))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
