//! The client of HTTP requests: what is asked for, redirects, and what an answer is to the step. Where a request may go is
//! looked at by [`Egress`], for each redirect as for the first address.

use std::time::Duration;

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
use crate::{
    domain::{address, fault::StepError},
    secrets::Revealed,
};

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
    pub(crate) async fn send(&self, attempt: &Attempt, revealed: &Revealed) -> Result<Json, StepError> {
        let request = &*revealed.request;
        let mut url = target(revealed)?;
        let mut method: Method = request["method"].as_str().unwrap_or("GET").parse().unwrap_or(Method::GET);
        let (mut headers, mut body) = content(request)?;
        let key = HeaderValue::try_from(&attempt.key);
        headers.entry("idempotency-key").or_insert(key.unwrap_or_else(|_| HeaderValue::from_static("")));
        for _ in 0..=REDIRECTS {
            let mut sent = http::Request::new(Bytes::from(body.clone().unwrap_or_default()));
            *sent.method_mut() = method.clone();
            *sent.uri_mut() = url
                .as_str()
                .parse()
                .map_err(|_| unsaid(revealed, address::bad("cannot be asked for", url.as_str())))?;
            *sent.headers_mut() = headers.clone();
            let response = self.exchange(sent).await?;
            let next = next(&response, &url).map_err(|error| unsaid(revealed, error))?;
            let Some(next) = next else {
                return read(&response, revealed);
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
                if revealed.has_secrets() {
                    let message = "what has secrets in it is not sent on to another origin";
                    return Err(StepError::new("REDIRECT_REFUSED", message));
                }
                for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("proxy-authorization")] {
                    headers.remove(name);
                }
            }
            url = next;
        }
        Err(StepError::new("TOO_MANY_REDIRECTS", format!("more than {REDIRECTS}")))
    }

    /// Sends a request, and gives the answer, wherever it leads.
    pub(crate) async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, StepError> {
        let sent = self.egress.send(request, self.patience, self.most_bytes).await;
        sent.map_err(|error| of_error(&error))
    }
}

fn read(response: &http::Response<Bytes>, revealed: &Revealed) -> Result<Json, StepError> {
    let status = response.status();
    let mut headers = Map::new();
    for (name, value) in response.headers() {
        let text = revealed.mask.text(&String::from_utf8_lossy(value.as_bytes()));
        headers.insert(revealed.mask.text(name.as_str()), text.into());
    }
    let kind = headers.get("content-type").and_then(Json::as_str).unwrap_or_default();
    let is_json = kind.contains("/json") || kind.contains("+json");
    let body = match serde_json::from_slice(response.body()) {
        Ok(body) if is_json => body,
        _ => Json::String(String::from_utf8_lossy(response.body()).into_owned()),
    };
    let body = revealed.mask.value(body);
    if status.as_u16() < 400 || revealed.request["any_status"] == true {
        return Ok(json!({"status": status.as_u16(), "headers": headers, "body": body}));
    }
    Err(refused(status, &body.to_string()))
}

/// The failure that a status and what comes with it are.
pub(in super::super) fn refused(status: StatusCode, body: &str) -> StepError {
    let message = format!("{status}: {}", body.chars().take(500).collect::<String>());
    let may_pass = status.is_server_error() || [408, 425, 429].contains(&status.as_u16());
    let failed = if may_pass { StepError::passing } else { StepError::new };
    failed("HTTP_STATUS".to_owned(), message)
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

/// Where a request goes, with its secrets in place.
pub(in super::super) fn target(revealed: &Revealed) -> Result<Url, StepError> {
    let url = address::read(revealed.request["url"].as_str().unwrap_or_default())
        .map_err(|error| unsaid(revealed, error))?;
    revealed.may_go_to(&url)?;
    Ok(url)
}

/// An error about an address, which is not quoted where there may be a secret in it.
fn unsaid(revealed: &Revealed, error: StepError) -> StepError {
    let told = "what the address is with its secrets in place cannot be asked for";
    if revealed.has_secrets() { StepError::new(error.reason, told) } else { error }
}

/// The headers that a request asks for.
pub(in super::super) fn headers(request: &Json) -> Result<HeaderMap, StepError> {
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
    Ok(headers)
}

fn content(request: &Json) -> Result<(HeaderMap, Option<String>), StepError> {
    let mut headers = headers(request)?;
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
    address::read(next.as_str()).map(Some)
}
