//! SIGTERM under load at one of two gateways: whoever turns to the other one misses nothing. No call fails in any protocol,
//! and streams are told to connect again.

use std::{sync::Arc, time::Duration};

use prost::Message;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::Code;
use weft_proto::weft::graph::v1::WatchGraphRequest;
use weft_tests::{
    client::Client,
    gateways::{Way, gateway},
    graphs,
    http::framed,
    process::Process,
    refused::Refused,
};

const GRAPH: &str = "projects/p/graphs/g";
/// Callers of each protocol.
const CALLERS: usize = 2;
/// A call that was begun so long before the signal is surely on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(20);
/// Longer than the process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// When a call was begun that got no answer.
type Unanswered = Vec<Instant>;

/// Calls the first gateway for as long as it answers, and then the other, until told to stop.
async fn call(
    way: Way,
    gateways: [Client; 2],
    begun: Arc<Notify>,
    stop: watch::Receiver<bool>,
) -> Unanswered {
    let mut unanswered = Vec::new();
    let mut current = 0;
    loop {
        let began = Instant::now();
        match way.ask(&gateways[current], GRAPH).await {
            Some(answered) => answered.expect("no answer is a refusal"),
            None if current == 0 => {
                unanswered.push(began);
                current = 1;
                continue;
            }
            None => panic!("{way:?}: the one that stays does not answer"),
        }
        begun.notify_one();
        if *stop.borrow() {
            assert_eq!(current, 1, "{way:?}: the first is gone, and still answers");
            return unanswered;
        }
    }
}

/// Calls over a WebSocket until it is closed. What was begun is answered, or refused with a word that says why.
async fn call_over_socket(gateway: Client, begun: Arc<Notify>) -> u64 {
    let mut socket = gateway.socket().await;
    let mut answered = 0;
    loop {
        let call = socket.begin("graph.v1.GraphService/GetGraph").await;
        socket.message(call, &json!({ "name": GRAPH })).await;
        let code = loop {
            match socket.hear().await {
                Ok(message) if message.get("message").is_some() => {
                    assert_eq!(message["message"]["name"], GRAPH);
                }
                Ok(message) => break message["status"]["code"].as_i64(),
                Err(code) => {
                    assert_eq!(code, 1001);
                    return answered;
                }
            }
        };
        match code {
            Some(0) => answered += 1,
            // The server was faster in saying that it ends.
            code => assert_eq!(code, Some(14)),
        }
        begun.notify_one();
    }
}

/// Watches the graph over a WebSocket; how the stream ended, and how the socket.
async fn watch_over_socket(gateway: Client, begun: Arc<Notify>) {
    let mut socket = gateway.socket().await;
    let call = socket.begin("graph.v1.GraphService/WatchGraph").await;
    socket.message(call, &json!({ "graph": GRAPH })).await;
    assert!(socket.hear().await.expect("it lives").get("message").is_some(), "it watches");
    begun.notify_one();
    let told = loop {
        let message = socket.hear().await.expect("the stream ends before the socket");
        if message.get("status").is_some() {
            break message["status"].clone();
        }
    };
    let reasons = told["details"].as_array().expect("a list").iter().map(|detail| &detail["reason"]);
    assert!(told["code"] == 14 && reasons.into_iter().any(|reason| reason == "DRAINING"), "{told}");
    assert_eq!(socket.hear().await.expect_err("it says nothing more"), 1001);
}

/// Watches the graph over gRPC; it is told to connect again.
async fn watch_over_grpc(gateway: Client, begun: Arc<Notify>) {
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
    let mut events = gateway.graphs().watch_graph(request).await.expect("it is there").into_inner();
    events.message().await.expect("it lives").expect("it has caught up");
    begun.notify_one();
    let told = loop {
        match events.message().await {
            Ok(message) => assert!(message.is_some(), "it ends without a word"),
            Err(status) => break status,
        }
    };
    Refused::from(told).is(Code::Unavailable, "DRAINING", "");
}

