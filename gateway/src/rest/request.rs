//! From an HTTP request to a request message: body, then query, then path; the path wins.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, Value};
use tonic::{Code, Status, body::Body};
use weft_kit::Problem;
use weft_proto::google::api::HttpBody;

use super::{BodyRule, Route, binding::Bound, query, router::Segments};
use crate::{
    GatewayOptions,
    json::{self, FieldPaths},
    percent::{self, Part},
    refusal::Refusal,
};

/// The encoded request message. `resume_after` is the last event that the client has.
///
/// # Errors
/// 400 that names the field, 413 for too many bytes, 415 for what is not JSON.
pub(super) async fn message(
    route: &Route,
    segments: &Segments<'_>,
    parts: &Parts,
    body: Body,
    options: &GatewayOptions,
    resume_after: Option<&str>,
) -> Result<Bytes, Refusal> {
    let body = read_body(route, &parts.headers, body, options.max_body_bytes).await?;
    let (mut message, deep, paths) = from_body(route, &parts.headers, body, options)?;
    if let Some(query) = parts.uri.query() {
        query::apply(route, query, &mut message)?;
    }
    if let (Some(cursor), Some(id)) = (&route.cursor, resume_after) {
        cursor.resume(&mut message, id)?;
    }
    fill_mask(route, &mut message, paths);
    for variable in &route.variables {
        bind(variable, segments, &mut message)?;
    }
    Ok(json::to_bytes(&message, deep)?)
}

async fn read_body(route: &Route, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let body = crate::body::read(headers, body, limit).await.map_err(|status| match status.code() {
        Code::ResourceExhausted => Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status),
        _ => status.into(),
    })?;
    if matches!(route.body, BodyRule::None) && !body.is_empty() {
        let text = "this method takes no body: its fields are in the path and the query";
        return Err(Problem::invalid_argument("BODY_NOT_ALLOWED", text).into());
    }
    Ok(body)
}

/// The message as the body tells it, whether it may be too deep, and the fields for the mask.
fn from_body(
    route: &Route,
    headers: &HeaderMap,
    body: Bytes,
    options: &GatewayOptions,
) -> Result<(DynamicMessage, bool, Option<FieldPaths>), Refusal> {
    let input = &route.entry.input;
    let empty = || DynamicMessage::new(input.clone());
    let field = match &route.body {
        BodyRule::None => return Ok((empty(), false, None)),
        BodyRule::Whole if input.full_name() == "google.api.HttpBody" => {
            let raw = raw(headers, body);
            let message = DynamicMessage::decode(input.clone(), raw.encode_to_vec().as_slice());
            return Ok((message.expect("the type was compared"), false, None));
        }
        BodyRule::Whole => None,
        BodyRule::Field(field) => match field.kind() {
            Kind::Message(kind) if kind.full_name() == "google.api.HttpBody" => {
                let raw = raw(headers, body);
                let mut inner = DynamicMessage::new(kind);
                inner.transcode_from(&raw).expect("the type was compared");
                let mut message = empty();
                message.set_field(field, Value::Message(inner));
                return Ok((message, false, None));
            }
            _ => Some(field),
        },
    };
    if body.is_empty() {
        return Ok((empty(), false, None));
    }
    check_type(headers)?;
    let mut paths = route.mask.as_ref().map(|_| FieldPaths::default());
    let decoded = match field {
        Some(field) => json::decode_field(field, &body, options.max_json_depth, paths.as_mut())?,
        None => json::decode(input, &body, options.max_json_depth, None)?,
    };
    let deep = decoded.is_deep();
    Ok((decoded.message, deep, paths))
}

fn raw(headers: &HeaderMap, data: Bytes) -> HttpBody {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    HttpBody { content_type: content_type.unwrap_or_default().to_owned(), data, extensions: Vec::new() }
}

/// JSON, not compressed. A body without a type is taken for JSON.
fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |text: String| {
        Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, Problem::invalid_argument("NOT_JSON", text))
            .with_header(
                header::HeaderName::from_static("accept-post"),
                HeaderValue::from_static("application/json"),
            ))
    };
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return refuse("the body must not be compressed".to_owned());
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let essence = essence.trim();
    if essence != "application/json" && !(essence.starts_with("application/") && essence.ends_with("+json")) {
        return refuse(format!("the body must be application/json, not {essence}"));
    }
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    match charset.map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(other) => refuse(format!("the body must be UTF-8, not {other}")),
    }
}

/// A PATCH that names no fields changes those that its body has.
fn fill_mask(route: &Route, message: &mut DynamicMessage, paths: Option<FieldPaths>) {
    let (Some(rule), Some(FieldPaths(paths)), BodyRule::Field(body)) = (&route.mask, paths, &route.body)
    else {
        return;
    };
    let Kind::Message(kind) = rule.field.kind() else { return };
    if message.has_field(&rule.field) {
        return;
    }
    let paths: Vec<String> = paths
        .iter()
        .filter_map(|path| path.strip_prefix(body.name())?.strip_prefix('.'))
        .filter(|path| !rule.left_out.contains(path.split('.').next().unwrap_or_default()))
        .map(str::to_owned)
        .collect();
    if !paths.is_empty() {
        message.set_field(&rule.field, Value::Message(query::field_mask(&kind, paths.into_iter())));
    }
}

fn bind(variable: &Bound, segments: &Segments<'_>, message: &mut DynamicMessage) -> Result<(), Status> {
    let name =
        || variable.fields.iter().map(prost_reflect::FieldDescriptor::name).collect::<Vec<_>>().join(".");
    let wrong = |problem: &str| Status::from(Problem::bad_field(name(), problem));
    let captured = &segments[variable.from.min(segments.len())..variable.to.unwrap_or(segments.len())];
    let joined;
    let text = if let [one] = captured {
        one
    } else {
        joined = captured.join("/");
        joined.as_str()
    };
    let part = if variable.multi { Part::Segments } else { Part::Segment };
    let text = percent::decode(text, part).map_err(wrong)?;
    let kind = variable.fields.last().expect("a field path has a part").kind();
    let value = query::parse(&kind, &text).map_err(|problem| wrong(&problem))?;
    query::set(message, &variable.fields, value).map_err(|problem| wrong(&problem))
}
