//! The connections to one service: some to each address that its name has, and which one a call takes.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::USER_AGENT};
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tower::Service;

use super::{
    attempt::{Overtaken, Taken},
    connection::{Busy, Connection},
    dial::{Dial, Target},
    exchange::{Failure, exchange},
    found::Found,
    health::{Circuit, FIRST_EJECTION, Siblings, Verdict},
    retry::Shunned,
    unseen::Unseen,
};
use crate::{
    BoxError, Lifecycle, Problem, TaskKind, config::ClientOptions, server::PeerAddress,
    server::deadline_exceeded, timeout,
};

/// What we say of ourselves where the caller says nothing.
const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("weft/", env!("CARGO_PKG_VERSION")));

/// The connections to one service. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    dial: Arc<Dial>,
    /// Connections to each address.
    width: usize,
    circuit: Circuit,
    lifecycle: Lifecycle,
    connections: RwLock<Vec<Arc<Connection>>>,
    siblings: Arc<Siblings>,
    /// Those that are equally busy take turns.
    turn: AtomicUsize,
}

impl Pool {
    /// Begins to look up the name.
    pub(super) fn open(dial: Dial, options: &ClientOptions, lifecycle: &Lifecycle, circuit: Circuit) -> Self {
        let (found, patience) = (Found::new(dial.targets()), dial.timeout());
        let pool = Self::of(&[None], dial, options, lifecycle, circuit);
        resolve(Arc::downgrade(&pool.0), found, patience, options.resolve_interval, lifecycle);
        pool
    }

    /// Connections to these addresses.
    pub(super) fn of(
        addresses: &[Option<SocketAddr>],
        dial: Dial,
        options: &ClientOptions,
        lifecycle: &Lifecycle,
        circuit: Circuit,
    ) -> Self {
        let inner = Inner {
            dial: Arc::new(dial),
            width: options.connections.max(1),
            circuit,
            lifecycle: lifecycle.clone(),
            connections: RwLock::default(),
            siblings: Arc::default(),
            turn: AtomicUsize::new(0),
        };
        inner.set(addresses);
        Self(Arc::new(inner))
    }

    /// How many connections calls are sent over now, and how many there are in all.
    pub(super) fn connections(&self) -> (usize, usize) {
        let connections = self.0.connections.read().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let healthy = connections.iter().filter(|connection| connection.health.ejection(now).is_none());
        (healthy.count(), connections.len())
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("authority", &self.0.dial.authority).finish_non_exhaustive()
    }
}

