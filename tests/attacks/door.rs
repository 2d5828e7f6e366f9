//! The doors of a mesh: one question asked in each protocol, and what it is refused with, in one form.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::google::rpc;
use weft_tests::{
    client::Client,
    http::{Answer, framed},
    refused::Refused,
};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Grpc,
    GrpcWeb,
    Connect,
    Rest,
    /// A stream as lines of JSON.
    Lines,
    /// A stream as server-sent events.
    Events,
    Socket,
    /// `tools/call` of MCP.
    Tool,
}

/// A call of one method, as each door takes it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// `weft.graph.v1.GraphService/GetGraph`.
    pub(crate) method: &'static str,
    pub(crate) is_stream: bool,
    pub(crate) message: Vec<u8>,
    pub(crate) json: Value,
    /// `GET /v1/me`.
    pub(crate) rest: &'static str,
    /// What REST sends beside its line; nothing if it is empty.
    pub(crate) body: &'static str,
    /// The method's name as a tool, where it is one.
    pub(crate) tool: &'static str,
}

impl Question {
    /// The doors that take it.
    pub(crate) fn doors(&self) -> &'static [Door] {
        if self.is_stream {
            &[Door::Grpc, Door::GrpcWeb, Door::Connect, Door::Lines, Door::Events, Door::Socket]
        } else {
            &[Door::Grpc, Door::GrpcWeb, Door::Connect, Door::Rest, Door::Socket, Door::Tool]
        }
    }
}

/// What a refusal says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) refused: Refused,
    /// Whether `RetryInfo` says when to come back.
    pub(crate) has_pause: bool,
    /// Status and headers, where the refusal is an HTTP answer of its own.
    pub(crate) http: Option<(u16, HeaderMap)>,
}

impl Door {
    /// Asks; nothing if it is let in.
    pub(crate) async fn ask(self, client: &Client, question: &Question) -> Option<Told> {
        match self {
            Self::Grpc => {
                let path = format!("/{}", question.method);
                let answer = client.grpc_raw(&path, &[], framed(0, &question.message)).await;
                answer.err().and_then(Told::from_status)
            }
            Self::GrpcWeb => {
                let message = framed(0, &question.message);
                let answer = post(client, question, "application/grpc-web+proto", message).await;
                let status = Status::from_header_map(&answer.headers)
                    .or_else(|| Status::from_header_map(&trailers(last(&answer.body))));
                Told::from_status(status.unwrap_or_else(|| panic!("no status: {answer:?}")))
            }
            Self::Connect if question.is_stream => {
                let message = framed(0, &question.message);
                let answer = post(client, question, "application/connect+proto", message).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let end: Value = serde_json::from_slice(last(&answer.body)).expect("it ends with JSON");
                Told::from_status(connect_status(end.get("error")?))
            }
            Self::Connect => {
                let answer = post(client, question, "application/proto", question.message.clone()).await;
                told_by_http(&answer, |answer| Told::from_status(connect_status(&answer.json())))
            }
            Self::Rest => told_by_rest(&client.rest_raw(question.rest, &[], question.body).await),
            Self::Lines | Self::Events => {
                let accept = if self == Self::Lines { "application/x-ndjson" } else { "text/event-stream" };
                let answer = client.rest_raw(question.rest, &[("accept", accept)], question.body).await;
                told_by_rest(&answer)
            }
            Self::Socket => {
                let mut socket = client.socket().await;
                let call = socket.begin(question.method.trim_start_matches("weft.")).await;
                socket.message(call, &question.json).await;
                socket.end(call).await;
                loop {
                    let said = socket.hear().await.expect("the socket lives");
                    if let Some(status) = said.get("status") {
                        return Told::from_json(status);
                    }
                }
            }
            Self::Tool => {
                let params = json!({ "name": question.tool, "arguments": question.json });
                let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
                let answer = client.rest("POST /mcp", Some(&call)).await;
                if let Some(error) = answer.json().get("error") {
                    return told_by_http(&answer, |_| Told::from_json(&error["data"]));
                }
                let result = &answer.ok()["result"];
                let text = result["content"][0]["text"].as_str().expect("a tool answers with a text");
                let told = result["isError"].as_bool().expect("it says whether it failed");
                told.then(|| Told::from_json(&serde_json::from_str(text).expect("a status as JSON")))?
            }
        }
    }
}

impl Told {
    fn from_status(status: Status) -> Option<Self> {
        let has_pause = status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some());
        let failed = status.code() != Code::Ok;
        failed.then(|| Self { refused: status.into(), has_pause, http: None })
    }

    /// From `google.rpc.Status` as JSON.
    fn from_json(status: &Value) -> Option<Self> {
        let refused = Refused::from_json(status);
        let info = "type.googleapis.com/google.rpc.RetryInfo";
        let has_pause = status["details"].as_array().is_some_and(|details| {
            details.iter().any(|detail| detail["@type"] == info && detail["retryDelay"].is_string())
        });
        (refused.code != Code::Ok).then_some(Self { refused, has_pause, http: None })
    }
}

async fn post(client: &Client, question: &Question, content_type: &str, body: Vec<u8>) -> Answer {
    let line = format!("POST /{}", question.method);
    client.rest_raw(&line, &[("content-type", content_type)], body).await
}

fn told_by_rest(answer: &Answer) -> Option<Told> {
    told_by_http(answer, |answer| Told::from_json(&answer.json()))
}

/// The refusal of an answer whose HTTP status says already that it is one.
fn told_by_http(answer: &Answer, read: impl Fn(&Answer) -> Option<Told>) -> Option<Told> {
    if answer.status == 200 {
        return None;
    }
    let told = read(answer).unwrap_or_else(|| panic!("{} without an error: {answer:?}", answer.status));
    Some(Told { http: Some((answer.status, answer.headers.clone())), ..told })
}

/// What is in the last envelope of gRPC-web (its trailers) and of Connect (its end).
fn last(body: &[u8]) -> &[u8] {
    let (mut last, mut rest) = (&body[..0], body);
    while let Some(([_, length @ ..], after)) = rest.split_first_chunk::<5>() {
        (last, rest) = after.split_at(u32::from_be_bytes(*length) as usize);
    }
    last
}

/// Trailers as gRPC-web writes them into its body.
fn trailers(bytes: &[u8]) -> HeaderMap {
    let text = std::str::from_utf8(bytes).expect("trailers are ASCII");
    let pairs = text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| {
        let name: HeaderName = name.parse().expect("the name of a header");
        (name, value.trim().parse().expect("the value of a header"))
    });
    pairs.collect()
}

/// An error of Connect as the status that it was.
fn connect_status(error: &Value) -> Status {
    let code = match error["code"].as_str() {
        Some("unauthenticated") => Code::Unauthenticated,
        Some("permission_denied") => Code::PermissionDenied,
        Some("resource_exhausted") => Code::ResourceExhausted,
        _ => panic!("no refusal: {error}"),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let details = error["details"].as_array().cloned().unwrap_or_default();
    let details = details.iter().map(|detail| prost_types::Any {
        type_url: format!("type.googleapis.com/{}", text(&detail["type"])),
        value: BASE64_STANDARD_NO_PAD.decode(text(&detail["value"])).expect("base64"),
    });
    let message = text(&error["message"]);
    let full = rpc::Status { code: code.into(), message: message.clone(), details: details.collect() };
    Status::with_details(code, message, full.encode_to_vec().into())
}
