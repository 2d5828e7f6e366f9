//! JSON schemas of messages, as their canonical JSON looks.

pub(crate) mod comments;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use weft_proto::google::api::FieldBehavior;

use crate::json::is_well_known;

/// The schemas that are used, by the full name of their type.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// Where they will stand: `#/components/schemas/`.
    place: &'static str,
    /// Whether fields that only the server writes are left out.
    writable_only: bool,
    by_name: BTreeMap<String, Value>,
}

impl Schemas {
    /// Schemas that refer to each other at `place`, a JSON pointer that ends with a slash.
    pub(crate) fn at(place: &'static str) -> Self {
        Self { place, writable_only: false, by_name: BTreeMap::new() }
    }

    /// Without the fields that only the server writes: for who reads no more than he can say.
    pub(crate) fn writable_only(mut self) -> Self {
        self.writable_only = true;
        self
    }

    /// All of them.
    pub(crate) fn into_json(self) -> Value {
        json!(self.by_name)
    }

    /// Adds the schema of errors, with the code's name that REST adds.
    pub(crate) fn add_status(&mut self) {
        self.by_name.insert("google.rpc.Status".to_owned(), status());
    }

    /// The schema of a message: a reference, unless its JSON is not an object of its fields.
    pub(crate) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if is_well_known(message.full_name()) {
            return well_known(message.full_name());
        }
        let name = message.full_name().to_owned();
        if !self.by_name.contains_key(&name) {
            // Before its fields: a message may contain itself.
            self.by_name.insert(name.clone(), Value::Null);
            let mut schema = self.object(message, &BTreeSet::new());
            // Only here: at the top of a tool's arguments some models take no alternatives.
            let alternatives = rules::required_oneofs(message).into_iter().map(|one| json!({ "oneOf": one }));
            let alternatives: Vec<Value> = alternatives.collect();
            if !alternatives.is_empty() {
                schema["allOf"] = json!(alternatives);
            }
            self.by_name.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("{}{name}", self.place) })
    }

    /// The object of a message's fields, without some of them.
    pub(crate) fn object(&mut self, message: &MessageDescriptor, without: &BTreeSet<String>) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields().filter(|field| !without.contains(field.name())) {
            let behaviors = behaviors(&field);
            if self.writable_only && behaviors.contains(&FieldBehavior::OutputOnly) {
                continue;
            }
            let (mut schema, is_needed) = self.ruled(&field);
            describe(&mut schema, &comments::of(&field.parent_message().parent_file(), field.path()));
            if behaviors.contains(&FieldBehavior::OutputOnly) {
                schema["readOnly"] = json!(true);
            }
            if is_needed || behaviors.contains(&FieldBehavior::Required) {
                required.push(field.json_name().to_owned());
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        describe(&mut schema, &comments::of(&message.parent_file(), message.path()));
        schema
    }

    /// The schema of a field with the rules of its contract and the example of its comment, and whether
    /// the rules want it there.
    pub(crate) fn ruled(&mut self, field: &FieldDescriptor) -> (Value, bool) {
        let mut schema = self.field(field);
        let text = comments::of(&field.parent_message().parent_file(), field.path());
        if let (true, Some(example)) = (matches!(field.kind(), Kind::String), comments::example(&text)) {
            let place = if field.is_list() { &mut schema["items"] } else { &mut schema };
            place["examples"] = json!([example]);
        }
        let is_needed = rules::apply(field, &mut schema);
        (schema, is_needed)
    }

    /// The schema of a field, lists and maps included.
    pub(crate) fn field(&mut self, field: &FieldDescriptor) -> Value {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let values = self.kind(&entry.map_entry_value_field().kind());
                json!({ "type": "object", "additionalProperties": values })
            }
            kind if field.is_list() => json!({ "type": "array", "items": self.kind(&kind) }),
            kind => self.kind(&kind),
        }
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double => number("double"),
            Kind::Float => number("float"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            // Strings, because JSON numbers are doubles in most languages.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" })
            }
            // No format: those who validate know none for a text of this kind.
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "pattern": "^[0-9]+$" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Message(message) => self.message(message),
            Kind::Enum(kind) => self.enumeration(kind),
        }
    }

    fn enumeration(&mut self, kind: &EnumDescriptor) -> Value {
        if kind.full_name() == "google.protobuf.NullValue" {
            return json!({ "type": "null" });
        }
        let name = kind.full_name().to_owned();
        if !self.by_name.contains_key(&name) {
            let names: Vec<_> = kind.values().map(|value| value.name().to_owned()).collect();
            let mut text = comments::of(&kind.parent_file(), kind.path());
            for value in kind.values() {
                let comment = comments::of(&kind.parent_file(), value.path());
                if !comment.is_empty() {
                    text.extend(["\n- `", value.name(), "`: ", &comment]);
                }
            }
            let mut schema = json!({ "type": "string", "enum": names });
            describe(&mut schema, text.trim());
            self.by_name.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("{}{name}", self.place) })
    }
}

