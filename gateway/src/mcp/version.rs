//! Which version of the protocol a request speaks.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::message::{Failure, Query};
use crate::json;

/// The version in which every request says all by itself.
const BY_REQUEST: &str = "2026-07-28";

/// All that are spoken, the newest first.
pub(super) const ALL: [&str; 3] = [BY_REQUEST, "2025-11-25", "2025-06-18"];

/// How versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// A handshake comes first. None of it is kept: whatever was agreed on, the answers are the same.
    Sessions,
    /// Each request tells its version, and its headers tell what its body does.
    Requests,
}

/// What `initialize` agrees on: what the client wants, if it is of that era, or the newest that is.
pub(super) fn agreed(wanted: Option<&str>) -> &'static str {
    ALL[1..].iter().copied().find(|version| Some(*version) == wanted).unwrap_or(ALL[1])
}

/// The era of a request.
///
/// # Errors
/// A version that is not spoken, or headers that tell something else than the body.
pub(super) fn of(query: &Query<'_>, headers: &HeaderMap) -> Result<Era, Failure> {
    let in_header = header(headers, "mcp-protocol-version");
    let in_body = query.params.meta.protocol_version.as_deref();
    for version in [in_header, in_body].into_iter().flatten() {
        if !ALL.contains(&version) {
            let data = json!({ "supported": ALL, "requested": version });
            let text = "this version of the protocol is not spoken here";
            return Err(Failure::new(StatusCode::BAD_REQUEST, -32022, text).with_data(data));
        }
    }
    if in_body.is_none() && in_header != Some(BY_REQUEST) {
        return Ok(Era::Sessions);
    }
    same("mcp-protocol-version", in_header.map(Cow::Borrowed), in_body)?;
    same("mcp-method", header(headers, "mcp-method").map(Cow::Borrowed), Some(&query.method))?;
    if query.method == "tools/call" {
        let name = header(headers, "mcp-name").map(decoded).transpose()?;
        same("mcp-name", name, query.params.name.as_deref())?;
    }
    Ok(if in_body == Some(BY_REQUEST) { Era::Requests } else { Era::Sessions })
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// A value that may be written as `=?base64?…?=`.
fn decoded(value: &str) -> Result<Cow<'_, str>, Failure> {
    let Some(text) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(Cow::Borrowed(value));
    };
    let decoded = json::base64(text).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map(Cow::Owned).ok_or_else(|| mismatch("mcp-name is not base64 of a text".to_owned()))
}

fn same(name: &str, in_header: Option<Cow<'_, str>>, in_body: Option<&str>) -> Result<(), Failure> {
    match (in_header, in_body) {
        (Some(header), Some(body)) if header == body => Ok(()),
        (Some(header), Some(body)) => {
            Err(mismatch(format!("{name} is {header:?}, and the body says {body:?}")))
        }
        (None, _) => Err(mismatch(format!("the header {name} is missing"))),
        (_, None) => Err(mismatch(format!("the body does not say what {name} does"))),
    }
}

fn mismatch(text: String) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, -32020, text)
}
