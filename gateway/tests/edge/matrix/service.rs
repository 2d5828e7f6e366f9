//! The service behind the matrix: it answers as each message asks it to.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    server::{Grpc, StreamingService},
};
use tower::Service;
use weft_kit::Problem;

use super::outcome::kind;
use crate::grpc::Raw;

/// Full name of the service.
pub(super) const SERVICE: &str = "test.v1.ShapeService";

/// The type of all requests and answers.
pub(super) const SHAPE: &str = "test.v1.Shape";

fn shape() -> MessageDescriptor {
    kind(SHAPE)
}

#[derive(Clone)]
pub(super) struct Shapes;

impl Service<http::Request<Body>> for Shapes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        // A service in another language may bound nothing: whatever is refused for its size was
        // refused by the gateway.
        let mut server = Grpc::new(Raw).max_decoding_message_size(usize::MAX);
        Box::pin(async move { Ok(server.streaming(Handler(name), request).await) })
    }
}

struct Handler(String);

type Answers = BoxStream<'static, Result<Bytes, Status>>;

impl StreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (name, messages) = (self.0.clone(), request.into_inner());
        Box::pin(async move {
            match name.as_str() {
                "Ask" | "Watch" => one(messages).await,
                "Gather" => gather(messages).await,
                "Talk" => Ok(Response::new(messages.map(|message| answers(message?)).flat_map(all).boxed())),
                other => Err(Status::unimplemented(other)),
            }
        })
    }
}

fn all(answers: Result<Answers, Status>) -> Answers {
    answers.unwrap_or_else(|status| stream::iter([Err(status)]).boxed())
}

/// An error before the first message is one without a stream, as most services have it.
async fn one(mut messages: Streaming<Bytes>) -> Result<Response<Answers>, Status> {
    let message = messages.message().await?.ok_or_else(|| Status::internal("no message"))?;
    if messages.message().await?.is_some() {
        return Err(Status::internal("a second message"));
    }
    let mut answers = answers(message)?.peekable();
    match std::pin::Pin::new(&mut answers).next_if(Result::is_err).await {
        Some(Err(status)) => Err(status),
        _ => Ok(Response::new(answers.boxed())),
    }
}

async fn gather(mut messages: Streaming<Bytes>) -> Result<Response<Answers>, Status> {
    let mut list = Vec::new();
    while let Some(message) = messages.message().await? {
        let asked = read(message)?;
        if !asked["act"].is_null() {
            return Ok(Response::new(acted(&asked)));
        }
        list.push(asked["what"].clone());
    }
    let answer = json!({ "what": { "list": list } });
    Ok(Response::new(stream::iter([Ok(write(&answer))]).boxed()))
}

/// What one message is answered with.
fn answers(message: Bytes) -> Result<Answers, Status> {
    let asked = read(message.clone())?;
    if asked["act"].is_null() {
        return Ok(stream::iter([Ok(message)]).boxed());
    }
    Ok(acted(&asked))
}

fn acted(asked: &Value) -> Answers {
    let act = &asked["act"];
    let number = |name: &str| act[name].as_i64().unwrap_or_default();
    let answer = match usize::try_from(number("bytes")) {
        Ok(bytes) if bytes > 0 => json!({ "what": { "stringValue": "x".repeat(bytes) } }),
        _ => json!({ "what": asked["what"] }),
    };
    let times = usize::try_from(number("times")).expect("no less than none");
    let messages = vec![write(&answer); times].into_iter().map(Ok);
    let code = Code::from_i32(number("code").try_into().expect("a code"));
    let end = (code != Code::Ok).then(|| Err(failure(code, act["message"].as_str().unwrap_or_default())));
    let answers = stream::iter(messages).chain(stream::iter(end));
    if act["hang"] == true { answers.chain(stream::pending()).boxed() } else { answers.boxed() }
}

fn failure(code: Code, message: &str) -> Status {
    Problem::new(code, "AS_ASKED", message)
        .with("who", "you")
        .field("what.text", "is not right")
        .retry_after(Duration::from_millis(1_500))
        .into()
}

fn read(message: Bytes) -> Result<Value, Status> {
    let message = DynamicMessage::decode(shape(), message)
        .map_err(|error| Status::from(Problem::invalid_argument("MALFORMED_MESSAGE", error.to_string())))?;
    Ok(serde_json::to_value(&message).expect("JSON"))
}

fn write(json: &Value) -> Bytes {
    DynamicMessage::deserialize(shape(), json).expect("it fits the contract").encode_to_vec().into()
}
