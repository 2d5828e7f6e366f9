//! The Model Context Protocol: a tool of the method.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use super::{
    case::Case,
    outcome::{End, Outcome, from_json},
};
use crate::support::Edge;

pub(super) async fn call(edge: &Edge, case: &Case, said: &Bytes) -> Outcome {
    let tool = case.method.tool.as_deref().expect("it is a tool");
    let arguments = std::str::from_utf8(said).expect("UTF-8");
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    );
    let mut request = Request::post("/mcp").header("content-type", "application/json");
    if let Some(timeout) = case.timeout {
        request = request.header("x-weft-timeout", format!("{}ms", timeout.as_millis()));
    }
    let answer = edge.ask(request.body(Full::from(body)).expect("a good request")).await;
    let json = answer.json();
    if answer.status == 413 {
        return Outcome::refused(End::of_json(&json));
    }
    if let Some(error) = json.get("error") {
        return Outcome::refused(End::of_json(&error["data"]));
    }
    let result = &json["result"];
    let text = result["content"][0]["text"].as_str().expect("a text");
    if result["isError"] == true {
        return Outcome::refused(End::of_json(&serde_json::from_str::<Value>(text).expect("JSON")));
    }
    // For programs the same as for models.
    let message = from_json(text.as_bytes());
    assert_eq!(from_json(result["structuredContent"].to_string().as_bytes()), message);
    Outcome { messages: vec![message], end: End::ok() }
}
