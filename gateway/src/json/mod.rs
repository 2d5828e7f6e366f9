//! Messages as canonical proto3 JSON, both ways, with bounds on what a client may send.

mod guard;
mod numbers;
mod output;

use std::io;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use prost::Message;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value,
};
use serde_json::ser::{CompactFormatter, Formatter};
use tonic::Status;
use weft_kit::Problem;

pub(crate) use self::{
    guard::FieldPaths,
    output::{Output, Shapes},
};

/// Protobuf's own decoders end at 100 levels of messages, and one level of JSON can be three of
/// messages (`google.protobuf.Struct`): up to this depth a message cannot be too deep for them.
const SURELY_SHALLOW: usize = 30;

/// JSON of an encoded message, by reflection: `lowerCamelCase` names, 64-bit integers as strings, fields that
/// have no value left out.
///
/// # Errors
/// INTERNAL when the bytes are not such a message, or hold what has no JSON (a time outside the
/// years 1 to 9999, an `Any` of an unknown type).
pub(crate) fn encode(descriptor: &MessageDescriptor, message: Bytes) -> Result<Vec<u8>, Status> {
    to_json(&decode_binary(descriptor, message)?)
}

/// JSON of a message, as [`encode`] has it.
///
/// # Errors
/// INTERNAL when it holds what has no JSON.
pub(crate) fn to_json(message: &DynamicMessage) -> Result<Vec<u8>, Status> {
    write(message, &SerializeOptions::new())
}

/// JSON of one field of an encoded message, for `response_body`. A field without a value has
/// that of its type: `[]`, `{}`, `""`, `"0"`.
pub(crate) fn encode_field(field: &FieldDescriptor, message: Bytes) -> Result<Vec<u8>, Status> {
    let mut whole = decode_binary(field.parent_message(), message)?;
    let mut part = DynamicMessage::new(field.parent_message().clone());
    let Some(value) = whole.take_field(field) else { return Ok(default_json(field)) };
    part.set_field(field, value);
    // `{"name":value}`, and nothing else; or `{}` where the value is the type's default.
    let object = write(&part, &SerializeOptions::new())?;
    let begin = field.json_name().len() + r#"{"":"#.len();
    Ok(object.get(begin..object.len() - 1).map_or_else(|| default_json(field), <[u8]>::to_vec))
}

/// JSON of a field that is not there.
fn default_json(field: &FieldDescriptor) -> Vec<u8> {
    let json = match field.kind() {
        _ if field.is_map() => "{}".to_owned(),
        _ if field.is_list() => "[]".to_owned(),
        Kind::Message(_) => "null".to_owned(),
        Kind::String | Kind::Bytes => "\"\"".to_owned(),
        Kind::Bool => "false".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => "\"0\"".to_owned(),
        Kind::Enum(kind) => format!("\"{}\"", kind.default_value().name()),
        _ => "0".to_owned(),
    };
    json.into_bytes()
}

fn write(message: &DynamicMessage, options: &SerializeOptions) -> Result<Vec<u8>, Status> {
    let mut json = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, WholeNumbers);
    message
        .serialize_with_options(numbers::Numbers(&mut serializer), options)
        .map_err(|error| internal(format!("the answer cannot be written as JSON: {error}")))?;
    Ok(json)
}

/// Writes `3`, not `3.0`: a whole number in a `google.protobuf.Struct` shall come back as it went
/// in, also for clients that tell the two apart.
struct WholeNumbers;

impl Formatter for WholeNumbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        /// Up to here every whole number is exact.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let is_whole =
            number.fract() == 0.0 && number.abs() <= EXACT && !(number == 0.0 && number.is_sign_negative());
        if is_whole {
            self.write_i64(writer, number as i64)
        } else {
            CompactFormatter.write_f64(writer, number)
        }
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: f32) -> io::Result<()> {
        const EXACT: f32 = 16_777_216.0;
        let is_whole =
            number.fract() == 0.0 && number.abs() <= EXACT && !(number == 0.0 && number.is_sign_negative());
        if is_whole {
            self.write_i64(writer, number as i64)
        } else {
            CompactFormatter.write_f32(writer, number)
        }
    }
}

/// A message of a service.
///
/// # Errors
/// INTERNAL when the bytes are not such a message.
pub(crate) fn decode_binary(
    descriptor: &MessageDescriptor,
    message: Bytes,
) -> Result<DynamicMessage, Status> {
    DynamicMessage::decode(descriptor.clone(), message)
        .map_err(|error| internal(format!("the service's answer cannot be read: {error}")))
}

/// A message from JSON that a client sent.
pub(crate) struct Decoded {
    pub(crate) message: DynamicMessage,
    /// Whether the JSON was nested so deep that the encoded message may be refused as too deep.
    deep: bool,
}

impl Decoded {
    /// The encoded message.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when it is deeper than protobuf allows.
    pub(crate) fn into_bytes(self) -> Result<Bytes, Status> {
        to_bytes(&self.message, self.deep)
    }

