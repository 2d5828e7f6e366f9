//! gRPC and gRPC-web: passed through, message for message, under the bounds that the other protocols have.

mod web;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service, ServiceExt};

use crate::{metadata, shared::Shared, upstream, watch, words};

/// What kind of gRPC a request is, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `application/grpc`, `application/grpc+proto`.
    Grpc,
    /// `application/grpc-web`, `application/grpc-web-text`, with or without `+proto`.
    Web,
    /// gRPC-web with a message format that is not spoken, for example JSON.
    UnknownWeb,
}

/// The gRPC protocol of a request; `None` if it is something else.
pub(crate) fn protocol(headers: &HeaderMap) -> Option<Protocol> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let rest = content_type.strip_prefix("application/grpc")?;
    match rest.strip_prefix("-web") {
        Some("" | "+proto" | "-text" | "-text+proto") => Some(Protocol::Web),
        Some(_) => Some(Protocol::UnknownWeb),
        None if rest.is_empty() || rest.starts_with('+') || rest.starts_with(';') => Some(Protocol::Grpc),
        None => None,
    }
}

/// Answers a request of one of these protocols.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    protocol: Protocol,
    request: Request<Body>,
) -> Response<Body> {
    match protocol {
        Protocol::Grpc if request.method() != Method::POST => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("POST"));
            response
        }
        Protocol::Grpc => pass(&shared, request).await,
        Protocol::Web => {
            if request.method() == Method::POST
                && let tables = shared.tables.load()
                && let Some(entry) = tables.catalog.method(request.uri().path())
                && web::is_whole(entry, request.headers())
            {
                let entry = Arc::clone(entry);
                drop(tables);
                return web::answer(&shared, &entry, request).await;
            }
            let Ok(response) = GrpcWebLayer::new().layer(PassThrough(shared)).oneshot(request).await;
            response
        }
        Protocol::UnknownWeb => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            response
        }
    }
}

/// Hands the request to the service that its path names, and the answer back, trailers included.
async fn pass(shared: &Shared, mut request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let found = shared.tables.load().catalog.passes_to(path);
    let Some((mut peer, client_streaming)) = found else {
        return words::unknown_method(path).into_http();
    };
    let deadline = match metadata::grpc_timeout(request.headers()) {
        Ok(Some(timeout)) if timeout.is_zero() => return words::time_is_over().into_http(),
        Ok(timeout) => timeout.map(|timeout| Instant::now() + timeout),
        Err(status) => return status.into_http(),
    };
    let one = (!client_streaming).then(|| path.to_owned());
    if client_streaming {
        request = request.map(upstream::never_whole);
    }
    metadata::remove_hop_by_hop(request.headers_mut());
    request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    let limit = shared.options.max_message_bytes;
    let (head, body) = request.into_parts();
    let (body, mut faults) = watch::Requests::watch(body, limit, one);
    let answered = async { peer.ready().await?.call(Request::from_parts(head, body)).await };
    let answered = tokio::select! {
        // What the client did wrong is known better here than at the service.
        biased;
        Ok(status) = &mut faults => return status.into_http(),
        answered = answered => answered,
        () = until(deadline) => return words::time_is_over().into_http(),
    };
    // It may have been found while the service read it.
    if let Some(Ok(status)) = (&mut faults).now_or_never() {
        return status.into_http();
    }
    match answered {
        Ok(mut response) => {
            metadata::remove_hop_by_hop(response.headers_mut());
            response.map(|body| watch::Answers::watch(body, limit, deadline, faults))
        }
        Err(error) => upstream::unreachable_service(error.as_ref()).into_http(),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// [`pass`] as the service that the gRPC-web translation wraps.
#[derive(Clone)]
struct PassThrough(Arc<Shared>);

impl Service<Request<Body>> for PassThrough {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { Ok(pass(&shared, request).await) })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tells_the_protocols_apart() {
        for (content_type, expected) in [
            ("application/grpc", Some(Protocol::Grpc)),
            ("application/grpc+proto", Some(Protocol::Grpc)),
            ("application/grpc;charset=x", Some(Protocol::Grpc)),
            ("application/grpc-web", Some(Protocol::Web)),
            ("application/grpc-web+proto", Some(Protocol::Web)),
            ("application/grpc-web-text", Some(Protocol::Web)),
            ("application/grpc-web+json", Some(Protocol::UnknownWeb)),
            ("application/grpcx", None),
            ("application/json", None),
        ] {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(protocol(&headers), expected, "{content_type}");
        }
    }
}
