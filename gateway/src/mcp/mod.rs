//! The Model Context Protocol: methods that their contracts mark are tools of AI agents.
//!
//! Streamable HTTP at `/mcp`, without sessions: each POST is one JSON-RPC [`message`] and has one
//! answer. Both eras of the protocol are spoken ([`version`]): the one that begins with `initialize`
//! and the one in which each request says all by itself. [`tools`] are made from descriptors at
//! start, [`call`] calls them.

mod call;
mod message;
pub(crate) mod tools;
mod version;

use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{json, value::RawValue};
use tonic::{Code, body::Body};
use weft_kit::Problem;

use self::{
    message::{Failure, Incoming, Query, Reply, Success},
    tools::Tools,
    version::Era,
};
use crate::{accept, refusal::Refusal, shared::Shared};

/// What a model is told of the server before it sees any tool.
const INSTRUCTIONS: &str = "Resources have names such as projects/p/graphs/g. Lists come in pages: pass \
    nextPageToken on as pageToken until it is empty. 64-bit integers are strings. A failed call says \
    which field is wrong and what to do.";

/// How long a client may keep the list of tools: contracts change with the program.
const FRESH_MS: u64 = 300_000;

/// Answers a request for `/mcp`.
pub(crate) async fn handle(shared: &Shared, tools: &Tools, request: Request<Body>) -> Response<Body> {
    receive(shared, tools, request).await.unwrap_or_else(|refusal| refusal.into_response(&shared.pool))
}

async fn receive(shared: &Shared, tools: &Tools, request: Request<Body>) -> Result<Response<Body>, Refusal> {
    check(shared, &request)?;
    let (parts, body) = request.into_parts();
    let body = crate::body::read(&parts.headers, body, shared.options.max_body_bytes).await;
    let body = body.map_err(|status| match status.code() {
        Code::ResourceExhausted => Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status),
        _ => status.into(),
    })?;
    Ok(match message::read(&body) {
        Ok(Incoming::Query(query)) => {
            let answered = answer(shared, tools, &query, &parts.headers, parts.extensions).await;
            respond(Some(query.id), answered)
        }
        // It asks nothing, and nothing is kept that it could be about.
        Ok(Incoming::Notice) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(failure) => respond(None, Err(failure)),
    })
}

/// What HTTP has to say, before anything is read.
fn check(shared: &Shared, request: &Request<Body>) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.method() != Method::POST {
        let text = "/mcp takes POST: there are no sessions to end and no streams to open";
        let problem = Problem::unimplemented("WRONG_HTTP_METHOD", text);
        return Err(Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
            .with_header(header::ALLOW, HeaderValue::from_static("POST")));
    }
    if !shared.origins.may_use_tools(request) {
        let text = "pages of this origin may not use tools";
        return Err(Problem::permission_denied("ORIGIN_NOT_ALLOWED", text).into());
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case(accept::JSON) {
        let problem = Problem::invalid_argument("NOT_JSON", "the body must be application/json");
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    }
    if accept::choose(headers, &[accept::JSON]).is_none() {
        let problem = Problem::invalid_argument("NOT_ACCEPTABLE", "there is only application/json");
        return Err(Refusal::http(StatusCode::NOT_ACCEPTABLE, problem));
    }
    Ok(())
}

async fn answer<'t>(
    shared: &Shared,
    tools: &'t Tools,
    query: &Query<'_>,
    headers: &HeaderMap,
    extensions: Extensions,
) -> Result<Reply<'t>, Failure> {
    let era = version::of(query, headers)?;
    let server = || json!({ "name": shared.options.title, "version": env!("CARGO_PKG_VERSION") });
    let success = match (query.method.as_str(), era) {
        ("initialize", Era::Sessions) => Success::Json(json!({
            "protocolVersion": version::agreed(query.params.protocol_version.as_deref()),
            "capabilities": { "tools": { "listChanged": false } },
            "serverInfo": server(),
            "instructions": INSTRUCTIONS,
        })),
        ("ping", Era::Sessions) => Success::Json(json!({})),
        ("server/discover", _) => Success::Json(json!({
            "supportedVersions": version::ALL,
            "capabilities": { "tools": { "listChanged": false } },
            "instructions": INSTRUCTIONS,
            "ttlMs": FRESH_MS,
            "cacheScope": "public",
        })),
        ("tools/list", _) if query.params.cursor.is_some() => {
            return Err(Failure::invalid_params("there is no such cursor: the list is one page"));
        }
        ("tools/list", _) => Success::List { tools: tools.list(), fresh_ms: FRESH_MS, cache_scope: "public" },
        ("tools/call", _) => Success::Tool(call::call(shared, tools, query, headers, extensions).await?),
        (other, era) => return Err(Failure::unknown_method(other, era == Era::Requests)),
    };
    Ok(match era {
        Era::Sessions => Reply::plain(success),
        Era::Requests => Reply::complete(success, &server()),
    })
}

fn respond(id: Option<&RawValue>, answered: Result<Reply<'_>, Failure>) -> Response<Body> {
    let (status, wants_credential) = match &answered {
        Ok(_) => (StatusCode::OK, false),
        Err(failure) => (failure.http, failure.http == StatusCode::UNAUTHORIZED),
    };
    let mut response = Response::new(Body::new(Full::from(message::write(id, answered))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(accept::JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if wants_credential {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
