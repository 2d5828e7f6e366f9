//! Connections that say nothing, that are too many, and the operators' paths beside gRPC.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weft_kit::config::Rates;
use weft_tests::{
    echo::v1::ChatRequest,
    runtime::{Runtime, Settings},
};

async fn get(runtime: &Runtime, path: &str) -> String {
    let mut socket = TcpStream::connect(runtime.address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers in text");
    answer
}

#[tokio::test]
async fn operators_see_health_readiness_and_metrics() {
    let runtime = Runtime::start(Settings::default()).await;
    assert!(get(&runtime, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&runtime, "/readyz").await.starts_with("HTTP/1.1 200"));
    runtime.health.set("weft.test.v1.EchoService", false);
    let unready = get(&runtime, "/readyz").await;
    assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("weft.test.v1.EchoService"), "{unready}");
    assert!(get(&runtime, "/metrics").await.contains("# EOF"));
    runtime.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let mut settings = Settings::default();
    settings.connections.header_timeout = Duration::from_millis(50);
    let runtime = Runtime::start(settings).await;
    for beginning in ["", "GET / HT", "PRI * HTTP/2"] {
        let mut socket = TcpStream::connect(runtime.address).await.expect("it listens");
        socket.write_all(beginning.as_bytes()).await.expect("it is open");
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "{beginning:?} keeps a connection open");
    }
    runtime.stop().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_never_looks_whole() {
    let mut runtime = Runtime::start(Settings::default()).await;
    let (say, said) = tokio::sync::mpsc::channel(8);
    let mut client = runtime.client();
    let call = client.collect(tokio_stream::wrappers::ReceiverStream::new(said));
    let mut call = Box::pin(call);
    for _ in 0..3 {
        say.send(ChatRequest::default()).await.expect("the call reads");
    }
    // Given up in the middle: the client resets the stream. `say` lives on, so it never ends.
    let given_up = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
    assert!(given_up.is_err(), "the upload has not ended");
    drop(call);
    assert_eq!(runtime.uploads.recv().await, Some(Err(tonic::Code::Aborted)));
    drop(say);
    let whole = runtime.client().collect(tokio_stream::iter(vec![ChatRequest::default(); 3])).await;
    assert_eq!(whole.expect("it ended by itself").into_inner().count, 3);
    assert_eq!(runtime.uploads.recv().await, Some(Ok(3)));
    runtime.stop().await;
}

#[tokio::test]
async fn more_connections_than_configured_are_closed_at_once() {
    let mut settings = Settings::default();
    settings.connections.max_connections = 2;
    the_third_is_closed(settings).await;
    let mut settings = Settings::default();
    settings.connections.max_connections_per_address = 2;
    the_third_is_closed(settings).await;
    let mut settings = Settings::default();
    settings.connections.new_connections_per_address = Rates { per_second: 1, burst: 2 };
    the_third_is_closed(settings).await;
}

async fn the_third_is_closed(settings: Settings) {
    let runtime = Runtime::start(settings).await;
    let held = [TcpStream::connect(runtime.address).await, TcpStream::connect(runtime.address).await];
    let mut third = TcpStream::connect(runtime.address).await.expect("the system's queue takes it");
    let mut answer = Vec::new();
    // Closed, with an end of file or a reset.
    let read =
        tokio::time::timeout(Duration::from_secs(20), third.read_to_end(&mut answer)).await.expect("closed");
    assert!(read.is_err() || answer.is_empty());
    drop(held);
    runtime.stop().await;
}
