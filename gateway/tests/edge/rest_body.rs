//! JSON bodies as messages, and update masks.

use serde_json::{Value, json};

use crate::support::Edge;

#[tokio::test]
async fn every_kind_of_field_survives_the_way_there_and_back() {
    let edge = Edge::new();
    let all = json!({
        "doubleValue": 1.5, "floatValue": "NaN", "int32Value": -1, "int64Value": "-9007199254740993",
        "uint32Value": 4_294_967_295_u32, "uint64Value": "18446744073709551615", "fixed32Value": 7, "boolValue": true,
        "stringValue": "a\u{0}\u{1F600}\"\\", "bytesValue": "AP8=", "color": "COLOR_BLUE",
        "nested": { "nested": { "text": "deep" } }, "numbers": [1, 2], "words": [""], "colors": ["COLOR_RED", 9],
        "counts": { "a": 1, "": 2 }, "byNumber": { "-5": { "text": "x" } }, "second": 3,
        "time": "2026-01-31T12:00:00.000000001Z", "duration": "-0.500s", "mask": "a,b.cD",
        "object": { "a": [1, null, { "b": "c" }] }, "anything": [true], "wrappedNumber": "5", "wrappedText": "",
        "any": { "@type": "type.googleapis.com/test.v1.Number", "value": "7" }, "maybe": "", "list": [{}, { "text": "y" }],
    });
    assert_eq!(edge.call("POST /v1/echo", &all.to_string()).await.ok(), all);
}