/// Whether the rules want one of several fields there.
pub(crate) fn has_required_oneof(message: &MessageDescriptor) -> bool {
    !rules::required_oneofs(message).is_empty()
}

fn describe(schema: &mut Value, description: &str) {
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
}

fn number(format: &str) -> Value {
    json!({ "oneOf": [{ "type": "number", "format": format }, { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] }] })
}

/// What `google.api.field_behavior` says of a field.
pub(crate) fn behaviors(field: &FieldDescriptor) -> Vec<FieldBehavior> {
    let pool = field.parent_message().parent_pool();
    let Some(extension) = pool.get_extension_by_name("google.api.field_behavior") else { return Vec::new() };
    let options = field.options();
    let behaviors = options.get_extension(&extension);
    let numbers =
        behaviors.as_list().unwrap_or_default().iter().filter_map(prost_reflect::Value::as_enum_number);
    numbers.filter_map(|number| FieldBehavior::try_from(number).ok()).collect()
}

/// The JSON of a well-known type.
pub(crate) fn well_known(full_name: &str) -> Value {
    match full_name.strip_prefix("google.protobuf.").unwrap_or_default() {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": r"^-?\d+(\.\d{1,9})?s$", "examples": ["1.5s"] }),
        "FieldMask" => {
            json!({ "type": "string", "description": "Names of fields, with commas between them." })
        }
        "Empty" => json!({ "type": "object", "properties": {} }),
        "Struct" => json!({ "type": "object", "additionalProperties": true }),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Any" => json!({
            "type": "object",
            "properties": { "@type": { "type": "string" } },
            "required": ["@type"],
            "additionalProperties": true,
        }),
        "BoolValue" => json!({ "type": ["boolean", "null"] }),
        "StringValue" => json!({ "type": ["string", "null"] }),
        "BytesValue" => json!({ "type": ["string", "null"], "contentEncoding": "base64" }),
        "Int32Value" | "UInt32Value" => json!({ "type": ["integer", "null"] }),
        "Int64Value" => json!({ "type": ["string", "null"], "format": "int64" }),
        "UInt64Value" => json!({ "type": ["string", "null"], "pattern": "^[0-9]+$" }),
        "FloatValue" | "DoubleValue" => json!({ "type": ["number", "string", "null"] }),
        _ => json!({}),
    }
}

/// Errors, with the code's name that REST adds.
fn status() -> Value {
    json!({
        "type": "object",
        "description": "How a call failed.",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "A `google.rpc.Code`." },
            "status": { "type": "string", "description": "The code's name, for example `NOT_FOUND`." },
            "message": { "type": "string", "description": "What went wrong, for people." },
            "details": {
                "type": "array",
                "description": "What went wrong, for programs: `google.rpc.ErrorInfo`, `BadRequest`, `RetryInfo` and others.",
                "items": well_known("google.protobuf.Any"),
            },
        },
    })
}
