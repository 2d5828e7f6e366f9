//! JSON-RPC 2.0 messages, as far as the Model Context Protocol uses them.

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};

/// What a client sent.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    /// It wants an answer.
    Query(Query<'a>),
    /// It wants none: a notification, or an answer to what was never asked.
    Notice,
}

/// A request.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// A text or an integer, as it was written.
    pub(super) id: &'a RawValue,
    pub(super) method: String,
    pub(super) params: Params<'a>,
}

/// The parameters of all methods that there are.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params<'a> {
    /// Of the tool.
    pub(super) name: Option<String>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    pub(super) cursor: Option<String>,
    /// Of `initialize`.
    pub(super) protocol_version: Option<String>,
    #[serde(default, rename = "_meta")]
    pub(super) meta: Meta,
}

/// What a request says about itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    pub(super) protocol_version: Option<String>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    jsonrpc: String,
    /// `null` is no id, and no lack of one either.
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a message.
///
/// # Errors
/// What is no JSON, or no message.
pub(super) fn read(body: &[u8]) -> Result<Incoming<'_>, Failure> {
    const FORM: &str =
        "a message is an object of jsonrpc \"2.0\", an id that is a text or an integer, and a method";
    let invalid = || Failure::new(StatusCode::BAD_REQUEST, -32600, FORM);
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
        Failure::new(StatusCode::BAD_REQUEST, -32700, format!("the body is not JSON: {error}"))
    })?;
    // An array would be read as the fields in their order; and batches are gone since 2025-06-18.
    if !raw.get().starts_with('{') {
        return Err(invalid());
    }
    let frame: Frame<'_> = serde_json::from_str(raw.get()).map_err(|_| invalid())?;
    if frame.jsonrpc != "2.0" {
        return Err(invalid());
    }
    match (frame.method, frame.id) {
        (Some(method), Some(id)) if is_id(id.get()) => {
            let params = frame.params.map(|params| read_params(params.get())).transpose()?;
            Ok(Incoming::Query(Query { id, method, params: params.unwrap_or_default() }))
        }
        (Some(_), None) => Ok(Incoming::Notice),
        (None, Some(_)) if frame.result.is_some() || frame.error.is_some() => Ok(Incoming::Notice),
        _ => Err(invalid()),
    }
}

fn is_id(json: &str) -> bool {
    json.starts_with('"') || json.parse::<i64>().is_ok()
}

fn read_params(json: &str) -> Result<Params<'_>, Failure> {
    let wrong = |problem: String| {
        Failure::new(
            StatusCode::OK,
            INVALID_PARAMS,
            format!("params are not as the protocol says: {problem}"),
        )
    };
    if !json.starts_with('{') {
        return Err(wrong("they are an object".to_owned()));
    }
    serde_json::from_str(json).map_err(|error| wrong(error.to_string()))
}

/// Why there is no result.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) http: StatusCode,
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

const INVALID_PARAMS: i32 = -32602;

impl Failure {
    pub(super) fn new(http: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self { http, code, message: message.into(), data: None }
    }

    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, INVALID_PARAMS, message)
    }

    /// With the HTTP code that the later protocol asks for (`told_in_http`).
    pub(super) fn unknown_method(method: &str, told_in_http: bool) -> Self {
        let http = if told_in_http { StatusCode::NOT_FOUND } else { StatusCode::OK };
        Self::new(http, -32601, format!("there is no method {method}"))
    }

    pub(super) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// What a method gives.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Success<'t> {
    Json(Value),
    List {
        tools: &'t RawValue,
        #[serde(rename = "ttlMs")]
        fresh_ms: u64,
        #[serde(rename = "cacheScope")]
        cache_scope: &'static str,
    },
    Tool(ToolResult),
}

/// What a tool gives: for models as text, for programs as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult {
    content: [Text; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Box<RawValue>>,
    is_error: bool,
}

#[derive(Debug, Serialize)]
struct Text {
    r#type: &'static str,
    text: String,
}

impl ToolResult {
    /// The JSON of an answer; `structured` where it is an object.
    pub(super) fn success(json: String, structured: bool) -> Self {
        let content = structured.then(|| RawValue::from_string(json.clone()).ok()).flatten();
        Self { content: [Text { r#type: "text", text: json }], structured_content: content, is_error: false }
    }

    /// What a model can do something about.
    pub(super) fn failure(text: String) -> Self {
        Self { content: [Text { r#type: "text", text }], structured_content: None, is_error: true }
    }
}

/// A result with what the later protocol adds.
#[derive(Debug, Serialize)]
pub(super) struct Reply<'t> {
    #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(flatten)]
    success: Success<'t>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

impl<'t> Reply<'t> {
    pub(super) fn plain(success: Success<'t>) -> Self {
        Self { result_type: None, success, meta: None }
    }

    /// A result that stands alone: it says that it is all, and who says so.
    pub(super) fn complete(success: Success<'t>, server: &Value) -> Self {
        let meta = json!({ "io.modelcontextprotocol/serverInfo": server });
        Self { result_type: Some("complete"), success, meta: Some(meta) }
    }
}

/// The answer to a message; without an `id` where none could be read.
pub(super) fn write(id: Option<&RawValue>, answered: Result<Reply<'_>, Failure>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Outcome<'t> {
        Result(Reply<'t>),
        Error(Value),
    }
    #[derive(Serialize)]
    struct Answer<'t> {
        jsonrpc: &'static str,
        id: Option<&'t RawValue>,
        #[serde(flatten)]
        outcome: Outcome<'t>,
    }
    let outcome = match answered {
        Ok(reply) => Outcome::Result(reply),
        Err(Failure { code, message, data: None, .. }) => {
            Outcome::Error(json!({ "code": code, "message": message }))
        }
        Err(Failure { code, message, data, .. }) => {
            Outcome::Error(json!({ "code": code, "message": message, "data": data }))
        }
    };
    serde_json::to_vec(&Answer { jsonrpc: "2.0", id, outcome }).expect("keys are texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_messages() {
        let body = br#" {"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","arguments":{"x": 1},"other":1}}"#;
        let Ok(Incoming::Query(query)) = read(body) else { panic!("a request") };
        assert_eq!((query.id.get(), query.method.as_str()), ("\"a\"", "tools/call"));
        assert_eq!(query.params.arguments.map(RawValue::get), Some(r#"{"x": 1}"#));
        for notice in [
            &br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#[..],
            br#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
        ] {
            assert!(matches!(read(notice), Ok(Incoming::Notice)));
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        for (body, code) in [
            (&b""[..], -32700),
            (b"{", -32700),
            (b"\xff", -32700),
            (b"{} x", -32700),
            (b"1", -32600),
            (b"[]", -32600),
            (b"{}", -32600),
            (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
            (br#"{"id":1,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
            (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, -32602),
            (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#, -32602),
        ] {
            let failure = read(body).expect_err("no message");
            assert_eq!(failure.code, code, "{}", String::from_utf8_lossy(body));
        }
    }
}
