//! What came of a call, in no protocol's form.

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};
use tonic::{Code, Status};
use weft_proto::google::rpc;

use crate::support::pool;

/// The messages, as canonical JSON, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) messages: Vec<Value>,
    pub(super) end: End,
}

/// A status; the details as JSON of their types.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) details: Vec<Value>,
}

impl Outcome {
    /// A call that was refused before any message.
    pub(super) fn refused(end: End) -> Self {
        Self { messages: Vec::new(), end }
    }
}

impl End {
    pub(super) fn ok() -> Self {
        Self { code: Code::Ok, message: String::new(), details: Vec::new() }
    }

    pub(super) fn of_status(status: &Status) -> Self {
        let full = rpc::Status::decode(status.details()).expect("google.rpc.Status");
        Self::of_rpc(&rpc::Status {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: full.details,
        })
    }

    pub(super) fn of_rpc(status: &rpc::Status) -> Self {
        let details = status.details.iter().map(detail).collect();
        Self { code: Code::from_i32(status.code), message: status.message.clone(), details }
    }

    /// `google.rpc.Status` as JSON.
    pub(super) fn of_json(status: &Value) -> Self {
        Self {
            code: Code::from_i32(status["code"].as_i64().expect("a code").try_into().expect("a code")),
            message: status["message"].as_str().expect("a message").to_owned(),
            details: status["details"].as_array().expect("details").iter().cloned().map(normal).collect(),
        }
    }

    /// Why, for programs.
    pub(super) fn reason(&self) -> &str {
        let info =
            self.details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
        info.and_then(|info| info["reason"].as_str()).unwrap_or_default()
    }
}

/// A detail as JSON.
pub(super) fn detail(any: &prost_types::Any) -> Value {
    let descriptor = pool().get_message_by_name("google.protobuf.Any").expect("it is imported");
    let any = DynamicMessage::decode(descriptor, any.encode_to_vec().as_slice()).expect("an Any");
    normal(serde_json::to_value(&any).expect("a known type"))
}

/// A type of the test's contracts or of the mesh's own.
pub(super) fn kind(name: &str) -> MessageDescriptor {
    let found = pool().get_message_by_name(name).or_else(|| weft_proto::pool().get_message_by_name(name));
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// A message of a type from its bytes.
pub(super) fn from_proto(name: &str, message: Bytes) -> Value {
    let message = DynamicMessage::decode(kind(name), message).expect("of this type");
    normal(serde_json::to_value(&message).expect("JSON"))
}

/// A message from its JSON.
pub(super) fn from_json(json: &[u8]) -> Value {
    normal(
        serde_json::from_slice(json)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json))),
    )
}

/// The bytes of a message of a type.
pub(super) fn to_proto(name: &str, json: &str) -> Bytes {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    DynamicMessage::deserialize(kind(name), &mut deserializer)
        .expect("it fits the contract")
        .encode_to_vec()
        .into()
}

/// With whole numbers without a fraction: `3.0` and `3` are the same JSON number.
pub(super) fn normal(json: Value) -> Value {
    match json {
        Value::Number(number) => match number.as_f64() {
            Some(float)
                if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 1e15 =>
            {
                json!(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(list) => list.into_iter().map(normal).collect(),
        Value::Object(object) => object.into_iter().map(|(key, value)| (key, normal(value))).collect(),
        other => other,
    }
}
