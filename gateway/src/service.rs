//! The gateway as one HTTP service: which protocol a request speaks, and who answers it.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use prost_reflect::DescriptorPool;
use tonic::body::Body;
use tower::{Service, ServiceExt};
use weft_kit::{
    BoxError, Ids, Lifecycle, Peer, Problem, Respond, Responding,
    config::ClientOptions,
    server::{Guards, RateLimits},
};

use crate::{
    AgentsPort, GatewayError, GatewayOptions, Keeper, OtlpPort, Upstreams, accept, connect, console,
    cors::Origins,
    docs, grpc, mcp,
    opamp::{self, Collectors},
    refusal::Refusal,
    rest,
    shared::Shared,
    tables::Tables,
    telemetry, upstream, ws,
};

/// The edge of a mesh. Clones share everything.
///
/// It is a [`tower::Service`] of any HTTP request whose body is bytes, and answers every one of
/// them, so that any accept loop which allows upgrades can serve it.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

/// In one piece, because every request has a clone.
#[derive(Clone)]
struct Parts {
    shared: Arc<Shared>,
    own: Upstreams,
    docs: Arc<docs::Page>,
    sides: Vec<(String, Peer)>,
    collectors: Option<Collectors>,
}

impl Gateway {
    /// Builds the gateway of `upstreams`, whose contracts are in `pool`. Methods of services
    /// without an upstream are not served; WebSockets live no longer than `lifecycle`.
    ///
    /// # Errors
    /// A contract that cannot be served, by the name of its method.
    pub fn new(
        upstreams: Upstreams,
        options: GatewayOptions,
        pool: DescriptorPool,
        lifecycle: Lifecycle,
    ) -> Result<Self, GatewayError> {
        let tables = Tables::new(&upstreams, &pool, &options.title, &[], &lifecycle.draining_token())?;
        let origins = Origins::new(&options.allowed_origins);
        let sessions = Arc::new(ws::Sessions::new(Ids::system(), options.websocket.max_waiting_sessions));
        let tables = ArcSwap::from_pointee(tables);
        let shared = Shared { tables, options, origins, pool, lifecycle, sessions };
        let docs = Arc::new(docs::Page::new());
        let parts =
            Parts { shared: Arc::new(shared), own: upstreams, docs, sides: Vec::new(), collectors: None };
        Ok(Self(Arc::new(parts)))
    }

    /// What keeps services in this gateway that weft was not built with: none yet. `guards` stand before them,
    /// `client` says how they are called.
    pub fn keeper(&self, guards: Guards, client: ClientOptions) -> Keeper {
        Keeper::new(Arc::clone(&self.0.shared), self.0.own.clone(), guards, client)
    }

    /// Lets `service` answer `path` and all below it, before anything of the contracts:
    /// `/healthz`, `/metrics`, `/hooks`.
    pub fn with_side(mut self, path: impl Into<String>, service: Peer) -> Self {
        Arc::make_mut(&mut self.0).sides.push((path.into(), service));
        self
    }

    /// Lets collectors, who speak OpAMP, belong to the fleet of the agent service at `agents`, which is called in this
    /// gateway's name. Whoever comes is charged for an attempt to sign in, from `rates`.
    pub fn with_collectors(mut self, agents: Peer, rates: RateLimits) -> Self {
        Arc::make_mut(&mut self.0).collectors = Some(Collectors::new(agents, rates));
        self
    }

    /// What this gateway answers on a port that is for agents alone.
    pub fn for_agents(&self) -> AgentsPort {
        AgentsPort::new(self.clone())
    }

    /// What this gateway answers on a port that is for OTLP alone.
    pub fn for_otlp(&self) -> OtlpPort {
        OtlpPort::new(self.clone())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// The OpenAPI 3.1 document, as `/openapi.json` answers it.
    pub fn openapi(&self) -> Bytes {
        let tables = self.0.shared.tables.load();
        tables.openapi.json(&tables.router, &self.0.shared.pool)
    }

    async fn handle(self, request: Request<Body>) -> Response<Body> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let origins = &self.0.shared.origins;
        let mut response = match origins.preflight(&request) {
            Some(answer) => answer,
            None => self.route(request).await,
        };
        origins.mark(origin.as_ref(), response.headers_mut());
        response
    }

