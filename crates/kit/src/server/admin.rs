//! What operators and their tools ask over plain HTTP: `/healthz`, `/readyz`, `/metrics`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;
use tower::Service;

use super::{Health, HttpService};
use crate::metrics::Metrics;

/// Answers the operators' paths and hands everything else on.
#[derive(Clone)]
pub struct Admin<S> {
    inner: S,
    health: Health,
    metrics: Metrics,
}

impl<S> Admin<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    /// Puts the operators' paths in front of `inner`.
    pub fn in_front_of(inner: S, health: Health, metrics: Metrics) -> HttpService {
        HttpService::new(Self { inner, health, metrics })
    }
}

impl<S> Admin<S> {
    fn answer(&self, request: &Request<Body>) -> Option<Response<Body>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return None;
        }
        match request.uri().path() {
            // Alive: it answers at all.
            "/healthz" => Some(text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned())),
            "/readyz" => Some(match self.health.not_ready() {
                missing if missing.is_empty() => {
                    text(StatusCode::OK, "text/plain; charset=utf-8", "ready\n".to_owned())
                }
                missing => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/plain; charset=utf-8",
                    format!("not ready: {}\n", missing.join(", ")),
                ),
            }),
            "/metrics" => Some(text(
                StatusCode::OK,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                self.metrics.encode(),
            )),
            _ => None,
        }
    }
}

impl<S> Service<Request<Body>> for Admin<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(answer) = self.answer(&request) {
            return Box::pin(std::future::ready(Ok(answer)));
        }
        Box::pin(self.inner.call(request))
    }
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
