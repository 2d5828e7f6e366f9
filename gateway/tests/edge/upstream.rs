//! The service behind the gateway: dynamic, so that the contracts need no generated code.

use std::task::{Context, Poll};

use bytes::Buf;
use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, StreamingService},
};
use tower::Service;
use weft_kit::Problem;
use weft_proto::google::rpc;

/// What the service noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call began.
    Began(String),
    /// The client said all.
    Ended,
    /// The client's stream broke.
    Broke(Code),
    /// An answer that should go on for ever was given up.
    Dropped,
}

/// `test.v1.EchoService`.
#[derive(Clone)]
pub(crate) struct Echo {
    pool: DescriptorPool,
    events: mpsc::UnboundedSender<Event>,
}

impl Echo {
    pub(crate) fn new(pool: DescriptorPool) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, noticed) = mpsc::unbounded_channel();
        (Self { pool, events }, noticed)
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let (service, name) = path[1..].split_once('/').expect("a service and a method");
            let service = echo.pool.get_service_by_name(service).expect("the gateway knows its services");
            let method = service.methods().find(|method| method.name() == name);
            let Some(method) = method else { return Ok(Status::unimplemented("no such method").into_http()) };
            let _ = echo.events.send(Event::Began(name.to_owned()));
            let codec = DynamicCodec { input: method.input() };
            let handler = Handler { echo, name: name.to_owned(), output: method.output() };
            Ok(Grpc::new(codec).streaming(handler, request).await)
        })
    }
}

struct Handler {
    echo: Echo,
    name: String,
    output: MessageDescriptor,
}

type Answers = BoxStream<'static, Result<DynamicMessage, Status>>;

impl StreamingService<DynamicMessage> for Handler {
    type Response = DynamicMessage;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<DynamicMessage>>) -> Self::Future {
        let handler =
            Handler { echo: self.echo.clone(), name: self.name.clone(), output: self.output.clone() };
        Box::pin(handler.answer(request))
    }
}

impl Handler {
    async fn answer(self, request: Request<Streaming<DynamicMessage>>) -> Result<Response<Answers>, Status> {
        let metadata = request.metadata().clone();
        let mut messages = request.into_inner();
        match self.name.as_str() {
            "Sum" => return self.sum(messages).await.map(once),
            "Chat" => return Ok(Response::new(self.chat(messages))),
            "Stall" => {
                let _dropped = OnDrop(self.echo.events.clone());
                return std::future::pending().await;
            }
            _ => {}
        }
        let message = messages.message().await?.ok_or_else(|| Status::internal("no message"))?;
        if messages.message().await?.is_some() {
            return Err(Status::internal("a second message"));
        }
        let asked = serde_json::to_value(&message).expect("JSON");
        match self.name.as_str() {
            "Echo" | "GetFile" | "GetParts" | "UpdateThing" | "MoveThing" | "Raw" => {
                let mut response = once(message);
                response.metadata_mut().insert("x-request-id", "r-1".parse().expect("ASCII"));
                response.metadata_mut().insert("secret", "s".parse().expect("ASCII"));
                Ok(response)
            }
            "WhoAmI" => match metadata.get("authorization").and_then(|value| value.to_str().ok()) {
                Some("Bearer busy") => Err(Status::unavailable("too busy to look")),
                Some(credential) if credential.starts_with("Bearer ") => {
                    Ok(self.once(&json!({ "name": credential.replacen("Bearer ", "callers/", 1) })))
                }
                _ => Err(Status::unauthenticated("who?")),
            },
            "IssueToken" if asked["ticket"] == "good-once" => Ok(self.once(&json!({ "token": "ada" }))),
            "IssueToken" => Err(Status::unauthenticated("a ticket is good once")),
            // Whoever asks for it once only waits for ever.
            "GetThing"
                if asked["name"] == "shelves/s/things/second"
                    && !metadata.contains_key("grpc-previous-rpc-attempts") =>
            {
                let _dropped = OnDrop(self.echo.events.clone());
                std::future::pending().await
            }
            "GetThing" => Ok(self.once(&json!({ "name": asked["name"], "title": asked["view"] }))),
            "DeleteThing" => Ok(self.once(&json!({}))),
            "ListNames" if asked["parent"] == "shelves/empty" => {
                Ok(self.once(&json!({ "nextPageToken": "x" })))
            }
            "ListNames" => Ok(self.once(&json!({ "names": ["a", "b"], "nextPageToken": "x" }))),
            "Count" | "Download" => self.count(&asked),
            "Progress" => Ok(self.progress(&asked)),
            "Follow" => Ok(self.follow(&asked)),
            "Fail" => Err(self.with_thing(fail(&asked), &asked)),
            "Metadata" => {
                let headers = metadata.into_headers();
                let pairs = headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").into()));
                Ok(self.once(&json!({ "metadata": pairs.collect::<serde_json::Map<String, Value>>() })))
            }
            "Hang" => {
                let _dropped = OnDrop(self.echo.events.clone());
                std::future::pending().await
            }
            other => Err(Status::unimplemented(other)),
        }
    }

    fn make(&self, json: &Value) -> DynamicMessage {
        DynamicMessage::deserialize(self.output.clone(), json).expect("it fits the contract")
    }

    fn once(&self, json: &Value) -> Response<Answers> {
        once(self.make(json))
    }

