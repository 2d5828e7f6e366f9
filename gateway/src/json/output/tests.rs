//! The writer against reflection: the same JSON, or none.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes};
use prost::{Message, encoding};
use prost_reflect::DescriptorPool;
use prost_types::{
    Timestamp, Value,
    field_descriptor_proto::{Label, Type},
    value::Kind,
};
use serde_json::json;
use weft_proto::weft::graph::v1::{Edge, Graph, Node, SearchNodesResponse, WatchGraphResponse};

use super::{Output, Shapes, writer::Writer};

fn output(pool: &DescriptorPool, name: &str) -> Output {
    let descriptor = pool.get_message_by_name(name).expect("it is in the contracts");
    Output::new(descriptor.clone(), &Arc::new(Shapes::of([descriptor].into_iter())))
}

/// What the writer makes of a message, and that reflection makes the same of it. `None` is left to reflection.
fn written(output: &Output, message: &[u8]) -> Option<serde_json::Value> {
    let ours = Writer::write(&output.shapes, output.index, message).ok()?;
    let ours = serde_json::from_slice(&ours).expect("JSON");
    let theirs = crate::json::encode(&output.descriptor, Bytes::copy_from_slice(message)).expect("a message");
    assert_eq!(ours, serde_json::from_slice::<serde_json::Value>(&theirs).expect("JSON"));
    Some(ours)
}

fn node() -> Node {
    let value = |kind| Value { kind: Some(kind) };
    let list = prost_types::ListValue {
        values: vec![value(Kind::NumberValue(1.0)), value(Kind::NullValue(0)), Value { kind: None }],
    };
    let properties = BTreeMap::from([
        ("rank".to_owned(), value(Kind::NumberValue(0.5))),
        ("name".to_owned(), value(Kind::StringValue("a \"b\"\n\u{1}é😀".to_owned()))),
        ("list".to_owned(), value(Kind::ListValue(list))),
        ("deep".to_owned(), value(Kind::StructValue(prost_types::Struct::default()))),
        ("yes".to_owned(), value(Kind::BoolValue(true))),
    ]);
    Node {
        key: "loom".to_owned(),
        labels: vec![String::new(), "b".to_owned()],
        properties: Some(prost_types::Struct { fields: properties }.into()),
        revision: 1 << 60,
        ..Node::default()
    }
}

#[test]
fn writes_what_services_send() {
    let node_json = output(weft_proto::pool(), "weft.graph.v1.Node");
    let json = written(&node_json, &node().encode_to_vec()).expect("nothing in it is unusual");
    assert_eq!(json["revision"], "1152921504606846976");
    assert_eq!(json["properties"]["list"], json!([1, null, null]));
    assert_eq!(written(&node_json, b""), Some(json!({})));
    for name in ["weft.graph.v1.WatchGraphResponse", "weft.graph.v1.SearchNodesResponse"] {
        let output = output(weft_proto::pool(), name);
        assert_eq!(written(&output, &WatchGraphResponse::default().encode_to_vec()), Some(json!({})));
        assert_eq!(written(&output, &SearchNodesResponse::default().encode_to_vec()), Some(json!({})));
    }
    let time = Timestamp { seconds: 1_790_000_000, nanos: 5_000_000 };
    let graph = Graph { create_time: Some(time), node_count: 3, ..Graph::default() };
    let json = written(&output(weft_proto::pool(), "weft.graph.v1.Graph"), &graph.encode_to_vec());
    assert_eq!(json, Some(json!({"createTime": "2026-09-21T14:13:20.005Z", "nodeCount": "3"})));
    let edge = Edge { source: "a".to_owned(), target: "b".to_owned(), ..Edge::default() };
    let json = written(&output(weft_proto::pool(), "weft.graph.v1.Edge"), &edge.encode_to_vec());
    assert_eq!(json, Some(json!({"source": "a", "target": "b"})));
}

#[test]
fn cut_short_anywhere_it_is_never_taken_for_something_else() {
    let output = output(weft_proto::pool(), "weft.graph.v1.Node");
    let whole = node().encode_to_vec();
    for end in 0..whole.len() {
        let part = &whole[..end];
        let theirs = crate::json::encode(&output.descriptor, Bytes::copy_from_slice(part));
        match Writer::write(&output.shapes, output.index, part) {
            Ok(ours) => {
                let theirs = theirs.expect("what the writer can read is a message");
                let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).expect("JSON");
                assert_eq!(value(&ours), value(&theirs), "cut at {end}");
            }
            Err(_) => assert!(theirs.is_err(), "cut at {end}"),
        }
    }
}

