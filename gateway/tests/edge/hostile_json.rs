//! JSON that is made to do harm gets 400, whatever it is.

use serde_json::{Value, json};

use crate::support::Edge;

#[tokio::test]
async fn depth_is_bounded_before_anything_is_built() {
    let edge = Edge::new();
    for (open, close) in [
        (r#"{"nested":"#, "}"),
        (r#"{"list":["#, "]}"),
        (r#"{"anything":"#, "}"),
        ("[", "]"),
        (r#"{"any":"#, "}"),
        (r#"{"byNumber":{"1":"#, "}}"),
    ] {
        for depth in [70, 127, 128, 10_000, 500_000] {
            let body = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
            if body.len() < 4 << 20 {
                edge.call("POST /v1/echo", &body).await.refused(400);
            }
            // Not even closed.
            let body = open.repeat(depth.min((4 << 20) / open.len()));
            edge.call("POST /v1/echo", &body).await.refused(400);
        }
    }
    let deep = |depth: usize| {
        format!("{}1{}", r#"{"anything":[["#.to_owned() + &"[".repeat(depth - 3), "]".repeat(depth - 1) + "}")
    };
    assert_eq!(
        edge.call("POST /v1/echo", &deep(65)).await.refused(400),
        "the body is nested deeper than protobuf allows"
    );
    // Deeper in protobuf than in JSON: the client hears it, not the service.
    assert_eq!(
        edge.call("POST /v1/echo", &deep(60)).await.refused(400),
        "the body is nested deeper than protobuf allows"
    );
    edge.call("POST /v1/echo", &deep(30)).await.ok();
}

#[tokio::test]
async fn doubled_fields_are_refused() {
    let edge = Edge::new();
    for (body, message) in [
        (r#"{"text":"a","text":"b"}"#, "text: is given twice"),
        (r#"{"text":"a","te\u0078t":"b"}"#, "text: is given twice"),
        (r#"{"stringValue":"a","string_value":"b"}"#, "string_value: is given twice"),
        (r#"{"nested":{"numbers":[],"numbers":[1]}}"#, "nested.numbers: is given twice"),
        (r#"{"counts":{"a":1,"a":2}}"#, "counts.a: is given twice"),
        (r#"{"object":{"x":{"a":1,"a":2}}}"#, "object.x.a: is given twice"),
        (r#"{"text":null,"text":"b"}"#, "text: is given twice"),
    ] {
        assert_eq!(edge.call("POST /v1/echo", body).await.refused(400), message, "{body}");
    }
}

#[tokio::test]
async fn broken_text_and_numbers_are_refused() {
    let edge = Edge::new();
    for body in [
        r#"{"doubleValue":1e400}"#,
        r#"{"doubleValue":-1e400}"#,
        r#"{"doubleValue":"1e400"}"#,
        r#"{"doubleValue":"inf"}"#,
        r#"{"doubleValue":""}"#,
        r#"{"floatValue":1e39}"#,
        r#"{"anything":1e400}"#,
        r#"{"int64Value":9223372036854775808}"#,
        r#"{"int64Value":"9223372036854775808"}"#,
        r#"{"int64Value":1e30}"#,
        r#"{"uint64Value":-1}"#,
        r#"{"int32Value":" 1"}"#,
        r#"{"text":"\ud800"}"#,
        r#"{"text":"\udc00\ud800"}"#,
        r#"{"text":"\ud800x"}"#,
        r#"{"counts":{"\ud800":1}}"#,
        r#"{"text":"a"#,
        r#"{"text":"a"}}"#,
        r#"{"text":"a"}{"text":"b"}"#,
        r#"{"text":'a'}"#,
        r#"{text:"a"}"#,
        r#"{"text":"a",}"#,
        r#"{"numbers":[1,]}"#,
        r#"{"doubleValue":NaN}"#,
        r#"{"int32Value":01}"#,
        r#"{"int32Value":+1}"#,
        r#"{"bytesValue":"*"}"#,
        r#"{"time":"2026-01-31"}"#,
        r#"{"time":"9999-12-31T23:59:59.999999999-23:59"}"#,
        r#"{"time":"0000-00-00T00:00:00Z"}"#,
        r#"{"time":"2026-13-31T12:00:00Z"}"#,
        r#"{"time":"2026-02-30T12:00:00Z"}"#,
        r#"{"time":"2026-01-31T25:00:00Z"}"#,
        r#"{"time":5}"#,
        r#"{"duration":"315576000001s"}"#,
        r#"{"duration":"-99999999999999999999.9s"}"#,
        r#"{"duration":"s"}"#,
        r#"{"duration":"1.s.s"}"#,
        r#"{"mask":"a_b"}"#,
        r#"{"mask":5}"#,
        r#"{"any":{}}"#,
        r#"{"any":{"@type":5}}"#,
        r#"{"any":{"@type":"type.googleapis.com/test.v1.Number","nothing":1}}"#,
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"x"}}"#,
        r#"{"any":{"@type":"test.v1.Number"}}"#,
        r#"{"list":[null]}"#,
        r#"{"byNumber":{"x":{}}}"#,
        r#"{"byNumber":{"1":5}}"#,
        "\u{feff}{}",
        "\0",
        "{\"text\":\"\u{1}\"}",
    ] {
        edge.call("POST /v1/echo", body).await.refused(400);
    }
    let request =
        http::Request::post("/v1/echo").body(http_body_util::Full::from(&b"{\"text\":\"\xff\"}"[..]));
    edge.ask(request.expect("a good request")).await.refused(400);
}

#[tokio::test]
async fn odd_but_good_json_is_understood() {
    let edge = Edge::new();
    let echoed = async |body: &str| edge.call("POST /v1/echo", body).await.ok();
    assert_eq!(echoed(r#"{"text":"\ud83d\ude00"}"#).await, json!({ "text": "😀" }));
    assert_eq!(echoed(r#"{"doubleValue":1e-400}"#).await, json!({}));
    assert_eq!(echoed(r#"{"time":"0001-01-01T00:00:00Z"}"#).await, json!({ "time": "0001-01-01T00:00:00Z" }));
    assert_eq!(echoed(r#"{"int64Value":-9223372036854775808}"#).await["int64Value"], "-9223372036854775808");
    let many: Vec<Value> = (0..10_000).map(|number| json!({ "int32Value": number + 1 })).collect();
    assert_eq!(
        echoed(&json!({ "list": many }).to_string()).await["list"].as_array().map(Vec::len),
        Some(10_000)
    );
}
