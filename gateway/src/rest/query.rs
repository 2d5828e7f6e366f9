//! Query parameters and path variables: text becomes fields.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::Status;
use weft_kit::Problem;

use super::{BodyRule, Route};
use crate::{
    json,
    percent::{self, Part},
};

/// Most parts of a dotted name: a message can contain itself, a request must not recurse.
const MAX_DEPTH: usize = 16;

/// Sets the fields that the query names.
///
/// # Errors
/// INVALID_ARGUMENT that names the parameter: unknown, given twice, of a wrong type, already
/// told by path or body.
pub(super) fn apply(route: &Route, query: &str, message: &mut DynamicMessage) -> Result<(), Status> {
    let mut seen = HashSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent::decode(name, Part::Query)
            .map_err(|problem| wrong(name, &format!("its name {problem}")))?;
        let text = percent::decode(text, Part::Query).map_err(|problem| wrong(&name, problem))?;
        let fields = resolve(route, &name)?;
        let field = fields.last().expect("a name has a part");
        if !field.is_list() && !seen.insert(fields.iter().map(FieldDescriptor::number).collect::<Vec<_>>()) {
            return Err(wrong(&name, "is given twice"));
        }
        let value = parse(&field.kind(), &text).map_err(|problem| wrong(&name, &problem))?;
        set(message, &fields, value).map_err(|problem| wrong(&name, &problem))?;
    }
    Ok(())
}

fn wrong(name: &str, problem: &str) -> Status {
    Problem::bad_field(name, problem).into()
}

fn unknown(name: &str) -> Status {
    Problem::invalid_argument("UNKNOWN_PARAMETER", format!("{name}: there is no such query parameter"))
        .field(name, "there is no such query parameter")
        .into()
}

/// The fields from the request to the one that `name` means: names of the contract or of JSON.
fn resolve(route: &Route, name: &str) -> Result<Vec<FieldDescriptor>, Status> {
    if matches!(route.body, BodyRule::Whole) {
        return Err(unknown(name));
    }
    let mut fields: Vec<FieldDescriptor> = Vec::new();
    let mut message = Some(route.entry.input.clone());
    for part in name.split('.') {
        let inside = message.take().ok_or_else(|| unknown(name))?;
        let field = inside
            .get_field_by_json_name(part)
            .or_else(|| inside.get_field_by_name(part))
            .filter(|_| fields.len() < MAX_DEPTH)
            .ok_or_else(|| unknown(name))?;
        if field.is_map() {
            return Err(wrong(name, "is a map, which cannot be a query parameter"));
        }
        message = field
            .kind()
            .as_message()
            .filter(|message| !field.is_list() && !json::is_well_known(message.full_name()))
            .cloned();
        fields.push(field);
    }
    if matches!(&route.body, BodyRule::Field(body) if fields.first() == Some(body)) {
        return Err(wrong(name, "belongs into the body"));
    }
    if route.variables.iter().any(|variable| variable.fields == fields) {
        return Err(wrong(name, "is already told by the path"));
    }
    Ok(fields)
}

/// Sets a field inside of messages that are made on the way; adds to a list.
pub(super) fn set(
    message: &mut DynamicMessage,
    fields: &[FieldDescriptor],
    value: Value,
) -> Result<(), String> {
    let (field, outer) = fields.split_last().expect("a name has a part");
    let mut inside = message;
    for field in outer {
        refuse_second_of_oneof(inside, field)?;
        inside = inside.get_field_mut(field).as_message_mut().expect("only messages have fields");
    }
    if field.is_list() {
        inside.get_field_mut(field).as_list_mut().expect("it is a list").push(value);
    } else {
        refuse_second_of_oneof(inside, field)?;
        inside.set_field(field, value);
    }
    Ok(())
}

fn refuse_second_of_oneof(message: &DynamicMessage, field: &FieldDescriptor) -> Result<(), String> {
    let Some(oneof) = field.containing_oneof() else { return Ok(()) };
    match oneof.fields().find(|other| other != field && message.has_field(other)) {
        Some(other) => Err(format!("excludes {}, which is given too", other.json_name())),
        None => Ok(()),
    }
}

/// The value of a scalar, an enum or a well-known type that is text in JSON.
///
/// # Errors
/// What the text should be.
pub(super) fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
    let number = |what: &str| format!("must be {what}, not {text:?}");
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(number("true or false")),
        },
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            text.parse().map(Value::I32).map_err(|_| number("a 32-bit integer"))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            text.parse().map(Value::I64).map_err(|_| number("a 64-bit integer"))
        }
        Kind::Uint32 | Kind::Fixed32 => {
            text.parse().map(Value::U32).map_err(|_| number("a 32-bit integer that is not negative"))
        }
        Kind::Uint64 | Kind::Fixed64 => {
            text.parse().map(Value::U64).map_err(|_| number("a 64-bit integer that is not negative"))
        }
        Kind::Double => float(text).map(Value::F64).ok_or_else(|| number("a number")),
        Kind::Float => float(text)
            .map(|double| (double, double as f32))
            .filter(|(double, single)| single.is_infinite() == double.is_infinite())
            .map(|(_, single)| Value::F32(single))
            .ok_or_else(|| number("a number that fits into 32 bits")),
        Kind::Bytes => json::base64(text)
            .map(|bytes| Value::Bytes(bytes.into()))
            .ok_or_else(|| "must be base64".to_owned()),
        Kind::Enum(kind) => kind
            .get_value_by_name(text)
            .map(|value| value.number())
            .or_else(|| text.parse().ok())
            .map(Value::EnumNumber)
            .ok_or_else(|| format!("{text:?} is none of the values of {}", kind.name())),
        Kind::Message(message) => parse_message(message, text),
    }
}

fn parse_message(message: &MessageDescriptor, text: &str) -> Result<Value, String> {
    match message.full_name() {
        "google.protobuf.Timestamp" => json::decode_text(message, text)
            .map_err(|_| "must be a time such as 2026-01-31T12:00:00Z (RFC 3339)".to_owned()),
        "google.protobuf.Duration" => {
            json::decode_text(message, text).map_err(|_| "must be a duration such as 1.5s".to_owned())
        }
        "google.protobuf.FieldMask" => Ok(Value::Message(field_mask(
            message,
            text.split(',').filter(|path| !path.is_empty()).map(json::snake_case),
        ))),
        name if name.ends_with("Value")
            && json::is_well_known(name)
            && !matches!(name, "google.protobuf.Value" | "google.protobuf.ListValue") =>
        {
            let field = message.get_field(1).ok_or("cannot be a query parameter")?;
            let mut wrapper = DynamicMessage::new(message.clone());
            wrapper.set_field(&field, parse(&field.kind(), text)?);
            Ok(Value::Message(wrapper))
        }
        _ => Err("is a message, which cannot be a query parameter as a whole".to_owned()),
    }
}

/// A `google.protobuf.FieldMask`.
pub(super) fn field_mask(message: &MessageDescriptor, paths: impl Iterator<Item = String>) -> DynamicMessage {
    let mut mask = DynamicMessage::new(message.clone());
    if let Some(field) = message.get_field(1) {
        mask.set_field(&field, Value::List(paths.map(Value::String).collect()));
    }
    mask
}

fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text.bytes().any(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}
