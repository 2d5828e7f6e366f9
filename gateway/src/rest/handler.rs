//! A REST request from its first line to its answer.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use tonic::{Status, body::Body};
use weft_kit::Problem;

use super::{Found, Route, Router, reply, request, router::Segments, stream as streams};
use crate::{
    accept::{self, Offer},
    call::{self, Head},
    metadata,
    refusal::Refusal,
    shared::Shared,
};

/// Answers a request whose path is one of a contract's; gives back what is not.
pub(crate) async fn handle(
    shared: &Shared,
    router: &Router,
    request: Request<Body>,
) -> Result<Response<Body>, Request<Body>> {
    let is_head = request.method() == Method::HEAD;
    let method = if is_head { Method::GET } else { request.method().clone() };
    let path = request.uri().path().to_owned();
    let (route, segments) = match router.find(&path, &method) {
        Found::Nothing => return Err(request),
        Found::WrongMethod(allowed) => {
            return Ok(wrong_method(&method, &path, &allowed)
                .unwrap_or_else(|refusal| refusal.into_response(&shared.pool)));
        }
        Found::Route(route, segments) => (route, segments),
    };
    let (parts, body) = request.into_parts();
    let answered = answer(shared, route, &segments, parts, body).await;
    let mut response = answered.unwrap_or_else(|refusal| refusal.into_response(route.entry.pool()));
    if is_head {
        *response.body_mut() = Body::empty();
    }
    Ok(response)
}

/// The answer to OPTIONS, or a refusal; both say what is allowed.
fn wrong_method(method: &Method, path: &str, allowed: &[Method]) -> Result<Response<Body>, Refusal> {
    let mut names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if allowed.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    let allow = HeaderValue::try_from(names.join(", ")).expect("methods are visible ASCII");
    if method == Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(header::ALLOW, allow);
        return Ok(response);
    }
    let problem = Problem::unimplemented("WRONG_HTTP_METHOD", format!("{path} does not take {method}"));
    Err(Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem).with_header(header::ALLOW, allow))
}

async fn answer(
    shared: &Shared,
    route: &Arc<Route>,
    segments: &Segments<'_>,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, Refusal> {
    if route.entry.client_streaming {
        return Err(use_the_socket(route));
    }
    let offer = offer(route, &parts)?;
    let resume_after = last_event(&parts.headers).filter(|_| offer == accept::EVENTS).transpose()?;
    let message = request::message(route, segments, &parts, body, &shared.options, resume_after).await?;
    let head = Head {
        metadata: metadata::from_headers(&parts.headers),
        timeout: metadata::timeout(&parts.headers)?,
        extensions: parts.extensions,
    };
    let limit = shared.options.max_message_bytes;
    let message = call::fitting(message, limit)
        .map_err(|status| Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status))?;
    if !route.entry.server_streaming {
        return reply::unary(route, call::unary(&route.entry, head, message, limit).await?);
    }
    let answer = call::call(&route.entry, head, call::one(message, limit)?, limit).await?;
    if reply::returns_raw(route) {
        streams::raw(route, answer).await
    } else {
        Ok(streams::messages(route, answer, offer, shared.options.heartbeat))
    }
}

fn offer(route: &Route, parts: &Parts) -> Result<Offer, Refusal> {
    let offers: &[Offer] = match (route.entry.server_streaming, reply::returns_raw(route)) {
        // Its type is known only when it is there.
        (_, true) => return Ok(""),
        (true, false) => &[accept::NDJSON, accept::EVENTS, accept::JSON],
        (false, false) => &[accept::JSON],
    };
    accept::choose(&parts.headers, offers).ok_or_else(|| {
        let problem =
            Problem::invalid_argument("NOT_ACCEPTABLE", format!("there is only {}", offers.join(", ")));
        Refusal::http(StatusCode::NOT_ACCEPTABLE, problem)
    })
}

/// What an `EventSource` sends when it connects again. Nothing is no id.
fn last_event(headers: &HeaderMap) -> Option<Result<&str, Status>> {
    let id = headers.get("last-event-id").filter(|id| !id.is_empty())?;
    Some(
        std::str::from_utf8(id.as_bytes())
            .map_err(|_| Problem::bad_field("last-event-id", "is not UTF-8").into()),
    )
}

/// What to do with a method that a single HTTP request cannot call.
fn use_the_socket(route: &Route) -> Refusal {
    let problem = Problem::unimplemented(
        "NEEDS_A_STREAM",
        format!(
            "{} takes a stream of messages: call it over gRPC, Connect or the WebSocket at /ws",
            route.entry.path
        ),
    );
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
        .with_header(header::ALLOW, HeaderValue::from_static("OPTIONS"))
}
