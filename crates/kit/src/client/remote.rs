//! A service on other machines: several connections to each of its addresses, kept up to date by
//! DNS, the least busy healthy one taken.

use std::{
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, Uri};
use tokio::time::Instant;
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::Service;
use weft_proto::Methods;

use super::{retry::Retrying, unseen::Unseen};
use crate::{
    BoxError, Ids, Lifecycle, Peer, Problem, TaskKind, config::ClientOptions, server::PeerAddress,
    server::deadline_exceeded,
};

/// After so many failures in a row a connection is left alone for a while.
const FAILURES_TO_EJECT: u32 = 3;
/// For how long.
const EJECTION: Duration = Duration::from_secs(5);

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
    let uri: Uri = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let host = uri.host().ok_or_else(|| format!("{address}: names no host"))?.to_owned();
    let port = uri.port_u16().unwrap_or(80);
    let pool = Pool::new(uri, options.clone());
    pool.set(&[None]);

    let (resolver, interval) = (pool.clone(), options.resolve_interval);
    lifecycle.spawn("resolve", TaskKind::Background, move |life| {
        let (pool, target) = (resolver.clone(), (host.clone(), port));
        async move {
            loop {
                if let Ok(found) = tokio::net::lookup_host(&target).await {
                    let mut found: Vec<_> = found.map(Some).collect();
                    found.sort();
                    found.dedup();
                    if !found.is_empty() {
                        pool.set(&found);
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = life.draining() => return Ok::<_, std::convert::Infallible>(()),
                }
            }
        }
    });
    Ok(Peer::new(Retrying::new(pool, methods, options, ids)))
}

/// The connections to one service.
#[derive(Clone)]
struct Pool {
    uri: Uri,
    options: ClientOptions,
    connections: Arc<RwLock<Vec<Arc<Connection>>>>,
}

struct Connection {
    /// Where to; `None` before the name was resolved: the channel resolves it itself.
    address: Option<SocketAddr>,
    channel: Channel,
    in_flight: AtomicUsize,
    failures: AtomicU32,
    ejected_until: RwLock<Option<Instant>>,
}

impl Pool {
    fn new(uri: Uri, options: ClientOptions) -> Self {
        Self { uri, options, connections: Arc::default() }
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
        let endpoint = Endpoint::from(self.uri.clone())
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
            ejected_until: RwLock::new(None),
        }
    }

    /// The least busy connection that is not left alone; if all are, the least busy one anyway.
    fn pick(&self) -> Option<Arc<Connection>> {
        let connections = self.connections.read().expect("nobody panics with it");
        let now = Instant::now();
        let busy = |connection: &&Arc<Connection>| connection.in_flight.load(Ordering::Relaxed);
        let healthy = connections.iter().filter(|connection| !connection.is_ejected(now)).min_by_key(busy);
        healthy.or_else(|| connections.iter().min_by_key(busy)).cloned()
    }
}

impl Connection {
    fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.read().expect("nobody panics with it").is_some_and(|until| now < until)
    }

    fn note(&self, failed: bool) {
        if !failed {
            self.failures.store(0, Ordering::Relaxed);
        } else if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_TO_EJECT {
            self.failures.store(0, Ordering::Relaxed);
            *self.ejected_until.write().expect("nobody panics with it") = Some(Instant::now() + EJECTION);
        }
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
        let Some(connection) = self.pick() else {
            let status: Status = Problem::unavailable("NO_ADDRESS", "the service has no address").into();
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
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
                    connection.note(false);
                    return Ok(response.map(Body::new));
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
            connection.note(unseen.is_none());
            tracing::debug!(error = %failure, ?unseen, "a peer could not be reached");
            let problem = Problem::unavailable("PEER_UNREACHABLE", "the service could not be reached");
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
