//! Which method a path leads to, and what its variables hold.

use serde_json::json;

use crate::support::Edge;

#[tokio::test]
async fn a_name_is_captured_across_segments() {
    let edge = Edge::new();
    let thing = edge.call("GET /v1/shelves/s1/things/t%20one?view=FULL", "").await.ok();
    assert_eq!(thing, json!({ "name": "shelves/s1/things/t one", "title": "FULL" }));
}

#[tokio::test]
async fn variables_of_one_segment_are_decoded_wholly_and_others_keep_their_slashes() {
    let edge = Edge::new();
    for (path, expected) in [
        ("/v1/files/a/b.txt", "a/b.txt"),
        ("/v1/files/a%2Fb", "a%2Fb"),
        ("/v1/files/a%252Fb", "a%2Fb"),
        ("/v1/files/a%20b/%C3%BC", "a b/ü"),
        ("/v1/files/a//b/", "a//b/"),
        ("/v1/files/x:y", "x:y"),
        ("/v1/files/x:move", "x:move"),
        ("/v1/files/..", ".."),
    ] {
        assert_eq!(edge.call(&format!("GET {path}"), "").await.ok(), json!({ "path": expected }), "{path}");
    }
    assert_eq!(edge.call("GET /v1/files", "").await.ok(), json!({}));
    let parts = edge.call("GET /v1/parts/-7/a%2Fb%3Ac/COLOR_BLUE", "").await.ok();
    assert_eq!(parts, json!({ "number": "-7", "text": "a/b:c", "color": "COLOR_BLUE" }));
}

#[tokio::test]
async fn a_verb_is_told_from_a_colon() {
    let edge = Edge::new();
    let moved = edge.call("POST /v1/shelves/s/things/t:move", r#"{"to":"x"}"#).await.ok();
    assert_eq!(moved, json!({ "name": "shelves/s/things/t", "to": "x" }));
    let moved = edge.call("POST /v1/shelves/s/things/a:b:move", r#"{"to":"x"}"#).await.ok();
    assert_eq!(moved["name"], "shelves/s/things/a:b");
    // %3A is part of the name, never the beginning of a verb.
    assert_eq!(
        edge.call("GET /v1/shelves/s/things/t%3Amove", "").await.ok()["name"],
        "shelves/s/things/t:move"
    );
    let answer = edge.call("GET /v1/shelves/s/things/t:move", "").await;
    assert_eq!(answer.refused(405), "/v1/shelves/s/things/t:move does not take GET");
    assert_eq!(answer.header("allow"), "POST, OPTIONS");
}

#[tokio::test]
async fn wrong_values_in_a_path_are_named() {
    let edge = Edge::new();
    for (path, message) in [
        ("/v1/parts/x/t/COLOR_RED", "number: must be a 64-bit integer, not \"x\""),
        ("/v1/parts/1/t/GREEN", "color: \"GREEN\" is none of the values of Color"),
        ("/v1/parts/1/%FF/1", "text: is not UTF-8"),
        ("/v1/parts/1/%2/1", "text: has a % without two hexadecimal digits"),
        ("/v1/shelves/s/things/%zz", "name: has a % without two hexadecimal digits"),
    ] {
        assert_eq!(edge.call(&format!("GET {path}"), "").await.refused(400), message, "{path}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_told_apart() {
    let edge = Edge::new();
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/shelves/s/things/",
        "/v1/shelves//things/t",
        "/v2/echo",
        "/v1/hidden",
    ] {
        let answer = edge.call(&format!("GET {path}"), "").await;
        assert_eq!(answer.refused(404), format!("there is nothing at {path}"));
    }
    let answer = edge.call("PUT /v1/shelves/s/things/t", "{}").await;
    assert_eq!(answer.refused(405), "/v1/shelves/s/things/t does not take PUT");
    assert_eq!(answer.header("allow"), "DELETE, GET, PATCH, HEAD, OPTIONS");
    assert_eq!(answer.json()["status"], "UNIMPLEMENTED");
    let answer = edge.call("OPTIONS /v1/echo", "").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, "GET, POST, HEAD, OPTIONS"));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let edge = Edge::new();
    let answer = edge.call("HEAD /v1/shelves/s/things/t", "").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(edge.call("HEAD /v1/nothing", "").await.status, 404);
}

#[tokio::test]
async fn additional_bindings_lead_to_the_same_method() {
    let edge = Edge::new();
    assert_eq!(edge.call("GET /v1/echo?text=x", "").await.ok(), json!({ "text": "x" }));
    let answer = edge.call("PUT /v1/echo/a%2Fb/numbers?text=x", "[1,2]").await.ok();
    assert_eq!(answer, json!({ "nested": { "text": "a/b" }, "numbers": [1, 2], "text": "x" }));
}

#[tokio::test]
async fn client_streams_name_the_socket() {
    let edge = Edge::new();
    let answer = edge.call("POST /v1/chat", "{}").await;
    assert!(answer.refused(405).contains("the WebSocket at /ws"), "{}", answer.text());
    let answer = edge.call("POST /test.v1.EchoService/Sum", "{}").await;
    assert!(answer.refused(415).contains("application/grpc"), "{}", answer.text());
    let answer = edge.call("GET /test.v1.EchoService/Sum", "").await;
    assert_eq!((answer.refused(405).contains("WebSocket"), answer.header("allow")), (true, "POST"));
    edge.call("POST /test.v1.EchoService/Hidden", "{}").await.refused(404);
}