#[tokio::test]
async fn what_json_may_also_look_like_is_understood() {
    let edge = Edge::new();
    for (body, expected) in [
        (
            r#"{"int64_value":5,"int32Value":"6","uint32Value":7e0}"#,
            json!({ "int64Value": "5", "int32Value": 6, "uint32Value": 7 }),
        ),
        (r#"{"text":null,"numbers":null,"nested":null}"#, json!({})),
        (r#"{"anything":null}"#, json!({ "anything": null })),
        (r#"{"color":1,"bytesValue":"_w"}"#, json!({ "color": "COLOR_RED", "bytesValue": "/w==" })),
        (
            r#"{"wrappedDouble":"NaN","nested":{"wrappedDouble":"-Infinity","list":[{"wrappedDouble":"Infinity"}]}}"#,
            json!({
                "wrappedDouble": "NaN",
                "nested": { "wrappedDouble": "-Infinity", "list": [{ "wrappedDouble": "Infinity" }] },
            }),
        ),
        (
            r#"{"doubleValue":"1e3","floatValue":"-Infinity"}"#,
            json!({ "doubleValue": 1000, "floatValue": "-Infinity" }),
        ),
        ("\n {} \t", json!({})),
        ("", json!({})),
    ] {
        assert_eq!(edge.call("POST /v1/echo", body).await.ok(), expected, "{body}");
    }
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let edge = Edge::new();
    for (body, message) in [
        (r#"{"nothing":1}"#, "nothing: there is no such field in test.v1.Everything"),
        (
            r#"{"nested":{"list":[{},{"x":1}]}}"#,
            "nested.list[1].x: there is no such field in test.v1.Everything",
        ),
        (r#"{"nested":{"int32Value":"x"}}"#, "nested.int32Value: invalid digit found in string"),
        (
            r#"{"list":[{},{"boolValue":"true"}]}"#,
            "list[1].boolValue: invalid type: string \"true\", expected a boolean",
        ),
        (r#"{"int32Value":1.5}"#, "int32Value: expected integer value"),
        (r#"{"int32Value":3000000000}"#, "int32Value: out of range integral type conversion attempted"),
        (r#"{"color":"RED"}"#, "color: unrecognized enum value 'RED'"),
        (r#"{"first":"a","second":1}"#, "body: multiple fields provided for oneof 'choice'"),
        (r#"{"duration":"5"}"#, "duration: failed to parse duration"),
        (r#"{"any":{"@type":"x/none.Such"}}"#, "any: message 'none.Such' not found"),
        ("[]", "body: invalid type: sequence, expected a map"),
        ("null", "body: invalid type: null, expected a map"),
    ] {
        assert_eq!(edge.call("POST /v1/echo", body).await.refused(400), message, "{body}");
    }
    let answer = edge.call("POST /v1/echo", r#"{"nested":{"x":1}}"#).await.json();
    let violation = &answer["details"].as_array().expect("details")[1];
    assert_eq!(violation["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(violation["fieldViolations"][0]["field"], "nested.x");
}

#[tokio::test]
async fn a_body_can_be_one_field() {
    let edge = Edge::new();
    let wrong = edge.call("PUT /v1/echo/x/numbers", r#"["a"]"#).await.refused(400);
    assert_eq!(wrong, "numbers[0]: invalid digit found in string");
    // What looks like more fields is not one JSON value.
    let climbing = edge.call("PUT /v1/echo/x/numbers", r#"[1],"text":"y""#).await.refused(400);
    assert!(climbing.starts_with("the body is not JSON"), "{climbing}");
    let patched =
        edge.call("PATCH /v1/shelves/s/things/t", r#"{"title":"x","size":{"depth":1}}"#).await.refused(400);
    assert_eq!(patched, "thing.size.depth: there is no such field in test.v1.Size");
}

#[tokio::test]
async fn a_patch_changes_the_fields_of_its_body() {
    let edge = Edge::new();
    let patch = async |query: &str, body: Value| {
        let answer = edge.call(&format!("PATCH /v1/shelves/s/things/t{query}"), &body.to_string()).await.ok();
        assert_eq!(answer["thing"]["name"], "shelves/s/things/t");
        answer["updateMask"].clone()
    };
    for (body, expected) in [
        (json!({ "title": "x" }), json!("title")),
        (json!({ "title": "", "tags": [], "labels": { "a": "b" } }), json!("labels,tags,title")),
        (json!({ "title": null }), json!("title")),
        (json!({ "size": { "width": 1 } }), json!("size.width")),
        (json!({ "size": {} }), json!("size")),
        (json!({ "size": { "width": 1, "height": 0 }, "title": "x" }), json!("size.height,size.width,title")),
        // A thing that was read, changed and sent back: what is the server's is left alone.
        (
            json!({ "name": "other", "title": "x", "createTime": "2026-01-31T12:00:00Z", "etag": "1" }),
            json!("title"),
        ),
        (json!({ "name": "other" }), Value::Null),
        (json!({}), Value::Null),
    ] {
        assert_eq!(patch("", body.clone()).await, expected, "{body}");
    }
    let told = patch("?updateMask=labels,size.width&allowMissing=true", json!({ "title": "x" })).await;
    assert_eq!(told, "labels,size.width");
}

#[tokio::test]
async fn only_json_of_a_bounded_size_is_read() {
    let edge = Edge::new();
    for (content_type, status) in [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("Application/JSON", 200),
        ("application/merge-patch+json", 200),
        ("application/json; charset=latin1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/xml", 415),
    ] {
        let answer = edge.call_with("POST /v1/echo", &[("content-type", content_type)], "{}").await;
        assert_eq!(answer.status, status, "{content_type}");
    }
    edge.call_with("POST /v1/echo", &[("content-encoding", "gzip")], "{}").await.refused(415);
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(5 << 20));
    assert_eq!(edge.call("POST /v1/echo", &large).await.refused(413), "a message has at most 4194304 bytes");
    let lying = edge.call_with("POST /v1/echo", &[("content-length", "99999999999")], "{}").await;
    lying.refused(413);
    let text = "this method takes no body: its fields are in the path and the query";
    assert_eq!(edge.call("DELETE /v1/shelves/s/things/t", "{}").await.refused(400), text);
}

#[tokio::test]
async fn raw_bodies_keep_their_type() {
    let edge = Edge::new();
    let answer = edge
        .call_with("POST /v1/raw", &[("content-type", "image/x-test"), ("accept", "image/*")], "\u{1}\u{2}")
        .await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "\u{1}\u{2}"));
    assert_eq!(answer.header("content-type"), "image/x-test");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    let empty = edge.call("POST /v1/raw", "").await;
    assert_eq!((empty.header("content-type"), empty.text()), ("application/octet-stream", ""));
}

#[tokio::test]
async fn a_field_can_be_the_whole_answer() {
    let edge = Edge::new();
    assert_eq!(edge.call("GET /v1/shelves/s/names", "").await.ok(), json!(["a", "b"]));
    assert_eq!(edge.call("GET /v1/shelves/empty/names", "").await.ok(), json!([]));
}