    async fn sum(&self, mut messages: Streaming<DynamicMessage>) -> Result<DynamicMessage, Status> {
        let mut sum = 0;
        loop {
            match messages.message().await {
                Ok(Some(number)) => {
                    sum += number.get_field_by_name("value").expect("a field").as_i64().expect("a number");
                }
                Ok(None) => break,
                Err(status) => {
                    let _ = self.echo.events.send(Event::Broke(status.code()));
                    return Err(status);
                }
            }
        }
        let _ = self.echo.events.send(Event::Ended);
        Ok(self.make(&json!({ "value": sum.to_string() })))
    }

    fn chat(&self, messages: Streaming<DynamicMessage>) -> Answers {
        let dropped = OnDrop(self.echo.events.clone());
        messages
            .map(move |message| {
                let _ = &dropped;
                let message = message?;
                let value = message.get_field_by_name("value").expect("a field").as_i64();
                if value == Some(13) {
                    Err(Problem::failed_precondition("UNLUCKY", "thirteen").into())
                } else {
                    Ok(message)
                }
            })
            .boxed()
    }

    /// All but the last one may be replaced.
    fn progress(&self, asked: &Value) -> Response<Answers> {
        let (to, echo) = (asked["to"].as_i64().unwrap_or_default(), self.output.clone());
        let messages = (1..=to).map(move |value| {
            let json = json!({ "at": { "value": value.to_string(), "replaceable": value < to } });
            Ok(DynamicMessage::deserialize(echo.clone(), json).expect("it fits the contract"))
        });
        Response::new(stream::iter(messages).boxed())
    }

    fn follow(&self, asked: &Value) -> Response<Answers> {
        let number = |name: &str| asked[name].as_str().and_then(|text| text.parse().ok()).unwrap_or(0_i64);
        let part = |step: i64, last: bool| json!({ "part": { "step": step.to_string(), "last": last } });
        let steps = number("after") + 1..=number("to");
        let parts = steps.flat_map(|step| [part(step, false), part(step, true)]);
        let messages = parts.chain([json!({ "caughtUp": asked["to"] })]).map(|json| Ok(self.make(&json)));
        Response::new(stream::iter(messages.collect::<Vec<_>>()).boxed())
    }

    /// With details of a type of this service's own, and of one that nobody knows, if that is asked for.
    fn with_thing(&self, status: Status, asked: &Value) -> Status {
        let Some(title) = asked["thing"].as_str() else { return status };
        let thing = self.echo.pool.get_message_by_name("test.v1.Thing").expect("it is in the contract");
        let thing = DynamicMessage::deserialize(thing, json!({ "title": title })).expect("a thing");
        let mut full = rpc::Status::decode(status.details()).expect("a status");
        for (name, value) in [("test.v1.Thing", thing.encode_to_vec()), ("nobody.v1.Knows", vec![1, 2])] {
            full.details.push(prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value });
        }
        Status::with_details(status.code(), status.message(), full.encode_to_vec().into())
    }

    fn count(&self, asked: &Value) -> Result<Response<Answers>, Status> {
        let number = |name: &str| asked[name].as_i64().unwrap_or_default();
        let error = || Status::from(Problem::data_loss("BROKEN", "it broke").with("at", number("failAfter")));
        if asked["failAtOnce"] == true {
            return Err(error());
        }
        let fail_after = number("failAfter");
        let last = if fail_after > 0 { fail_after } else { number("to") };
        let is_file = self.name == "Download";
        let messages: Vec<_> = (1..=last)
            .map(|value| {
                let json = if is_file {
                    let content_type = if value == 1 { "text/csv" } else { "" };
                    json!({ "contentType": content_type, "data": "YSxiCg==" })
                } else {
                    json!({ "value": value.to_string() })
                };
                Ok(self.make(&json))
            })
            .collect();
        let end = (fail_after > 0).then(|| Err(self.with_thing(error(), asked)));
        let mut answers = stream::iter(messages).chain(stream::iter(end)).boxed();
        if asked["stay"] == true {
            let dropped = OnDrop(self.echo.events.clone());
            answers = answers
                .chain(stream::pending())
                .inspect(move |_| {
                    let _ = &dropped;
                })
                .boxed();
        }
        let mut response = Response::new(answers);
        if is_file {
            let file = "attachment; filename=\"numbers.csv\"".parse().expect("ASCII");
            response.metadata_mut().insert("content-disposition", file);
        }
        Ok(response)
    }
}

/// Notices when an answer is given up.
struct OnDrop(mpsc::UnboundedSender<Event>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Dropped);
    }
}

fn once(message: DynamicMessage) -> Response<Answers> {
    Response::new(stream::iter([Ok(message)]).boxed())
}

fn fail(asked: &Value) -> Status {
    let code = Code::from_i32(asked["code"].as_i64().unwrap_or(2).try_into().expect("a code"));
    let message = asked["message"].as_str().unwrap_or_default();
    let mut problem = Problem::new(code, "AS_ASKED", message).with("who", "you");
    if let Some(millis) = asked["retryAfterMs"].as_u64() {
        problem = problem.retry_after(std::time::Duration::from_millis(millis));
    }
    problem.into()
}

#[derive(Clone)]
struct DynamicCodec {
    input: MessageDescriptor,
}

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        DynamicMessage::decode(self.input.clone(), bytes)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
