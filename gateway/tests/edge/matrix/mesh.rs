//! Every method of the mesh's own contracts, in every protocol: what follows from descriptors alone.

use std::{
    borrow::Cow,
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use prost::Message;
use prost_reflect::MethodDescriptor;
use serde_json::{Value, json};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    server::{Grpc, StreamingService},
};
use tower::Service;
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer, Problem};
use weft_proto::{Idempotency, weft::options::v1::Exposure};

use super::{
    LATE,
    case::{Case, Method, Rest, call},
    check_in,
};
use crate::{
    fuzz::{Entropy, message},
    grpc::Raw,
    support::Edge,
};

/// An answer of a type: as many of its fields as these bytes choose.
fn sample(kind: &prost_reflect::MessageDescriptor) -> prost_reflect::DynamicMessage {
    let bytes: Vec<u8> = (0..=255_u8).map(|number| number.wrapping_mul(167).wrapping_add(5)).collect();
    message(kind, &mut Entropy(&bytes), 4)
}

/// What the services do with a call once all of it was said.
#[derive(Clone, Copy)]
enum Does {
    /// Answers with a sample.
    Answer,
    Fail,
    /// Never says anything.
    Hang,
}

/// All services at once: they all do the same.
#[derive(Clone)]
struct Everybody(Does);

impl Service<http::Request<Body>> for Everybody {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let handler = Handler { path, does: self.0 };
        Box::pin(async move { Ok(Grpc::new(Raw).streaming(handler, request).await) })
    }
}

struct Handler {
    path: String,
    does: Does,
}

impl StreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (path, does) = (self.path.clone(), self.does);
        Box::pin(async move {
            let mut messages = request.into_inner();
            while messages.message().await?.is_some() {}
            match does {
                Does::Answer => {
                    let method = weft_proto::methods().get(&path).expect("it is in the contracts");
                    let answer = sample(&method.descriptor.output()).encode_to_vec();
                    let answers: Self::ResponseStream = Box::pin(stream::iter([Ok(Bytes::from(answer))]));
                    Ok(Response::new(answers))
                }
                Does::Fail => Err(Problem::aborted("AS_ASKED", "no").with("who", "you").into()),
                Does::Hang => future::pending().await,
            }
        })
    }
}

/// The first rule of REST, if all that it needs is in the path.
fn rest(method: &MethodDescriptor) -> Option<Rest> {
    let extension = weft_proto::pool().get_extension_by_name("google.api.http")?;
    let options = method.options();
    let rule = options.has_extension(&extension).then(|| options.get_extension(&extension))?;
    let rule = serde_json::to_value(rule.as_message()?).expect("JSON");
    let (verb, template) = ["get", "post", "put", "patch", "delete"]
        .into_iter()
        .find_map(|verb| Some((verb, rule[verb].as_str()?)))?;
    // Such answers are no JSON.
    if method.output().full_name() == "google.api.HttpBody" || rule["responseBody"].is_string() {
        return None;
    }
    let mut path = String::new();
    for (number, part) in template.split(['{', '}']).enumerate() {
        let pattern =
            if number % 2 == 0 { part } else { part.split_once('=').map_or("*", |(_, pattern)| pattern) };
        path.push_str(&pattern.replace("**", "x").replace('*', "x"));
    }
    let verb = match verb {
        "get" => "GET",
        "post" => "POST",
        "put" => "PUT",
        "patch" => "PATCH",
        _ => "DELETE",
    };
    Some(Rest { verb, path: Cow::Owned(path), has_body: rule["body"].is_string() })
}

fn snake(name: &str) -> String {
    let words = name.chars().flat_map(|letter| {
        let before = letter.is_ascii_uppercase().then_some('_');
        before.into_iter().chain([letter.to_ascii_lowercase()])
    });
    words.collect::<String>().trim_start_matches('_').to_owned()
}

/// Every method that is for the edge.
fn methods() -> Vec<&'static Method> {
    let mut all = Vec::new();
    for method in weft_proto::methods().iter() {
        let Some(policy) = method.policy.as_ref().filter(|policy| policy.exposure() == Exposure::Edge) else {
            continue;
        };
        let descriptor = &method.descriptor;
        let service = descriptor.parent_service();
        let area = service.name().strip_suffix("Service").unwrap_or(service.name());
        let tool = policy.mcp_tool.then(|| format!("{}_{}", snake(area), snake(descriptor.name())));
        let text = |text: &str| &*Box::leak(text.to_owned().into_boxed_str());
        // They live as long as the program: it is a test.
        all.push(&*Box::leak(Box::new(Method {
            service: text(service.full_name()),
            name: text(descriptor.name()),
            input: text(descriptor.input().full_name()),
            output: text(descriptor.output().full_name()),
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
            rest: rest(descriptor),
            tool: tool.map(Cow::Owned),
            get: method.idempotency == Idempotency::NoSideEffects
                && !descriptor.is_client_streaming()
                && !descriptor.is_server_streaming(),
        })));
    }
    all
}

/// A gateway to the whole mesh.
fn edge(does: Does) -> Edge {
    let everybody = Peer::new(Everybody(does));
    let pool = weft_proto::pool().clone();
    let upstreams = pool
        .services()
        .fold(Upstreams::new(), |upstreams, service| upstreams.with(service.full_name(), everybody.clone()));
    let lifecycle = Lifecycle::new();
    let gateway = Gateway::new(upstreams, GatewayOptions::default(), pool, lifecycle.clone());
    Edge { gateway: gateway.expect("good contracts"), lifecycle, ..Edge::new() }
}

/// Calls every method of the mesh.
async fn check_each(does: Does, make: impl Fn(Case) -> Case) {
    let methods = methods();
    assert!(methods.len() > 30, "{}", methods.len());
    check_in(&edge(does), methods.into_iter().map(|method| make(call(method).say("{}"))).collect()).await;
}

#[tokio::test]
async fn every_method_of_the_mesh_answers_alike() {
    let said = std::cell::Cell::new(0);
    check_each(Does::Answer, |case| {
        let answer = sample(&super::outcome::kind(case.method.output));
        let json: Value = serde_json::to_value(&answer).expect("JSON");
        said.set(said.get() + usize::from(json != json!({})));
        case.hear(&json.to_string())
    })
    .await;
    assert!(said.get() > 30, "they say something");
}

#[tokio::test]
async fn every_method_of_the_mesh_fails_alike() {
    check_each(Does::Fail, |case| case.fail(Code::Aborted, "no", "AS_ASKED")).await;
}

#[tokio::test(start_paused = true)]
async fn every_method_of_the_mesh_ends_alike_at_its_deadline() {
    let late = |case: Case| case.fail(Code::DeadlineExceeded, LATE, "DEADLINE_EXCEEDED");
    check_each(Does::Hang, |case| late(case.within(300))).await;
    // No time is no call, however fast the service would be.
    check_each(Does::Answer, |case| late(case.within(0))).await;
}
