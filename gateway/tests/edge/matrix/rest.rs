//! REST: JSON, an array, lines or events.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use super::{
    case::Case,
    outcome::{End, Outcome, from_json, normal},
};
use crate::support::Edge;

pub(super) async fn call(edge: &Edge, case: &Case, said: &Bytes, accept: &str) -> Outcome {
    let rest = case.method.rest.as_ref().expect("it has a path");
    let body = if rest.has_body { said.clone() } else { Bytes::new() };
    let mut request = Request::builder()
        .method(rest.verb)
        .uri(&*rest.path)
        .header("content-type", "application/json")
        .header("accept", accept);
    if let Some(timeout) = case.timeout {
        request = request.header("x-weft-timeout", format!("{}ms", timeout.as_millis()));
    }
    let answer = edge.ask(request.body(Full::from(body)).expect("a good request")).await;
    if answer.status != 200 {
        return Outcome::refused(End::of_json(&answer.json()));
    }
    assert_eq!(answer.header("content-type"), accept);
    match (accept, case.method.server_streaming) {
        (_, false) => Outcome { messages: vec![from_json(&answer.body)], end: End::ok() },
        ("text/event-stream", true) => events(answer.text()),
        ("application/json", true) => {
            let Value::Array(list) = answer.json() else { panic!("an array: {}", answer.text()) };
            told(list)
        }
        _ => told(answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()),
    }
}

/// Messages, and perhaps an error as the last.
fn told(mut list: Vec<Value>) -> Outcome {
    let error = list.pop_if(|last| last.get("@error").is_some());
    let end = error.map_or_else(End::ok, |error| End::of_json(&error["@error"]));
    Outcome { messages: list.into_iter().map(normal).collect(), end }
}

fn events(text: &str) -> Outcome {
    let mut events: Vec<&str> = text.split_terminator("\n\n").filter(|event| *event != ":").collect();
    let last = events.pop().expect("a stream of events has an end");
    let status = last.strip_prefix("event: status\ndata: ").expect("the last event is the status");
    let message = |event: &&str| {
        // Where a stream resumes, an event has an id.
        let event = event
            .strip_prefix("id: ")
            .and_then(|event| event.split_once('\n'))
            .map_or(*event, |lines| lines.1);
        from_json(event.strip_prefix("data: ").expect("data").as_bytes())
    };
    Outcome {
        messages: events.iter().map(message).collect(),
        end: End::of_json(&serde_json::from_str(status).expect("JSON")),
    }
}
