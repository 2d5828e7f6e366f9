//! A port for OTLP alone: 4317 and 4318 by convention. Both protocols are answered on either.

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

use super::is_otlp;
use crate::{Gateway, grpc, refusal::Refusal, words};

/// What a gateway answers on a port for OTLP.
#[derive(Clone, Debug)]
pub struct OtlpPort(Gateway);

impl OtlpPort {
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self(gateway)
    }
}

impl<B> Service<Request<B>> for OtlpPort
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
        let path = request.uri().path();
        if is_otlp(path) {
            return self.0.call(request);
        }
        let response = if grpc::protocol(request.headers()).is_some() {
            words::unknown_method(path).into_http()
        } else {
            let text =
                format!("there is nothing at {path}: this port takes metrics, logs and traces of OTLP");
            Refusal::from(Problem::not_found("NO_SUCH_PATH", text).with("path", path))
                .into_response(&self.0.shared().pool)
        };
        Box::pin(std::future::ready(Ok(response)))
    }
}
