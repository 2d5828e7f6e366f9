//! The client of HTTP requests: what is asked for, redirects, and what an answer is to the step. Where a request may go is
//! looked at by [`Egress`], for each redirect as for the first address.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use serde_json::{Map, Value as Json, json};
use weft_kit::{
    config::Network,
    egress::{Egress, EgressError},
};

use super::super::Attempt;
use crate::domain::fault::StepError;

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Sends requests to the world outside.
pub(crate) struct Web {
    egress: Egress,
    patience: Duration,
    most_bytes: usize,
}

impl Web {
    /// A client that may reach these networks, too.
    pub(crate) fn new(allowed: &[Network], patience: Duration, most_bytes: usize) -> Self {
        Self { egress: Egress::new(allowed.to_vec()), patience, most_bytes }
    }

    /// Sends a request, and gives the answer.
    pub(crate) async fn send(&self, attempt: &Attempt, request: Arc<Json>) -> Result<Json, StepError> {
        let mut url = address(request["url"].as_str().unwrap_or_default())?;
        let mut method: Method = request["method"].as_str().unwrap_or("GET").parse().unwrap_or(Method::GET);
        let (mut headers, mut body) = content(&request)?;
        let key = HeaderValue::try_from(&attempt.key);
        headers.entry("idempotency-key").or_insert(key.unwrap_or_else(|_| HeaderValue::from_static("")));
        for _ in 0..=REDIRECTS {
            let mut sent = http::Request::new(Bytes::from(body.clone().unwrap_or_default()));
            *sent.method_mut() = method.clone();
            *sent.uri_mut() =
                url.as_str().parse().map_err(|_| bad_url("cannot be asked for", url.as_str()))?;
            *sent.headers_mut() = headers.clone();
            let sent = self.egress.send(sent, self.patience, self.most_bytes).await;
            let response = sent.map_err(|error| of_error(&error))?;
            let Some(next) = next(&response, &url)? else {
                return read(&response, &request);
            };
            let status = response.status();
            if status == StatusCode::SEE_OTHER
                || (method == Method::POST
                    && [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND].contains(&status))
            {
                method = if method == Method::HEAD { Method::HEAD } else { Method::GET };
                body = None;
                headers.remove(CONTENT_TYPE);
            }
            if next.origin() != url.origin() {
                for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("proxy-authorization")] {
                    headers.remove(name);
                }
            }
            url = next;
        }
        Err(StepError::new("TOO_MANY_REDIRECTS", format!("more than {REDIRECTS}")))
    }
}

fn read(response: &http::Response<Bytes>, request: &Json) -> Result<Json, StepError> {
    let status = response.status();
    let mut headers = Map::new();
    for (name, value) in response.headers() {
        headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
    }
    let kind = headers.get("content-type").and_then(Json::as_str).unwrap_or_default();
    let is_json = kind.contains("/json") || kind.contains("+json");
    let body = match serde_json::from_slice(response.body()) {
        Ok(body) if is_json => body,
        _ => Json::String(String::from_utf8_lossy(response.body()).into_owned()),
    };
    if status.as_u16() < 400 || request["any_status"] == true {
        return Ok(json!({"status": status.as_u16(), "headers": headers, "body": body}));
    }
    let message = format!("{status}: {}", body.to_string().chars().take(500).collect::<String>());
    let may_pass = status.is_server_error() || [408, 425, 429].contains(&status.as_u16());
    let failed = if may_pass { StepError::passing } else { StepError::new };
    Err(failed("HTTP_STATUS".to_owned(), message))
}

fn of_error(error: &EgressError) -> StepError {
    let message = error.to_string();
    match error {
        EgressError::Address(_) => StepError::new("BAD_URL", message),
        EgressError::Forbidden(_) => StepError::new("ADDRESS_REFUSED", message),
        EgressError::TooLarge(..) => StepError::new("RESPONSE_TOO_LARGE", message),
        EgressError::TimedOut(_) => StepError::passing("TIMEOUT", message),
        _ => StepError::passing("HTTP_FAILED", message),
    }
}

fn bad_url(problem: &str, url: &str) -> StepError {
    StepError::new("BAD_URL", format!("{problem}: {url}"))
}

/// An address that a request can go to.
pub(super) fn address(text: &str) -> Result<Url, StepError> {
    let bad = |problem: &str| bad_url(problem, text);
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(bad("must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not have a name and password in it"));
    }
    Ok(url)
}

fn content(request: &Json) -> Result<(HeaderMap, Option<String>), StepError> {
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let bad = || StepError::new("BAD_HEADER", format!("{name:?} cannot be sent"));
        let name = HeaderName::try_from(name).map_err(|_| bad())?;
        if ["host", "content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            return Err(bad());
        }
        headers.insert(name, HeaderValue::try_from(text).map_err(|_| bad())?);
    }
    let body = match &request["body"] {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Some(other.to_string())
        }
    };
    Ok((headers, body))
}

/// Where an answer leads on to.
fn next(response: &http::Response<Bytes>, from: &Url) -> Result<Option<Url>, StepError> {
    let is_redirect = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else { return Ok(None) };
    let bad = || StepError::new("BAD_URL", "a redirect leads to nowhere");
    let next = from.join(location.to_str().map_err(|_| bad())?).map_err(|_| bad())?;
    address(next.as_str()).map(Some)
}