    pub(crate) fn is_deep(&self) -> bool {
        self.deep
    }
}

/// Encodes a message; one that may be too `deep` is tried out first, so that the client hears it
/// from us, as its mistake, and not from the service's decoder.
pub(crate) fn to_bytes(message: &DynamicMessage, deep: bool) -> Result<Bytes, Status> {
    let bytes = Bytes::from(message.encode_to_vec());
    if deep
        && DynamicMessage::decode(prost_reflect::ReflectMessage::descriptor(message), bytes.clone()).is_err()
    {
        return Err(too_deep());
    }
    Ok(bytes)
}

/// Reads a message. `paths`, where given, gets the fields that the JSON itself has.
///
/// # Errors
/// INVALID_ARGUMENT that names the field, or the line and column where it is no JSON at all:
/// unknown fields, fields given twice, values of a wrong type, numbers out of range, more than
/// `max_depth` levels.
pub(crate) fn decode(
    descriptor: &MessageDescriptor,
    json: &[u8],
    max_depth: usize,
    paths: Option<&mut FieldPaths>,
) -> Result<Decoded, Status> {
    let depth = guard::check(descriptor, json, max_depth.min(100), paths)?;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize_with_options(
        descriptor.clone(),
        &mut deserializer,
        &DeserializeOptions::new(),
    )
    .map_err(|_| name_the_field(descriptor, json))?;
    Ok(Decoded { message, deep: depth > SURELY_SHALLOW })
}

/// Reads the JSON of one field of a message: an object, a list or a scalar, as the field is.
///
/// # Errors
/// As [`decode`]; paths begin with the field.
pub(crate) fn decode_field(
    field: &FieldDescriptor,
    json: &[u8],
    max_depth: usize,
    paths: Option<&mut FieldPaths>,
) -> Result<Decoded, Status> {
    let name = field.json_name();
    let mut wrapped = Vec::with_capacity(json.len() + name.len() + 5);
    wrapped.extend_from_slice(b"{\"");
    wrapped.extend_from_slice(name.as_bytes());
    wrapped.extend_from_slice(b"\":");
    // A body such as `{},"other":1` must not climb out of its field: it is one JSON value or wrong.
    let value: &serde_json::value::RawValue =
        serde_json::from_slice(json).map_err(|error| not_json(&error))?;
    wrapped.extend_from_slice(value.get().as_bytes());
    wrapped.push(b'}');
    decode(field.parent_message(), &wrapped, max_depth + 1, paths)
}

/// A value of a well-known type from its JSON string, for query parameters.
pub(crate) fn decode_text(descriptor: &MessageDescriptor, text: &str) -> Result<Value, String> {
    let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        serde::de::IntoDeserializer::into_deserializer(text);
    DynamicMessage::deserialize(descriptor.clone(), deserializer)
        .map(Value::Message)
        .map_err(|error| error.to_string())
}

/// Bytes from base64 as proto3 JSON takes it: standard or URL-safe, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

/// Reads JSON that is wrong once more, slowly, to say where it is wrong.
fn name_the_field(descriptor: &MessageDescriptor, json: &[u8]) -> Status {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let read =
        DynamicMessage::deserialize_with_options(descriptor.clone(), tracked, &DeserializeOptions::new());
    let problem = match read {
        Ok(_) => "is not what the contract asks for".to_owned(),
        // One level of JSON can be three of protobuf.
        Err(error) if error.to_string().contains("recursion limit") => return too_deep(),
        Err(error) => without_position(&error.to_string()),
    };
    bad_field(&track.path().to_string(), &problem)
}

/// What serde_json says, without its line and column: the path says it better.
fn without_position(text: &str) -> String {
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn bad_field(path: &str, problem: &str) -> Status {
    let path = if path.is_empty() || path == "." { "body" } else { path };
    Problem::bad_field(path, problem).into()
}

fn not_json(error: &serde_json::Error) -> Status {
    Problem::invalid_argument("NOT_JSON", format!("the body is not JSON: {error}")).into()
}

fn too_deep() -> Status {
    Problem::invalid_argument("TOO_DEEP", "the body is nested deeper than protobuf allows").into()
}

fn internal(message: String) -> Status {
    tracing::error!(error = message, "an answer could not be translated");
    Problem::internal("ANSWER_NOT_READABLE", message).into()
}

/// `displayName` as the contract writes it; `display_name` stays.
pub(crate) fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Whether a message has a JSON of its own, other than an object of its fields.
pub(crate) fn is_well_known(full_name: &str) -> bool {
    full_name.strip_prefix("google.protobuf.").is_some_and(|name| {
        matches!(
            name,
            "Any"
                | "BoolValue"
                | "BytesValue"
                | "DoubleValue"
                | "Duration"
                | "Empty"
                | "FieldMask"
                | "FloatValue"
                | "Int32Value"
                | "Int64Value"
                | "ListValue"
                | "StringValue"
                | "Struct"
                | "Timestamp"
                | "UInt32Value"
                | "UInt64Value"
                | "Value"
        )
    })
}
