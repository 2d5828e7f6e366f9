//! gRPC passes through.

use std::str::FromStr;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

use crate::{
    support::{Edge, pool},
    upstream::Event,
};

#[derive(Clone, Copy)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

async fn channel(edge: &Edge) -> Channel {
    let mut stream = Some(edge.connect());
    let connector = tower::service_fn(move |_| {
        let stream = stream.take().ok_or_else(|| std::io::Error::other("there is one connection"));
        async move { stream.map(TokioIo::new) }
    });
    Endpoint::from_static("http://weft.test")
        .connect_with_connector(connector)
        .await
        .expect("the gateway is there")
}

async fn unary(
    channel: Channel,
    path: &str,
    message: &'static [u8],
) -> Result<tonic::Response<Bytes>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.expect("it is connected");
    let path = PathAndQuery::from_str(path).expect("a path");
    client.unary(Request::new(Bytes::from_static(message)), path, Raw).await
}

/// `Number { value }` for small values.
fn number(value: u8) -> Bytes {
    Bytes::from(vec![8, value])
}

#[tokio::test]
async fn a_unary_call_keeps_metadata_and_details() {
    let edge = Edge::new();
    let channel = channel(&edge).await;
    let answer =
        unary(channel.clone(), "/test.v1.EchoService/GetFile", b"\x0a\x01x").await.expect("it answers");
    assert_eq!(answer.metadata().get("secret").expect("gRPC keeps all"), "s");
    assert_eq!(answer.into_inner(), &b"\x0a\x01x"[..]);
    // code 9, message "no", retry after 1500 ms.
    let status = unary(channel, "/test.v1.EchoService/Fail", b"\x08\x09\x12\x02no\x18\xdc\x0b")
        .await
        .expect_err("as asked");
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "no"));
    let retry = status.get_error_details().retry_info().expect("a pause").retry_delay;
    assert_eq!(retry, Some(std::time::Duration::from_millis(1500)));
}

#[tokio::test]
async fn streams_pass_both_ways_one_by_one() {
    let edge = Edge::new();
    let mut client = Grpc::new(channel(&edge).await);
    client.ready().await.expect("it is connected");
    let (say, said) = tokio::sync::mpsc::unbounded_channel();
    let messages = tokio_stream::wrappers::UnboundedReceiverStream::new(said);
    let path = PathAndQuery::from_static("/test.v1.EchoService/Chat");
    let mut answers =
        client.streaming(Request::new(messages), path, Raw).await.expect("it begins").into_inner();
    for value in 1..=3 {
        say.send(number(value)).expect("it listens");
        assert_eq!(answers.message().await.expect("it goes on"), Some(number(value)));
    }
    drop(say);
    assert_eq!(answers.message().await.expect("it ends well"), None);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_hidden_look_the_same() {
    let edge = Edge::new();
    let channel = channel(&edge).await;
    for path in
        ["/test.v1.EchoService/Nothing", "/test.v1.EchoService/Hidden", "/test.v1.Nothing/Echo", "/x", "/"]
    {
        let status = unary(channel.clone(), path, b"").await.expect_err(path);
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unimplemented, &*format!("there is no method {path}"))
        );
    }
    let mut edge = edge;
    assert!(edge.events.try_recv().is_err(), "the service heard nothing of it");
}

#[tokio::test]
async fn giving_up_reaches_the_service() {
    let mut edge = Edge::new();
    let channel = channel(&edge).await;
    let events = &mut edge.events;
    tokio::select! {
        answer = unary(channel.clone(), "/test.v1.EchoService/Hang", b"") => panic!("{answer:?}"),
        began = events.recv() => assert_eq!(began, Some(Event::Began("Hang".into()))),
    }
    assert_eq!(events.recv().await, Some(Event::Dropped));
}

#[tokio::test]
async fn services_without_contracts_are_passed_all_they_are_asked() {
    let any = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Ok::<_, std::convert::Infallible>(Status::out_of_range("it was asked").into_http())
    });
    let upstreams = Upstreams::new().with("other.Service", Peer::new(any));
    let mut edge = Edge::new();
    edge.gateway =
        Gateway::new(upstreams, GatewayOptions::default(), pool(), Lifecycle::new()).expect("good contracts");
    let channel = channel(&edge).await;
    let status = unary(channel.clone(), "/other.Service/Whatever", b"").await.expect_err("it refuses");
    assert_eq!(status.code(), Code::OutOfRange);
    // The contract is known, but nobody serves it here.
    let status = unary(channel, "/test.v1.EchoService/Echo", b"").await.expect_err("nobody serves it");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn only_post_is_grpc() {
    let edge = Edge::new();
    let answer =
        edge.call_with("GET /test.v1.EchoService/Echo", &[("content-type", "application/grpc")], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
}
