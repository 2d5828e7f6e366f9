//! `grpc`: calls a method of the mesh, as whoever started the run.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use prost::Message;
use prost_reflect::{DynamicMessage, Kind as FieldKind, SerializeOptions, Value as Field};
use serde_json::{Value as Json, json};
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use weft_proto::{
    Method,
    weft::{
        compute::v1::CreateAnalysisRequest,
        execution::v1::OnBehalf,
        options::v1::{Access, Exposure},
    },
};

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings, analysis, outside};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

pub(crate) struct Grpc;

impl Kind for Grpc {
    fn name(&self) -> &'static str {
        "grpc"
    }
    fn title(&self) -> &'static str {
        "Call a method"
    }
    fn description(&self) -> &'static str {
        "Calls a method of the mesh by name, with the rights of whoever started the run, in the run's project. A run that it starts acts in the same name. A \
         `request_id` that is not given is made of the step's identity, so that a repeat is the same call."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "the response, as JSON"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "method": {"type": "string", "description": "for example \"weft.graph.v1.GraphService/GetGraph\""},
            "request": {"type": "object", "description": "the request as JSON, with expressions"},
        });
        (properties, &["method"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let method = settings.text("method");
        if !method.is_empty()
            && let Err(problem) = find(&method)
        {
            settings.wrong("method", problem);
        }
        Box::new(CallOf { method, request: settings.template_or("request", json!({})) })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(call(outside, attempt, request))
    }
}

struct CallOf {
    method: String,
    request: Template,
}

impl Behaviour for CallOf {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let request = self.request.fill(step)?;
        Ok(Move::Perform(Arc::new(json!({"method": self.method, "request": request}))))
    }
}

/// The method of that name, if a workflow may call it at all.
fn find(name: &str) -> Result<&'static Method, String> {
    let path = format!("/{}", name.trim_start_matches('/'));
    let method = weft_proto::methods().get(&path).ok_or_else(|| format!("there is no method {name:?}"))?;
    if method.is_streaming() {
        return Err("only methods without streams can be called".to_owned());
    }
    match &method.policy {
        // A workflow acts as whoever started it, and is written by who may do less.
        Some(policy) if policy.access() == Access::Admin => {
            Err("methods for administrators cannot be called by a workflow".to_owned())
        }
        Some(policy) if policy.exposure() == Exposure::Edge => Ok(method),
        _ => Err("only methods that clients can reach can be called".to_owned()),
    }
}

async fn call(outside: &Outside, attempt: &Attempt, request: Arc<Json>) -> Result<Json, StepError> {
    let name = request["method"].as_str().unwrap_or_default();
    let method = find(name).map_err(|problem| StepError::new("UNKNOWN_METHOD", problem))?;
    let bad = |error: &dyn std::fmt::Display| StepError::new("BAD_REQUEST", format!("{name}: {error}"));
    let text = request["request"].to_string();
    let mut json = serde_json::Deserializer::from_str(&text);
    let mut message =
        DynamicMessage::deserialize(method.descriptor.input(), &mut json).map_err(|error| bad(&error))?;
    if let Some(field) = method.descriptor.input().get_field_by_name("request_id")
        && field.kind() == FieldKind::String
        && !message.has_field(&field)
    {
        message.set_field(&field, Field::String(attempt.request_id()));
    }
    if let Some(field) = method.descriptor.input().get_field_by_name("on_behalf")
        && let FieldKind::Message(kind) = field.kind()
    {
        // A run that a step starts acts as who started the step's, whatever the request says, and is one deeper.
        let behalf = OnBehalf {
            creator: attempt.caller.name.to_string(),
            role: attempt.caller.role_in(&attempt.project).into(),
            scopes: attempt.caller.scopes.to_vec(),
            depth: attempt.depth.saturating_add(1),
        };
        let behalf =
            DynamicMessage::decode(kind, behalf.encode_to_vec().as_slice()).map_err(|error| bad(&error))?;
        message.set_field(&field, Field::Message(behalf));
    }
    let encoded = message.encode_to_vec();
    let resource = match method.resource_path.as_slice() {
        [] => None,
        path => weft_proto::string_at(&encoded, path),
    };
    attempt.may_call(method, resource)?;
    if method.path == analysis::CREATE {
        let create = CreateAnalysisRequest::decode(encoded.as_slice()).map_err(|error| bad(&error))?;
        analysis::may_write(attempt, &create)?;
    }
    let mut client = tonic::client::Grpc::new(outside.peer(method)?);
    let failed = |status: Status| outside::of_status(&status);
    client.ready().await.map_err(|error| StepError::passing("GRPC_UNAVAILABLE", error.to_string()))?;
    let path = method.path.parse().map_err(|error| bad(&error))?;
    let answer = client.unary(Request::new(Bytes::from(encoded)), path, Raw).await.map_err(failed)?;
    let answer = DynamicMessage::decode(method.descriptor.output(), answer.into_inner())
        .map_err(|error| StepError::new("BAD_RESPONSE", error.to_string()))?;
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    answer
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| StepError::new("BAD_RESPONSE", error.to_string()))
}

/// Messages as they are on the wire.
struct Raw;

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

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
