//! gRPC, by tonic's client; without its channel, which would mind the deadline itself.

use std::str::FromStr;

use bytes::Bytes;
use futures::stream;
use http::uri::PathAndQuery;
use tonic::{Request, client::Grpc};

use super::{
    case::Case,
    outcome::{End, Outcome, from_proto},
};
use crate::{grpc::Raw, support::Edge};

pub(super) async fn call(edge: &Edge, case: &Case, said: Vec<Bytes>) -> Outcome {
    let mut client = Grpc::new(edge.gateway.clone());
    let mut request = Request::new(stream::iter(said));
    if let Some(timeout) = case.timeout {
        request.set_timeout(timeout);
    }
    let path = PathAndQuery::from_str(&case.path()).expect("a path");
    let mut messages = Vec::new();
    let mut answers = match client.streaming(request, path, Raw).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return Outcome::refused(End::of_status(&status)),
    };
    loop {
        match answers.message().await {
            Ok(Some(message)) => messages.push(from_proto(case.method.output, message)),
            Ok(None) => return Outcome { messages, end: End::ok() },
            Err(status) => return Outcome { messages, end: End::of_status(&status) },
        }
    }
}
