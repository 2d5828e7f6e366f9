//! The same graph by every way in: REST, NDJSON, event streams, WebSocket, and the API's own description.

use serde_json::{Value, json};
use tonic::Code;
use weft_tests::{
    client::Client,
    graphs::{self, node},
    refused::{Refused, refused_rest},
};

/// REST: make, read, change with a mask and an etag, delete.
pub(crate) async fn rest(client: &Client) {
    let made = client
        .rest("POST /v1/projects/p/graphs?graphId=rest", Some(&json!({ "displayName": "one" })))
        .await
        .ok();
    assert_eq!((&made["name"], &made["revision"]), (&json!("projects/p/graphs/rest"), &json!("1")));
    let change = json!({ "displayName": "two", "etag": made["etag"] });
    let changed = client.rest("PATCH /v1/projects/p/graphs/rest", Some(&change)).await.ok();
    assert_eq!(changed["displayName"], "two");
    refused_rest(&client.rest("PATCH /v1/projects/p/graphs/rest", Some(&change)).await, 409).is(
        Code::Aborted,
        "ETAG_MISMATCH",
        "",
    );
    let upsert = json!({ "changes": [{ "upsertNode": { "node": { "key": "a/b ü", "properties": { "x": [1, null] } } } }] });
    client.rest("POST /v1/projects/p/graphs/rest:applyChanges", Some(&upsert)).await.ok();
    let read = client.rest("GET /v1/projects/p/graphs/rest/nodes/a/b%20%C3%BC", None).await.ok();
    assert_eq!((&read["key"], &read["properties"]), (&json!("a/b ü"), &json!({ "x": [1, null] })));
    client.rest("DELETE /v1/projects/p/graphs/rest", None).await.ok();
    let gone = client.rest("GET /v1/projects/p/graphs/rest", None).await;
    refused_rest(&gone, 404).is(Code::NotFound, "GRAPH_NOT_FOUND", "");
    let described = client.rest("GET /openapi.json", None).await.ok();
    assert!(
        described["paths"]["/v1/{graph}:search"].is_object()
            || described["paths"].as_object().is_some_and(|paths| paths.len() > 10)
    );
}

/// A server stream over HTTP, as lines, as events, and as one array.
pub(crate) async fn streams(client: &Client, graph: &str) {
    let line = format!("GET /v1/{graph}:snapshot?topologyOnly=true");
    let lines = client.rest_raw(&line, &[("accept", "application/x-ndjson")], "").await;
    let pieces: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    assert!(pieces[0].get("header").is_some() && pieces.last().is_some_and(|last| last.get("end").is_some()));
    let array = client.rest_raw(&line, &[("accept", "application/json")], "").await;
    assert_eq!(array.json().as_array().expect("a list").len(), pieces.len());
    let events = client.rest_raw(&line, &[("accept", "text/event-stream")], "").await;
    let count = events.text().lines().filter(|line| line.starts_with("data: ")).count();
    assert_eq!(count, pieces.len() + 1, "every piece, and the status");
    assert!(events.text().contains("event: status"));
}

/// Calls over one WebSocket: a question, a watch that hears of a change, an error with its reason.
pub(crate) async fn socket(client: &Client, graph: &str) {
    let mut socket = client.socket().await;
    let me = socket.unary("identity.v1.IdentityService/WhoAmI", &json!({})).await;
    assert_eq!(me["message"]["grants"][0]["role"], "ROLE_ADMIN", "{me}");
    let call = socket.begin("graph.v1.GraphService/WatchGraph").await;
    socket.message(call, &json!({ "graph": graph })).await;
    let ready = socket.hear().await.expect("it lives");
    assert!(ready["message"]["caughtUpRevision"].is_string(), "{ready}");
    let revision = graphs::apply(client, graph, vec![node("heard")]).await;
    let told = socket.hear().await.expect("it lives");
    assert_eq!(told["message"]["changes"]["revision"], revision.to_string());
    assert_eq!(told["message"]["changes"]["changes"][0]["upsertNode"]["node"]["key"], "heard");
    socket.say(&json!({ "call": call, "cancel": true }).to_string()).await;
    let none =
        socket.unary("graph.v1.GraphService/GetGraph", &json!({ "name": "projects/p/graphs/none" })).await;
    Refused::from_json(&none["status"]).is(Code::NotFound, "GRAPH_NOT_FOUND", "");
}