/// How a stream is asked for over HTTP/1.1: the request's line, its content type or what it accepts, its body, and with
/// what words it is told to connect again.
type Stream = (&'static str, &'static str, Vec<u8>, &'static str);

fn streams_over_http() -> [Stream; 4] {
    const WATCH: &str = "POST /weft.graph.v1.GraphService/WatchGraph";
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
    let json = json!({ "graph": GRAPH }).to_string();
    [
        (
            "GET /v1/projects/p/graphs/g:watch",
            "accept: text/event-stream",
            Vec::new(),
            r#""reason":"DRAINING""#,
        ),
        (
            "GET /v1/projects/p/graphs/g:watch",
            "accept: application/x-ndjson",
            Vec::new(),
            r#""reason":"DRAINING""#,
        ),
        (
            WATCH,
            "content-type: application/connect+json",
            framed(0, json.as_bytes()),
            r#""reason":"DRAINING""#,
        ),
        (
            WATCH,
            "content-type: application/grpc-web+proto",
            framed(0, &request.encode_to_vec()),
            "grpc-status:14",
        ),
    ]
}

/// Watches the graph in a protocol of HTTP/1.1; it is told to connect again, and the connection ends.
async fn watch_over_http(
    address: String,
    key: String,
    (line, header, body, told): Stream,
    begun: Arc<Notify>,
) {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: weft\r\nauthorization: Bearer {key}\r\n{header}\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    connection.write_all(&[head.as_bytes(), &body].concat()).await.expect("it listens");
    let (mut heard, mut has_begun) = (Vec::new(), false);
    while connection.read_buf(&mut heard).await.expect("it ends in order") > 0 {
        let text = String::from_utf8_lossy(&heard);
        if !has_begun && text.split_once("\r\n\r\n").is_some_and(|(_, body)| !body.is_empty()) {
            has_begun = true;
            begun.notify_one();
        }
    }
    let text = String::from_utf8_lossy(&heard);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(told), "{header}: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_ends_is_not_missed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut service = Process::serve(&folder.path().join("service"), &["identity", "graph"]);
    service.start();
    graphs::create(&service.client(), "g").await;
    let mut first = gateway(folder.path(), "first", &service);
    let second = gateway(folder.path(), "second", &service);
    let client = |process: &Process| Client::new(&process.url(), Some(&service.key()));

    let (stop, stopped) = watch::channel(false);
    let (mut callers, mut sockets) = (JoinSet::new(), JoinSet::new());
    let mut all_begun = Vec::new();
    let mut begun = || {
        all_begun.push(Arc::new(Notify::new()));
        Arc::clone(&all_begun[all_begun.len() - 1])
    };
    for way in Way::ALL {
        for _ in 0..CALLERS {
            callers.spawn(call(way, [client(&first), client(&second)], begun(), stopped.clone()));
        }
    }
    for _ in 0..CALLERS {
        sockets.spawn(call_over_socket(client(&first), begun()));
    }
    let mut watchers = JoinSet::new();
    watchers.spawn(watch_over_socket(client(&first), begun()));
    watchers.spawn(watch_over_grpc(client(&first), begun()));
    for stream in streams_over_http() {
        let address = first.url().trim_start_matches("http://").to_owned();
        watchers.spawn(watch_over_http(address, service.key(), stream, begun()));
    }
    for begun in &all_begun {
        timeout(PATIENCE, begun.notified()).await.expect("it has begun");
    }
    // Somewhere in the middle of calls.
    tokio::time::sleep(2 * ON_ITS_WAY).await;
    first.terminate();
    let signalled = Instant::now();
    let status = timeout(PATIENCE, first.ended()).await.expect("it ends");
    assert!(status.success(), "{status:?}");
    watchers.join_all().await;
    for answered in sockets.join_all().await {
        assert!(answered > 0, "no call over a WebSocket was answered before the signal: it proves nothing");
    }
    // Everybody has made a call since.
    for begun in all_begun.iter().take(Way::ALL.len() * CALLERS) {
        begun.notified().await;
        timeout(PATIENCE, begun.notified()).await.expect("it goes on with the other");
    }
    stop.send(true).expect("they listen");
    for unanswered in callers.join_all().await {
        assert!(unanswered.len() <= 1, "{unanswered:?}");
        for began in unanswered {
            assert!(began + ON_ITS_WAY > signalled, "a call that ran was not answered");
        }
    }
}
