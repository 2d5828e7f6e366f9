//! Every method of the mesh's own contracts, in every protocol: what follows from descriptors alone.

use std::{
    borrow::Cow,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    future::BoxFuture,
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

/// All services at once: they answer with a sample, or with an error.
#[derive(Clone)]
struct Everybody {
    fails: Arc<AtomicBool>,
}

impl Service<http::Request<Body>> for Everybody {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let handler = Handler { path, fails: self.fails.load(Ordering::SeqCst) };
        Box::pin(async move { Ok(Grpc::new(Raw).streaming(handler, request).await) })
    }
}

struct Handler {
    path: String,
    fails: bool,
}

impl StreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (path, fails) = (self.path.clone(), self.fails);
        Box::pin(async move {
            let mut messages = request.into_inner();
            while messages.message().await?.is_some() {}
            if fails {
                return Err(Problem::aborted("AS_ASKED", "no").with("who", "you").into());
            }
            let method = weft_proto::methods().get(&path).expect("it is in the contracts");
            let answer = sample(&method.descriptor.output()).encode_to_vec();
            let answers: Self::ResponseStream = Box::pin(stream::iter([Ok(Bytes::from(answer))]));
            Ok(Response::new(answers))
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

#[tokio::test]
async fn every_method_of_the_mesh_is_the_same_in_every_protocol() {
    let fails = Arc::new(AtomicBool::new(false));
    let everybody = Peer::new(Everybody { fails: Arc::clone(&fails) });
    let pool = weft_proto::pool().clone();
    let upstreams = pool
        .services()
        .fold(Upstreams::new(), |upstreams, service| upstreams.with(service.full_name(), everybody.clone()));
    let lifecycle = Lifecycle::new();
    let gateway = Gateway::new(upstreams, GatewayOptions::default(), pool, lifecycle.clone());
    let edge = Edge { gateway: gateway.expect("good contracts"), lifecycle, ..Edge::new() };
    let methods = methods();
    assert!(methods.len() > 30, "{}", methods.len());
    let answered = |method: &'static Method| {
        let answer = sample(&super::outcome::kind(method.output));
        let json: Value = serde_json::to_value(&answer).expect("JSON");
        call(method).say("{}").hear(&json.to_string())
    };
    let answered: Vec<Case> = methods.iter().map(|method| answered(method)).collect();
    assert!(answered.iter().filter(|case| case.messages != [json!({})]).count() > 30, "they say something");
    check_in(&edge, answered).await;
    fails.store(true, Ordering::SeqCst);
    let refused = methods.iter().map(|method| call(method).say("{}").fail(Code::Aborted, "no", "AS_ASKED"));
    check_in(&edge, refused.collect()).await;
}
