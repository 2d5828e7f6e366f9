//! Connections: taking them in, bounding them, and letting them go in order.

use std::{
    convert::Infallible, error::Error, fmt, io, iter, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tonic::body::Body;
use tower::Service;

use super::{
    cuts::Cuts,
    guarded::Guarded,
    head_timer::HeadTimer,
    opened::Opened,
    paced::paced,
    places::{Full, Place, Places},
    proxies::{self, Origin},
    stalled::{Giving, Stalls, StreamTasks},
    tls::{self, Tls},
};
use crate::{
    Ids, Lifecycle,
    config::ConnectionOptions,
    metrics::Metrics,
    respond::{Cloned, Respond, Responding},
    together::together,
};

/// What a port serves: anything that answers every HTTP request, if only with an error.
#[derive(Clone)]
pub struct HttpService(Arc<dyn Respond<Infallible>>);

impl HttpService {
    /// Serves with a service of tower.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        Self::shared(Cloned(service))
    }

    /// Serves with what many may call at once.
    pub fn shared(service: impl Respond<Infallible>) -> Self {
        Self(Arc::new(service))
    }

    pub(super) fn respond(&self, request: Request<Body>) -> Responding<Infallible> {
        self.0.respond(request)
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpService")
    }
}

/// Connections that may wait to be taken in; the system may allow fewer (`net.core.somaxconn`).
const WAITING: u32 = 4_096;

/// Connections of those who are kept out that wait unread, and for how long.
const UNREAD: usize = 64;
const UNREAD_FOR: Duration = Duration::from_secs(1);

/// Where a request came from; among the extensions of every request from a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// A bound port. Binding comes first, so that a port that is taken is found out at once.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: ConnectionOptions,
    tls: Option<Tls>,
    cuts: Cuts,
}

impl Listener {
    /// Binds `address`, for example `127.0.0.1:8080`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is taken or not one of this machine, or the TLS certificate is not good.
    pub async fn bind(address: &str, options: ConnectionOptions) -> io::Result<Self> {
        let tls = Tls::load(&options.tls).await?;
        Ok(Self { socket: listen(address).await?, options, tls, cuts: Cuts::default() })
    }

    /// Counts among `metrics` what is cut off, and what for: `weft_server_cut_total`.
    #[must_use]
    pub fn counted(self, metrics: &Metrics) -> Self {
        self.cuts.register(metrics);
        self
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the process begins to end, and then until all connections are closed or the
    /// grace period is over.
    pub async fn serve(self, service: HttpService, ids: Ids, lifecycle: Lifecycle) {
        let places = Places::new(&self.options);
        let strict_transport = tls::strict_transport(&self.options.tls);
        let options = Arc::new(self.options);
        let unread = Arc::new(Semaphore::new(UNREAD));
        if let Some(tls) = &self.tls {
            tls.watch(&lifecycle);
        }
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = lifecycle.draining() => return,
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: pause, or this loop takes a core.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let place = match places.take(address.ip()) {
                Ok(place) => place,
                Err(Full::All) => {
                    tracing::warn!(%address, "as many connections as are taken on at once: closed");
                    continue;
                }
                Err(Full::OfAddress) => {
                    self.cuts.count("address_connections", address);
                    continue;
                }
                Err(Full::TooOften) => {
                    self.cuts.count("address_rate", address);
                    continue;
                }
                Err(Full::KeptOut) => {
                    self.cuts.count("address_flooded", address);
                    keep_waiting(socket, &unread, &lifecycle);
                    continue;
                }
            };
            let connection = Connection {
                service: service.clone(),
                options: Arc::clone(&options),
                tls: self.tls.clone(),
                strict_transport: strict_transport.clone(),
                age: jittered(options.max_age, &ids),
                lifecycle: lifecycle.clone(),
                cuts: self.cuts.clone(),
            };
            // Boxed, because a task has room for what it runs more than once.
            lifecycle.spawn_future(Box::pin(connection.run(socket, address, place)));
        }
    }
}

/// Lets somebody who is kept out wait for a while and reads nothing, if there is room for him: closed at once, he would
/// only come back the sooner.
fn keep_waiting(socket: TcpStream, unread: &Arc<Semaphore>, lifecycle: &Lifecycle) {
    let Ok(permit) = Arc::clone(unread).try_acquire_owned() else { return };
    let life = lifecycle.clone();
    lifecycle.spawn_future(async move {
        tokio::select! {
            () = tokio::time::sleep(UNREAD_FOR) => {}
            () = life.draining() => {}
        }
        drop((socket, permit));
    });
}

/// Listens, with room for a storm of connections: one that finds none tries again only a second later.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(WAITING)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

struct Connection {
    service: HttpService,
    options: Arc<ConnectionOptions>,
    tls: Option<Tls>,
    strict_transport: Option<HeaderValue>,
    age: Duration,
    lifecycle: Lifecycle,
    cuts: Cuts,
}

