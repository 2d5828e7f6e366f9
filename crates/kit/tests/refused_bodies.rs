//! A refusal reaches a client that writes its whole request before it reads anything, as proxies do.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::body::Body;
use weft_kit::{
    Ids, Lifecycle,
    config::ConnectionOptions,
    server::{HttpService, Listener},
};

/// More than sockets of this machine keep for somebody who does not read.
const LENGTH: usize = 12 * 1024 * 1024;

/// A port that refuses everything without a look at it.
async fn refusing() -> (SocketAddr, Lifecycle) {
    let listener = Listener::bind("127.0.0.1:0", ConnectionOptions::default()).await.expect("a free port");
    let address = listener.local_address().expect("it is bound");
    let lifecycle = Lifecycle::new();
    let service = tower::service_fn(|_: Request<Body>| async {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        Ok::<_, Infallible>(response)
    });
    let serving = listener.serve(HttpService::new(service), Ids::system(), lifecycle.clone());
    lifecycle.spawn_future(serving);
    (address, lifecycle)
}

/// Reads the head of one answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.expect("there is an answer"));
    }
    String::from_utf8(text).expect("it is text")
}

#[tokio::test]
async fn a_refusal_is_heard_after_a_long_body_and_the_connection_goes_on() {
    let (address, _lifecycle) = refusing().await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    for _ in 0..2 {
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the head is taken");
        stream.write_all(&vec![b'x'; LENGTH]).await.expect("and the whole body");
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 413 "));
    }
}

#[tokio::test]
async fn nobody_is_asked_for_what_is_refused_anyway() {
    let (address, _lifecycle) = refusing().await;
    for request in [
        // Waits for leave to send: 100 would be leave.
        format!("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {LENGTH}\r\n\r\n"),
        // More than is thrown away.
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4000000000\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("the head is taken");
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 413 "), "{request}");
    }
}