/// A contract with one message: numbers packed and not, a map, a choice, and a wrapper.
fn made() -> Output {
    let field = |name: &str, number, kind: Type, label: Label| prost_types::FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        label: Some(label.into()),
        ..Default::default()
    };
    let entry = prost_types::DescriptorProto {
        name: Some("ByTextEntry".to_owned()),
        field: vec![
            field("key", 1, Type::String, Label::Optional),
            field("value", 2, Type::Sint64, Label::Optional),
        ],
        options: Some(prost_types::MessageOptions { map_entry: Some(true), ..Default::default() }),
        ..Default::default()
    };
    let mut map = field("by_text", 3, Type::Message, Label::Repeated);
    map.type_name = Some(".made.Made.ByTextEntry".to_owned());
    let choice = |name, number| prost_types::FieldDescriptorProto {
        oneof_index: Some(0),
        ..field(name, number, Type::Bool, Label::Optional)
    };
    let mut wrapped = field("wrapped", 6, Type::Message, Label::Optional);
    wrapped.type_name = Some(".google.protobuf.Int64Value".to_owned());
    let message = prost_types::DescriptorProto {
        name: Some("Made".to_owned()),
        field: vec![
            field("one", 1, Type::Int32, Label::Optional),
            field("many", 2, Type::Int32, Label::Repeated),
            map,
            choice("this", 4),
            choice("that", 5),
            wrapped,
        ],
        nested_type: vec![entry],
        oneof_decl: vec![prost_types::OneofDescriptorProto {
            name: Some("choice".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let file = prost_types::FileDescriptorProto {
        name: Some("made.proto".to_owned()),
        package: Some("made".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: vec!["google/protobuf/wrappers.proto".to_owned()],
        message_type: vec![message],
        ..Default::default()
    };
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_proto(file).expect("a good contract");
    output(&pool, "made.Made")
}

fn number(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding::encode_key(number, encoding::WireType::Varint, &mut bytes);
    encoding::encode_varint(value, &mut bytes);
    bytes
}

fn inside(number: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding::encode_key(number, encoding::WireType::LengthDelimited, &mut bytes);
    encoding::encode_varint(value.len() as u64, &mut bytes);
    bytes.put_slice(value);
    bytes
}

#[test]
fn takes_every_shape_that_an_encoder_may_choose() {
    let made = made();
    let written = |parts: &[Vec<u8>]| written(&made, &parts.concat());
    for (parts, expected) in [
        (vec![number(1, 0)], json!({})),
        (vec![number(1, u64::MAX)], json!({"one": -1})),
        // Packed, not packed, both, and packed of nothing.
        (vec![inside(2, &[1, 2])], json!({"many": [1, 2]})),
        (vec![number(2, 1), number(2, 2)], json!({"many": [1, 2]})),
        (vec![number(2, 1), inside(2, &[2, 3]), inside(2, &[])], json!({"many": [1, 2, 3]})),
        (vec![inside(2, &[])], json!({})),
        // Keys and values that are the default of their types.
        (vec![inside(3, &[])], json!({"byText": {"": "0"}})),
        (vec![inside(3, &[10, 1, b'k'])], json!({"byText": {"k": "0"}})),
        (
            vec![inside(3, &[16, 1]), inside(3, &[10, 1, b'k', 16, 2])],
            json!({"byText": {"": "-1", "k": "1"}}),
        ),
        // A choice is there whatever its value; a wrapper, too.
        (vec![number(5, 0)], json!({"that": false})),
        (vec![inside(6, &[])], json!({"wrapped": "0"})),
        // What the contract does not have is passed over, in every order.
        (vec![number(5, 1), number(99, 7), inside(98, b"x"), number(1, 2)], json!({"that": true, "one": 2})),
    ] {
        assert_eq!(written(&parts), Some(expected), "{parts:?}");
    }
}

#[test]
fn leaves_to_reflection_what_must_be_put_together() {
    let made = made();
    for (parts, expected) in [
        // The last of two counts.
        (vec![number(1, 1), number(1, 2)], json!({"one": 2})),
        (vec![number(4, 1), number(5, 1)], json!({"that": true})),
        (vec![inside(3, &[16, 2]), inside(3, &[16, 4])], json!({"byText": {"": "2"}})),
        // A list in two places is one list.
        (vec![number(2, 1), number(1, 5), number(2, 2)], json!({"one": 5, "many": [1, 2]})),
        (vec![inside(3, &[16, 2, 10, 1, b'k'])], json!({"byText": {"k": "1"}})),
    ] {
        let message = parts.concat();
        assert!(Writer::write(&made.shapes, made.index, &message).is_err(), "{parts:?}");
        let json = made.encode(message.into()).expect("a message");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).expect("JSON"), expected);
    }
}

#[test]
fn types_that_only_reflection_knows_are_written_all_the_same() {
    let update = output(weft_proto::pool(), "weft.graph.v1.UpdateGraphRequest");
    let mask = prost_types::FieldMask { paths: vec!["display_name".to_owned()] };
    let message =
        weft_proto::weft::graph::v1::UpdateGraphRequest { update_mask: Some(mask), ..Default::default() };
    let bytes = message.encode_to_vec();
    assert!(Writer::write(&update.shapes, update.index, &bytes).is_err());
    assert_eq!(update.encode(bytes.into()).expect("a message"), br#"{"updateMask":"displayName"}"#);
}