impl Connection {
    async fn run(self, socket: TcpStream, address: SocketAddr, place: Place) {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%address, %error, "no delay could not be set");
        }
        // A client that says nothing, or half a handshake or HTTP/2 preface, would be kept for ever
        // otherwise.
        let end = Instant::now() + self.options.header_timeout;
        match self.tls.clone() {
            None => match timeout_at(end, Opened::read(socket)).await {
                Ok(Ok(Some(opened))) => Box::pin(self.serve(opened, end, address, place)).await,
                Ok(_) => {}
                Err(_) => self.cuts.count("handshake", address),
            },
            Some(tls) => {
                // A handshake is large, and soon over: its room is not kept for the connection's life.
                let opened = Box::pin(async { Opened::read(tls.acceptor.accept(socket).await?).await });
                match timeout_at(end, opened).await {
                    Ok(Ok(Some(opened))) => Box::pin(self.serve(opened, end, address, place)).await,
                    Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS connection came about"),
                    Ok(Ok(None)) => {}
                    Err(_) => self.cuts.count("handshake", address),
                }
            }
        }
    }

    /// Serves what was opened; what is left of its handshake must be done by `end`.
    async fn serve<S>(self, opened: Opened<S>, end: Instant, address: SocketAddr, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (options, cuts) = (&self.options, self.cuts);
        let tasks = StreamTasks {
            stalls: Stalls::default(),
            stall_timeout: options.stall_timeout,
            address,
            cuts: cuts.clone(),
        };
        let is_http2 = opened.is_http2();
        let (seen, flooded) = (cuts.clone(), place.watched());
        let mut stream = Guarded::http1(opened, options, address, cuts.clone(), place);
        if is_http2 {
            stream = stream.speaking_http2(options, end, tasks.stalls.clone());
        }
        let builder = http_builder(options, tasks);
        // In one piece, because every request has a clone.
        let told = Arc::new(Told {
            service: self.service,
            connected: Origin { address, is_secure: self.tls.is_some() },
            strict_transport: self.strict_transport,
            options: Arc::clone(&self.options),
            cuts,
        });
        let service = tower::service_fn(move |request| {
            let told = Arc::clone(&told);
            async move { told.answer(request).await }
        });
        let service = TowerToHyperService::new(service);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let running =
            async { if is_http2 { together(connection.as_mut()).await } else { connection.as_mut().await } };
        let ended = tokio::select! {
            ended = running => Some(ended),
            () = tokio::time::sleep(self.age) => None,
            () = self.lifecycle.draining() => None,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            connection.as_mut().graceful_shutdown();
            let Ok(ended) = tokio::time::timeout(self.options.drain_grace, connection).await else { return };
            ended
        };
        if let Err(error) = ended {
            if is_flood(&*error) {
                seen.count("http2", address);
                flooded();
            }
            tracing::debug!(%address, %error, "connection ended with an error");
        }
    }
}

/// What a connection knows of all its requests.
struct Told {
    service: HttpService,
    connected: Origin,
    strict_transport: Option<HeaderValue>,
    options: Arc<ConnectionOptions>,
    cuts: Cuts,
}

impl Told {
    async fn answer(&self, mut request: Request<Incoming>) -> Result<Response<Giving>, Infallible> {
        let origin = proxies::origin(request.headers(), self.connected, &self.options);
        request.extensions_mut().insert(PeerAddress(origin.address));
        let (request, unread) = paced(request, self.options.body_timeout, self.connected.address, &self.cuts);
        let mut response = self.service.respond(request).await?;
        unread.throw_away().await;
        if let Some(value) = self.strict_transport.clone().filter(|_| origin.is_secure) {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
        Ok(response.map(Giving::new))
    }
}

/// Whether HTTP/2 itself has seen a flood, before we did: streams that are reset, headers that go on and on.
fn is_flood(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<h2::Error>())
        .any(|error| error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}

fn http_builder(options: &ConnectionOptions, tasks: StreamTasks) -> auto::Builder<StreamTasks> {
    let mut builder = auto::Builder::new(tasks);
    builder
        .http1()
        .timer(HeadTimer::default())
        .header_read_timeout(options.header_timeout)
        .max_headers(128)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(options.keep_alive_interval)
        .keep_alive_timeout(options.keep_alive_timeout)
        .max_concurrent_streams(options.max_streams_per_connection)
        .max_header_list_size(options.max_header_bytes)
        // Rapid reset and its kin: a client that opens and resets is cut off.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(1024)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_send_buf_size(512 * 1024);
    builder
}

/// A tenth more or less, so that connections that began together do not end together.
fn jittered(age: Duration, ids: &Ids) -> Duration {
    age.mul_f64(0.9 + 0.2 * ids.fraction())
}
