//! What operators and their tools ask over plain HTTP: `/healthz`, `/readyz`, `/metrics`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::body::Body;

use super::{Health, HttpService};
use crate::{Respond, Responding, metrics::Metrics};

/// Answers the operators' paths and hands everything else on.
pub struct Admin {
    inner: HttpService,
    health: Health,
    metrics: Metrics,
}

impl Admin {
    /// Puts the operators' paths in front of `inner`.
    pub fn in_front_of(inner: HttpService, health: Health, metrics: Metrics) -> HttpService {
        HttpService::shared(Self { inner, health, metrics })
    }

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

impl Respond<Infallible> for Admin {
    fn respond(&self, request: Request<Body>) -> Responding<Infallible> {
        match self.answer(&request) {
            Some(answer) => Box::pin(std::future::ready(Ok(answer))),
            None => self.inner.respond(request),
        }
    }
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