    /// Each protocol's future has a box of its own: in one future, a request of the smallest would have, and move, the
    /// room of the largest.
    async fn route(&self, request: Request<Body>) -> Response<Body> {
        let Parts { shared, docs, sides, collectors, .. } = &*self.0;
        let path = request.uri().path();
        if let Some((_, side)) = sides.iter().find(|(prefix, _)| is_below(prefix, path)) {
            return Box::pin(beside(side.clone(), request, shared)).await;
        }
        if let Some(collectors) = collectors.as_ref().filter(|_| path == opamp::PATH) {
            return Box::pin(opamp::handle(collectors, shared, request)).await;
        }
        let request = if telemetry::may_answer(path) {
            match Box::pin(telemetry::handle(shared, request)).await {
                Ok(response) => return response,
                Err(request) => request,
            }
        } else {
            request
        };
        let path = request.uri().path();
        if let Some(protocol) = grpc::protocol(request.headers()) {
            return Box::pin(grpc::handle(Arc::clone(shared), protocol, request)).await;
        }
        // Taken once: whatever is added or removed meanwhile, this request sees one state of things.
        let tables = shared.tables.load_full();
        if let Some(entry) = tables.catalog.method(path) {
            return Box::pin(connect::handle(shared, entry, request)).await;
        }
        if let Some(door) = ws::door::at(path) {
            return ws::door::handle(shared, request, door);
        }
        match path {
            "/ws" => return ws::handle(shared, request),
            "/docs" => return docs.handle(request.method(), request.headers(), &shared.pool),
            "/mcp" => return Box::pin(mcp::handle(shared, &tables.tools, request)).await,
            "/openapi.json" => {
                return tables.openapi.handle(
                    request.method(),
                    request.headers(),
                    &tables.router,
                    &shared.pool,
                );
            }
            _ => {}
        }
        match Box::pin(rest::handle(shared, &tables.router, request)).await {
            Ok(response) => response,
            Err(request) => self.outside_of_rest(&tables, &request),
        }
    }

    /// A path that no contract has: a method that there is not, a page, or nothing.
    fn outside_of_rest(&self, tables: &Tables, request: &Request<Body>) -> Response<Body> {
        let shared = &self.0.shared;
        if let Some(refusal) = connect::unknown_method(shared, request) {
            return refusal;
        }
        let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
        let is_page =
            accept::wants_page(headers) && !tables.router.is_api_path(path) && !path.starts_with("/assets/");
        console::handle(method, path, headers, is_page).unwrap_or_else(|| {
            if console::has(path) {
                let problem =
                    Problem::unimplemented("WRONG_HTTP_METHOD", format!("{path} does not take {method}"));
                return Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
                    .with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
                    .into_response(&shared.pool);
            }
            let problem =
                Problem::not_found("NO_SUCH_PATH", format!("there is nothing at {path}")).with("path", path);
            Refusal::from(problem).into_response(&shared.pool)
        })
    }
}

fn is_below(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

async fn beside(mut side: Peer, request: Request<Body>, shared: &Shared) -> Response<Body> {
    let answered = async { side.ready().await?.call(request).await };
    answered.await.unwrap_or_else(|error| {
        Refusal::from(upstream::unreachable_service(error.as_ref())).into_response(&shared.pool)
    })
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Gateway")
            .field("methods", &self.0.shared.tables.load().catalog.methods().len())
            .finish_non_exhaustive()
    }
}

impl Respond<Infallible> for Gateway {
    fn respond(&self, request: Request<Body>) -> Responding<Infallible> {
        let gateway = self.clone();
        Box::pin(async move { Ok(gateway.handle(request).await) })
    }
}

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.respond(request.map(Body::new))
    }
}