/// Looks the names up now and again, for as long as there is a use for the connections.
fn resolve(pool: Weak<Inner>, found: Found, patience: Duration, interval: Duration, lifecycle: &Lifecycle) {
    lifecycle.spawn("resolve", TaskKind::Background, move |life| {
        let (pool, mut found) = (pool.clone(), found.clone());
        async move {
            loop {
                let addresses = found.look_up(|target| look_up(target, patience)).await;
                let Some(strong) = pool.upgrade() else { return Ok(()) };
                if !addresses.is_empty() {
                    strong.set(&addresses);
                }
                drop(strong);
                if pool.strong_count() == 0 {
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

async fn look_up(target: Target, patience: Duration) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::time::timeout(patience, tokio::net::lookup_host(target)).await??.collect())
}

impl Inner {
    /// Makes the connections those of `addresses`; what is there already stays.
    fn set(&self, addresses: &[Option<SocketAddr>]) {
        let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
        let (mut wanted, mut healths) = (Vec::new(), Vec::new());
        for address in addresses {
            let kept: Vec<_> =
                connections.iter().filter(|connection| connection.address == *address).cloned().collect();
            let health = kept.first().map_or_else(Arc::default, |kept| Arc::clone(&kept.health));
            let missing = self.width.saturating_sub(kept.len());
            let new = || Arc::new(Connection::new(Arc::clone(&self.dial), *address, Arc::clone(&health)));
            wanted.extend(kept);
            wanted.extend((0..missing).map(|_| new()));
            healths.push(health);
        }
        self.siblings.set(healths);
        *connections = wanted;
    }

    /// The least busy connection that is not left alone, and to none of the addresses that were `tried`; if
    /// all are, the least busy one anyway, or how long it is until one may be tried. Another attempt of the same
    /// call should not have `taken` it, or its address, if there are others.
    fn pick(
        &self,
        tried: &[Option<SocketAddr>],
        taken: Option<&Taken>,
    ) -> Result<(Arc<Connection>, Busy), Refused> {
        let connections = self.connections.read().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let from = self.turn.fetch_add(1, Ordering::Relaxed) % connections.len().max(1);
        let in_turn = || {
            let all = connections[from..].iter().chain(&connections[..from]);
            all.filter(|connection| !tried.contains(&connection.address))
        };
        let busy = |connection: &&Arc<Connection>| {
            (taken.map(|taken| taken.overlap(connection.way())), connection.load())
        };
        let healthy =
            in_turn().filter(|connection| connection.health.ejection(now).is_none()).min_by_key(busy);
        let picked = match (healthy, self.circuit) {
            (Some(healthy), _) => healthy,
            (None, Circuit::Absent) => in_turn().min_by_key(busy).ok_or(Refused::NoAddress)?,
            (None, Circuit::Breaks) => {
                let pauses = in_turn().filter_map(|connection| connection.health.ejection(now));
                return Err(pauses.min().map_or(Refused::NoAddress, Refused::For));
            }
        };
        if let Some(taken) = taken {
            taken.add(picked.way());
        }
        Ok((Arc::clone(picked), picked.busy()))
    }

    /// Calls over whichever connection there is. What cannot be connected costs the call nothing, if there is
    /// another address: it has not begun.
    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Failed> {
        let taken = request.extensions().get::<Taken>().cloned();
        let mut tried = Vec::new();
        let mut unreached = None;
        let (connection, busy, sender) = loop {
            let (connection, busy) = match self.pick(&tried, taken.as_ref()) {
                Ok(picked) => picked,
                Err(refused) => return Err(unreached.map_or(Failed::Refused(refused), Failed::Unreached)),
            };
            match connection.sender(&self.lifecycle).await {
                Ok(sender) => break (connection, busy, sender),
                Err(error) => {
                    connection.health.failed(self.circuit);
                    tried.push(connection.address);
                    unreached = Some(error);
                }
            }
        };
        let (head, body) = request.into_parts();
        let verdict = Verdict::new(&self.siblings, &connection.health);
        let overtaken =
            taken.map(|taken| Overtaken::new(taken, Verdict::new(&self.siblings, &connection.health)));
        let answered = exchange(sender, head, body, busy, verdict, &self.lifecycle).await;
        if let Some(overtaken) = overtaken {
            overtaken.answered();
        }
        match answered {
            Ok(response) => {
                connection.health.succeeded();
                Ok(response)
            }
            // The way has nothing to do with it.
            Err(Failure::Request(status)) => Ok(status.into_http()),
            Err(Failure::Unsent(error)) => Err(Failed::Lost(error, Some(Unseen::Closing))),
            Err(Failure::Way(error)) => {
                let unseen = Unseen::of(&error);
                match unseen {
                    Some(_) => connection.health.succeeded(),
                    None => connection.health.failed(self.circuit),
                }
                Err(Failed::Lost(error, unseen))
            }
        }
    }

    fn answer(&self, failed: Failed) -> Response<Body> {
        let unreachable = || match self.circuit {
            Circuit::Absent => unreachable_peer(),
            Circuit::Breaks => unreachable_peer().retry_after(FIRST_EJECTION),
        };
        let lost = || match self.circuit {
            Circuit::Absent => lost_peer(),
            Circuit::Breaks => lost_peer().retry_after(FIRST_EJECTION),
        };
        match failed {
            Failed::Refused(refused) => refused.into_response(),
            Failed::Unreached(error) => {
                tracing::debug!(%error, "a peer could not be reached");
                Status::from(unreachable()).into_http()
            }
            // It is a connection that failed, or that its server let go in order: it passes by itself.
            Failed::Lost(error, unseen) => {
                tracing::debug!(%error, ?unseen, "a peer was lost");
                let Some(unseen) = unseen else { return Status::from(lost()).into_http() };
                let mut answer = Status::from(unreachable()).into_http();
                answer.extensions_mut().insert(unseen);
                answer
            }
        }
    }
}

/// Why a call has no answer.
enum Failed {
    /// It was not even tried.
    Refused(Refused),
    /// There is no connection.
    Unreached(Arc<io::Error>),
    /// The connection took it, and gave no answer.
    Lost(h2::Error, Option<Unseen>),
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

/// The call may have been done.
fn lost_peer() -> Problem {
    Problem::unavailable("PEER_LOST", "the connection to the service was lost before it answered")
}

fn unreachable_peer() -> Problem {
    Problem::unavailable("PEER_UNREACHABLE", "the service could not be reached")
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
        let inner = Arc::clone(&self.0);
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = inner.dial.uri(path);
        request.headers_mut().entry(USER_AGENT).or_insert(OURSELVES);
        Box::pin(async move {
            let asked = request.headers().get("grpc-timeout");
            let deadline = asked
                .and_then(|value| timeout::parse_grpc(value.to_str().ok()?))
                .and_then(|timeout| Instant::now().checked_add(timeout));
            let called = inner.call(request);
            let answered = match deadline {
                None => called.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, called).await {
                    Ok(answered) => answered,
                    Err(_) => return Ok(deadline_exceeded().into_http()),
                },
            };
            Ok(match answered {
                Ok(response) => response,
                Err(failed) => inner.answer(failed),
            })
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tonic::Code;
    use tower::ServiceExt;

    use super::{
        super::{
            client_tls::ClientTls,
            scripted::{Does, Server},
        },
        *,
    };

    #[tokio::test]
    async fn an_address_where_nobody_is_costs_no_call() {
        let lifecycle = Lifecycle::new();
        let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let dead = nobody.local_addr().expect("it is bound");
        drop(nobody);
        let alive = Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await.address;
        let options = ClientOptions::default();
        for (addresses, expected) in
            [(vec![Some(dead), Some(alive)], Code::AlreadyExists), (vec![Some(dead)], Code::Unavailable)]
        {
            let dial = Dial::new("http://a.b:1", &ClientTls::default(), &options).expect("an address");
            let pool = Pool::of(&addresses, dial, &options, &lifecycle, Circuit::Absent);
            for _ in 0..10 {
                assert_eq!(call(&pool).await, expected);
            }
        }
        lifecycle.shut_down(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn all_hosts_of_a_list_are_called() {
        let lifecycle = Lifecycle::new();
        let one = Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await;
        let other = Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await;
        let options = ClientOptions::default();
        let hosts = format!("http://{}, localhost:{}", one.address, other.address.port());
        let dial = Dial::new(&hosts, &ClientTls::default(), &options).expect("addresses");
        let pool = Pool::open(dial, &options, &lifecycle, Circuit::Absent);
        while one.calls() < 5 || other.calls() < 5 {
            assert_eq!(call(&pool).await, Code::AlreadyExists);
        }
        for wrong in ["http://a:1,b c:2", "http://a:1,b:99999", "http://a:1,b:x", "http://a:1,"] {
            let refused = Dial::new(wrong, &ClientTls::default(), &options).map(|_| ());
            assert!(refused.is_err_and(|why| why.starts_with(&format!("{wrong}: "))), "{wrong}");
        }
        lifecycle.shut_down(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn the_least_busy_is_called() {
        let lifecycle = Lifecycle::new();
        let stuck = |call| if call == 0 { Does::hang() } else { Does::answer(Code::Unavailable) };
        let stuck = Server::start(&lifecycle, stuck).await;
        let idle = Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await;
        let options = ClientOptions { connections: 1, ..ClientOptions::default() };
        let dial = Dial::new("http://a.b:1", &ClientTls::default(), &options).expect("an address");
        let addresses = [Some(stuck.address), Some(idle.address)];
        let pool = Pool::of(&addresses, dial, &options, &lifecycle, Circuit::Absent);
        let until_one_hangs = async {
            loop {
                call(&pool).await;
            }
        };
        let others = async {
            while stuck.calls() == 0 {
                tokio::task::yield_now().await;
            }
            // By turns half of them would go where one waits already.
            for _ in 0..20 {
                assert_eq!(call(&pool).await, Code::AlreadyExists);
            }
        };
        tokio::select! {
            () = until_one_hangs => {}
            () = others => {}
        }
        assert_eq!(stuck.calls(), 1);
        lifecycle.shut_down(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn who_only_refuses_is_asked_no_more_while_another_answers() {
        let lifecycle = Lifecycle::new();
        let bad = Server::start(&lifecycle, |_| Does::answer(Code::Unavailable)).await.address;
        let good = Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await.address;
        let options = ClientOptions::default();
        let dial = Dial::new("http://a.b:1", &ClientTls::default(), &options).expect("an address");
        let pool = Pool::of(&[Some(bad), Some(good)], dial, &options, &lifecycle, Circuit::Absent);
        let mut refused = 0;
        // By turns they would be half of all.
        while pool.connections().0 == 4 {
            refused += usize::from(call(&pool).await == Code::Unavailable);
        }
        assert_eq!((refused, pool.connections()), (5, (2, 4)));
        for _ in 0..20 {
            assert_eq!(call(&pool).await, Code::AlreadyExists);
        }
        lifecycle.shut_down(Duration::ZERO).await;
    }

    /// Refuses every third call.
    fn third(call: usize) -> Does {
        Does::answer(if call % 3 == 2 { Code::Unavailable } else { Code::AlreadyExists })
    }

    #[tokio::test]
    async fn who_refuses_far_more_often_than_others_is_asked_no_more() {
        let lifecycle = Lifecycle::new();
        let bad = Server::start(&lifecycle, third).await;
        let good = [
            Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await,
            Server::start(&lifecycle, |_| Does::answer(Code::AlreadyExists)).await,
        ];
        let pool = pool(&[&bad, &good[0], &good[1]], &lifecycle);
        while pool.connections() == (6, 6) {
            call(&pool).await;
            assert!(bad.calls() < 100, "never so many in a row that they alone would do");
        }
        assert_eq!(pool.connections(), (4, 6));
        assert!(bad.calls() >= 20, "of less nothing is concluded: {}", bad.calls());
        let before = bad.calls();
        for _ in 0..30 {
            assert_eq!(call(&pool).await, Code::AlreadyExists);
        }
        assert_eq!(bad.calls(), before);
        lifecycle.shut_down(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn where_all_refuse_alike_nobody_is_left_alone() {
        let lifecycle = Lifecycle::new();
        let (one, other) = (Server::start(&lifecycle, third).await, Server::start(&lifecycle, third).await);
        let pool = pool(&[&one, &other], &lifecycle);
        for _ in 0..200 {
            call(&pool).await;
            assert_eq!(pool.connections(), (4, 4));
        }
        lifecycle.shut_down(Duration::ZERO).await;
    }

    fn pool(servers: &[&Server], lifecycle: &Lifecycle) -> Pool {
        let addresses: Vec<_> = servers.iter().map(|server| Some(server.address)).collect();
        let options = ClientOptions::default();
        let dial = Dial::new("http://a.b:1", &ClientTls::default(), &options).expect("an address");
        Pool::of(&addresses, dial, &options, lifecycle, Circuit::Absent)
    }

    async fn call(pool: &Pool) -> Code {
        let request = Request::post("/a.B/C").body(Body::empty()).expect("well formed");
        let answer = pool.clone().oneshot(request).await.expect("an answer");
        Status::from_header_map(answer.headers()).expect("a status").code()
    }
}
