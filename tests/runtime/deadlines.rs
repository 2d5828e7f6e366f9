//! A call ends when its client's time is over, with DEADLINE_EXCEEDED, whatever its kind.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tonic::{Code, Request, Status, body::Body};
use weft_tests::{
    echo::v1::{CountRequest, MisbehaveRequest},
    http::Http,
    runtime::{Runtime, Settings},
};

/// A request with a deadline.
fn with_timeout<T>(message: T, timeout: &'static str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("grpc-timeout", timeout.parse().expect("ASCII"));
    request
}

#[tokio::test]
async fn unary_calls_end_at_their_deadline() {
    let runtime = Runtime::start(Settings::default()).await;
    let slow = MisbehaveRequest { wait_ms: 60_000, ..Default::default() };
    for mut client in [runtime.remote_client(), runtime.local_client()] {
        let status = client.misbehave(with_timeout(slow, "50m")).await.expect_err("it is too slow");
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    runtime.stop().await;
}

#[tokio::test]
async fn streams_end_at_their_deadline_after_what_came_before() {
    let runtime = Runtime::start(Settings::default()).await;
    let numbers = CountRequest { to: 1_000_000, pause_ms: 20, panic_at: 0 };
    for mut client in [runtime.client(), runtime.local_client()] {
        let mut stream = client.count(with_timeout(numbers, "300m")).await.expect("it begins").into_inner();
        let mut last = 0;
        let status = loop {
            match stream.message().await {
                Ok(Some(message)) => last = message.number,
                Ok(None) => panic!("a stream of a million ended well within 300 ms"),
                Err(status) => break status,
            }
        };
        assert!(last >= 1, "something came before");
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    runtime.stop().await;
}

#[tokio::test]
async fn a_call_without_a_deadline_has_the_longest_that_is_configured() {
    let mut settings = Settings::default();
    settings.limits.max_call_duration = Duration::from_millis(50);
    let runtime = Runtime::start(settings).await;
    let slow = MisbehaveRequest { wait_ms: 60_000, ..Default::default() };
    let status = runtime.client().misbehave(slow).await.expect_err("it is too slow");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let status =
        runtime.client().misbehave(with_timeout(slow, "1H")).await.expect_err("no more than configured");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    runtime.stop().await;
}

#[tokio::test]
async fn a_stream_whose_request_never_comes_is_not_waited_for() {
    let mut settings = Settings::default();
    settings.limits.max_call_duration = Duration::from_secs(2);
    let runtime = Runtime::start(settings).await;
    let nothing = Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Status>>()));
    let request = http::Request::post(format!("http://{}/weft.test.v1.EchoService/Count", runtime.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(nothing)
        .expect("it is a request");
    let answer = Http::new().http2(request).await;
    assert_eq!(answer.headers["grpc-status"], "4", "{answer:?}");

    // One that has come may be answered for longer.
    let numbers = CountRequest { to: 25, pause_ms: 100, panic_at: 0 };
    let mut stream = runtime.client().count(numbers).await.expect("it begins").into_inner();
    let mut count = 0;
    while stream.message().await.expect("it goes on").is_some() {
        count += 1;
    }
    assert_eq!(count, 25);
    runtime.stop().await;
}
