//! JSON that is made to do harm, over REST and over the WebSocket.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Code;
use weft_tests::{
    client::Client,
    graphs,
    http::Answer,
    mesh::Mesh,
    refused::{Refused, refused_rest},
};

const APPLY: &str = "POST /v1/projects/p/graphs/g:applyChanges";
const SOCKET_APPLY: &str = "graph.v1.GraphService/ApplyChanges";

/// A body with `properties` written as they are.
fn with_properties(properties: &str) -> String {
    format!(
        r#"{{"graph":"projects/p/graphs/g","changes":[{{"upsertNode":{{"node":{{"key":"k","properties":{properties}}}}}}}]}}"#
    )
}

/// Sends a body every way that takes JSON; it must be INVALID_ARGUMENT in the same words.
async fn is_refused(client: &Client, body: &str, reason: &str, field: &str) {
    let rest = client.rest_raw(APPLY, &[], body.to_owned()).await;
    let by_rest = refused_rest(&rest, 400);
    by_rest.is(Code::InvalidArgument, reason, field);
    let mut socket = client.socket().await;
    let call = socket.begin(SOCKET_APPLY).await;
    socket.say(&format!(r#"{{"call":{call},"message":{body}}}"#)).await;
    match socket.hear().await {
        Ok(said) => {
            let by_socket = Refused::from_json(&said["status"]);
            assert_eq!(
                (by_socket.code, &by_socket.reason, &by_socket.fields),
                (by_rest.code, &by_rest.reason, &by_rest.fields),
                "{body:.200}"
            );
        }
        // What is no JSON at all breaks the frame, and with it the socket: 1002, a protocol error.
        Err(code) => assert!(code == 1002 && field.is_empty(), "{code} {body:.200}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_doubles_and_numbers_are_refused() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    graphs::create(&client, "g").await;
    for depth in [101, 10_000] {
        let list = format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        is_refused(&client, &with_properties(&list), "TOO_DEEP", "").await;
        let objects = format!("{}1{}", "{\"x\":".repeat(depth), "}".repeat(depth));
        is_refused(&client, &with_properties(&objects), "TOO_DEEP", "").await;
        // Not even closed.
        is_refused(&client, &"[".repeat(depth), "TOO_DEEP", "").await;
    }
    let place = "changes[0].upsertNode.node";
    for (properties, reason, field) in [
        (r#"{"a":1,"a":2}"#.to_owned(), "INVALID_FIELD", format!("{place}.properties.a")),
        (r#"{"x":{"a":1,"\u0061":2}}"#.to_owned(), "INVALID_FIELD", format!("{place}.properties.x.a")),
        (r#"{},"key":"again""#.to_owned(), "INVALID_FIELD", format!("{place}.key")),
        (r#"{},"nothing":1"#.to_owned(), "INVALID_FIELD", format!("{place}.nothing")),
        (r#"{"a":1e400}"#.to_owned(), "NOT_JSON", String::new()),
        (r#"{"a":-1e400}"#.to_owned(), "NOT_JSON", String::new()),
        (r#"{"a":"\ud800"}"#.to_owned(), "NOT_JSON", String::new()),
        (r#"{"\udc00\ud800":1}"#.to_owned(), "NOT_JSON", String::new()),
        (r#"{"a":nan}"#.to_owned(), "NOT_JSON", String::new()),
        (r#"{"a":1"#.to_owned(), "NOT_JSON", String::new()),
    ] {
        is_refused(&client, &with_properties(&properties), reason, &field).await;
    }
    assert_eq!(graphs::get(&client, "projects/p/graphs/g").await.revision, 1, "nothing of it was applied");
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_the_wrong_size_type_and_encoding_are_refused() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    graphs::create(&client, "g").await;
    let large = with_properties(&format!(r#"{{"x":"{}"}}"#, "x".repeat(5 << 20)));
    // What is announced is enough; nothing of it is waited for.
    refused_rest(&announce(&mesh, 5 << 20).await, 413).is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "");
    let mut socket = client.socket().await;
    let call = socket.begin(SOCKET_APPLY).await;
    socket.say(&format!(r#"{{"call":{call},"message":{large}}}"#)).await;
    let said = socket.hear().await.expect("the socket lives");
    Refused::from_json(&said["status"]).is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "");
    let call = socket.begin(SOCKET_APPLY).await;
    socket.say(&format!(r#"{{"call":{call},"message":{{"x":"{}"}}}}"#, "x".repeat(16 << 20))).await;
    assert_eq!(socket.hear().await, Err(1009), "a message over any limit ends the socket");

    let small = with_properties("{}");
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let answer = client.rest_raw(APPLY, &[("content-type", content_type)], small.clone()).await;
        refused_rest(&answer, 415).is(Code::InvalidArgument, "NOT_JSON", "");
    }
    for encoding in ["gzip", "br", "deflate"] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = client.rest_raw(APPLY, &headers, weft_tests::http::gzip(small.as_bytes())).await;
        assert_eq!(refused_rest(&answer, 415).code, Code::InvalidArgument);
    }
    let answer = client.rest_raw(APPLY, &[], b"{\"graph\":\"\xff\xfe\"}".to_vec()).await;
    assert_eq!(refused_rest(&answer, 400).code, Code::InvalidArgument);
    for (line, http) in [
        ("PUT /v1/projects/p/graphs/g", 405),
        ("GET /v1/projects/p/graphs/g:nothing", 400),
        ("GET /v2/projects/p/graphs/g", 404),
        ("GET /v1/projects/p/graphs/g?nothing=1", 400),
        ("GET /v1/projects/p/graphs/g/nodes?pageSize=x", 400),
        ("GET /v1/projects/p/graphs/g/nodes?pageSize=1&pageSize=2", 400),
        ("GET /v1/projects/p/graphs/%ff", 400),
    ] {
        assert!(refused_rest(&client.rest(line, None).await, http).code != Code::Ok, "{line}");
    }
    mesh.stop_unhurt().await;
}

/// A request that announces so many bytes, and sends none of them.
async fn announce(mesh: &Mesh, bytes: usize) -> Answer {
    let address = mesh.url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).await.expect("it listens");
    let request = format!(
        "{APPLY} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n",
        mesh.key
    );
    line.write_all(request.as_bytes()).await.expect("it listens");
    let mut text = Vec::new();
    line.read_to_end(&mut text).await.expect("it answers and closes");
    let text = String::from_utf8(text).expect("it is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let mut headers = http::HeaderMap::new();
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        headers.insert(http::HeaderName::try_from(name).expect("a name"), value.parse().expect("a value"));
    }
    Answer { status, headers, body: body.to_owned().into(), trailers: http::HeaderMap::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_ends_at_the_first_frame_that_is_none() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    for text in [
        String::new(),
        "null".into(),
        "[]".into(),
        "{".repeat(10_000),
        "[".repeat(100_000),
        r#"{"call":0,"open":{"method":"x"}}"#.into(),
        r#"{"call":1,"end":true,"end":true}"#.into(),
        r#"{"call":1,"message":{}}"#.into(),
        r#"{"call":1e400,"end":true}"#.into(),
        json!({ "call": 1, "open": { "method": "x", "metadata": { "a": "b".repeat(100_000) } } }).to_string(),
    ] {
        let mut socket = client.socket().await;
        socket.say(&text).await;
        assert_eq!(socket.hear().await, Err(1002), "{text:.100}");
    }
    mesh.stop_unhurt().await;
}
