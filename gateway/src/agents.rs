//! A port for agents alone: their doors, the calls that lead to it, and nothing else.
//!
//! Hosts of a fleet are seldom where people are. Whoever opens this port to them opens no API, no console and
//! no page to them.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;
use weft_kit::{BoxError, Problem};

use crate::{Gateway, grpc, opamp, refusal::Refusal, rest::Found, shared::Shared, words, ws};

/// What an agent calls, in every protocol of the gateway: it joins, proves who it is, stays, and reports.
const METHODS: [&str; 5] = [
    "/weft.agent.v1.AgentService/EnrollAgent",
    "/weft.agent.v1.AgentService/GetAgentChallenge",
    "/weft.agent.v1.AgentService/IssueAgentToken",
    ws::door::PLACES[0].method,
    ws::door::PLACES[1].method,
];

/// What a gateway answers on the port for agents.
#[derive(Clone, Debug)]
pub struct AgentsPort(Gateway);

impl AgentsPort {
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self(gateway)
    }
}

impl<B> Service<Request<B>> for AgentsPort
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
        if is_for_agents(self.0.shared(), &request) {
            return self.0.call(request);
        }
        let path = request.uri().path();
        let response = if grpc::protocol(request.headers()).is_some() {
            words::unknown_method(path).into_http()
        } else {
            let text = format!("there is nothing at {path}: this port is for agents");
            Refusal::from(Problem::not_found("NO_SUCH_PATH", text).with("path", path))
                .into_response(&self.0.shared().pool)
        };
        Box::pin(std::future::ready(Ok(response)))
    }
}

fn is_for_agents<B>(shared: &Shared, request: &Request<B>) -> bool {
    let path = request.uri().path();
    if ws::door::at(path).is_some() || path == opamp::PATH || METHODS.contains(&path) {
        return true;
    }
    match shared.tables.load().router.find(path, request.method()) {
        Found::Route(route, _) => METHODS.contains(&route.entry.path.as_str()),
        Found::Nothing | Found::WrongMethod(_) => false,
    }
}
