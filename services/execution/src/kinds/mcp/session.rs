//! A conversation with a server: greeted, asked once, and taken leave of. Each message is a POST; an answer is JSON, or a
//! stream of events with the answer among them (Model Context Protocol, 2025-11-25, "Streamable HTTP").

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use reqwest::Url;
use serde_json::{Value as Json, json};

use super::super::{
    Attempt,
    http::{Web, headers, refused, target},
};
use crate::{domain::fault::StepError, secrets::Revealed};

/// What is spoken, if the server does not want an older one.
const VERSION: &str = "2025-11-25";
/// Versions in which these messages are the same.
const KNOWN: [&str; 3] = [VERSION, "2025-06-18", "2025-03-26"];
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const SPOKEN: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Calls a tool, and gives what it gives.
pub(super) async fn call(web: &Web, attempt: &Attempt, revealed: &Revealed) -> Result<Json, StepError> {
    let request = &*revealed.request;
    let mut session = Session { web, revealed, url: target(revealed)?, headers: headers(request)? };
    session.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    session.headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    let asked = json!({
        "name": request["tool"],
        "arguments": request["arguments"],
        "_meta": {"dev.weft/idempotency-key": attempt.key},
    });
    let given = match session.greet().await {
        Ok(()) => session.ask(2, "tools/call", asked).await,
        Err(error) => Err(error),
    };
    session.leave().await;
    let given = given?;
    let texts = given["content"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    let text = texts.collect::<Vec<_>>().join("\n");
    if given["isError"] == true {
        return Err(StepError::new(
            "TOOL_FAILED",
            if text.is_empty() { "it says nothing".to_owned() } else { text },
        ));
    }
    Ok(json!({"text": text, "content": given["content"], "structured": given["structuredContent"]}))
}

struct Session<'w> {
    web: &'w Web,
    revealed: &'w Revealed,
    url: Url,
    headers: HeaderMap,
}

impl Session<'_> {
    async fn greet(&mut self) -> Result<(), StepError> {
        let hello = json!({
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": {"name": "weft", "version": env!("CARGO_PKG_VERSION")},
        });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
        let answer = self.send(Method::POST, &message).await?;
        if let Some(id) = answer.headers().get(&SESSION) {
            self.headers.insert(SESSION, id.clone());
        }
        let agreed = self.result(&answer, 1)?;
        let version = agreed["protocolVersion"].as_str().unwrap_or_default();
        let known = KNOWN.iter().find(|known| **known == version);
        let known = known.ok_or_else(|| bad("it speaks a version of the protocol that is not known here"))?;
        self.headers.insert(SPOKEN, HeaderValue::from_static(known));
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.send(Method::POST, &ready).await.map(drop)
    }

    async fn ask(&self, id: u64, method: &str, params: Json) -> Result<Json, StepError> {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.result(&self.send(Method::POST, &message).await?, id)
    }

    /// The result of the request with this id.
    fn result(&self, answer: &Response<Bytes>, id: u64) -> Result<Json, StepError> {
        let message = found(answer, Some(id)).ok_or_else(|| bad("it has not answered"))?;
        result(self.revealed.mask.value(message))
    }

    /// Ends the session. A server need not want that.
    async fn leave(&self) {
        if self.headers.contains_key(&SESSION) {
            drop(self.send(Method::DELETE, &Json::Null).await);
        }
    }

    async fn send(&self, method: Method, message: &Json) -> Result<Response<Bytes>, StepError> {
        let body = if message.is_null() { String::new() } else { message.to_string() };
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.as_str().parse().map_err(|_| bad("its address cannot be asked"))?;
        *request.headers_mut() = self.headers.clone();
        let answer = self.web.exchange(request).await?;
        let status = answer.status();
        // A refusal may be said in the protocol's words.
        if status.is_success() || (status == StatusCode::BAD_REQUEST && found(&answer, None).is_some()) {
            return Ok(answer);
        }
        let text = self.revealed.mask.text(&String::from_utf8_lossy(answer.body()));
        Err(refused(status, &text))
    }
}

/// What a response says.
fn result(mut message: Json) -> Result<Json, StepError> {
    if let Some(error) = message.get("error").filter(|error| !error.is_null()) {
        let text = error["message"].as_str().unwrap_or("it does not say why");
        return Err(StepError::new("MCP_ERROR", format!("{}: {text}", error["code"])));
    }
    Ok(message["result"].take())
}

/// The response to the request with this id, or to any.
fn found(answer: &Response<Bytes>, id: Option<u64>) -> Option<Json> {
    let text = String::from_utf8_lossy(answer.body());
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_meant = |message: &Json| {
        let is_response = message.get("result").is_some() || message.get("error").is_some();
        is_response && id.is_none_or(|id| message["id"] == id || message["id"].is_null())
    };
    let messages: Vec<Json> = if kind.starts_with("text/event-stream") {
        events(&text).filter_map(|data| serde_json::from_str(&data).ok()).collect()
    } else {
        serde_json::from_str(&text).into_iter().collect()
    };
    messages.into_iter().find(is_meant)
}

/// The data of each event of a stream.
fn events(text: &str) -> impl Iterator<Item = String> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let events: Vec<String> = lines
        .split("\n\n")
        .map(|event| {
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        })
        .collect();
    events.into_iter().filter(|data| !data.is_empty())
}

fn bad(problem: &str) -> StepError {
    StepError::new("BAD_RESPONSE", format!("the server of the tool: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &'static str, body: &'static str) -> Response<Bytes> {
        let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer
    }

    #[test]
    fn an_answer_is_found_among_events() {
        let stream = answer(
            "text/event-stream; charset=utf-8",
            ": hello\r\n\r\nevent: message\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\n\
             id: 7\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":2,\"result\":{\"a\":1}}\r\n\r\n",
        );
        let message = found(&stream, Some(2)).expect("it is there");
        assert_eq!(result(message).unwrap(), json!({"a": 1}));
        assert_eq!(found(&stream, Some(3)), None);
    }

    #[test]
    fn an_error_has_its_words() {
        let refused = answer(
            "application/json",
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool"}}"#,
        );
        let error = result(found(&refused, Some(2)).expect("it is there")).unwrap_err();
        assert_eq!((&error.reason[..], &error.message[..]), ("MCP_ERROR", "-32602: no such tool"));
        for nothing in ["", "<html>", "[]", "{}"] {
            assert_eq!(found(&answer("application/json", nothing), Some(2)), None);
        }
    }
}
