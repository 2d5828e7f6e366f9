//! What `buf.validate` says of fields, as JSON Schema says it.
//!
//! A schema is never stricter than the service: what has no word in JSON Schema is left to it (bytes of
//! a text, ranges of numbers that are written as texts, CEL).

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value as Field,
};
use serde_json::{Value, json};

/// Adds the rules of `field` to its schema. Says whether it must be there.
pub(super) fn apply(field: &FieldDescriptor, schema: &mut Value) -> bool {
    let Some(rules) = of_field(field) else { return false };
    let rules = Rules(&rules);
    // Empty is right where the rules are only for what is set; that cannot be said of every rule.
    let ignores = rules.number("ignore").unwrap_or_default();
    match ignores as i64 {
        IGNORE_ALWAYS => return false,
        IGNORE_IF_ZERO => {
            let mut set = json!({});
            add(&rules, &kind_of(field), &mut set);
            if schema["type"] == "string" && set.as_object().is_some_and(|set| !set.is_empty()) {
                schema["anyOf"] = json!([{ "maxLength": 0 }, set]);
            }
        }
        _ => {
            add(&rules, &kind_of(field), schema);
            if rules.is_true("required") && !field.supports_presence() && schema["type"] == "string" {
                at_least(schema, "minLength", 1);
            }
        }
    }
    let is_never_empty = ["minLength", "minItems", "minProperties"]
        .iter()
        .any(|word| schema[*word].as_u64().is_some_and(|least| least > 0));
    rules.is_true("required") || (is_never_empty && !field.supports_presence())
}

/// For each `oneof` of which one must be set: which fields it has.
pub(super) fn required_oneofs(message: &MessageDescriptor) -> Vec<Value> {
    let Some(extension) = message.parent_pool().get_extension_by_name("buf.validate.oneof") else {
        return Vec::new();
    };
    let is_required = |oneof: &prost_reflect::OneofDescriptor| {
        let options = oneof.options();
        options.has_extension(&extension)
            && options
                .get_extension(&extension)
                .as_message()
                .is_some_and(|rules| Rules(rules).is_true("required"))
    };
    let alternatives = |oneof: prost_reflect::OneofDescriptor| {
        oneof.fields().map(|field| json!({ "required": [field.json_name()] })).collect()
    };
    message.oneofs().filter(is_required).map(alternatives).collect()
}

const IGNORE_IF_ZERO: i64 = 1;
const IGNORE_ALWAYS: i64 = 3;

fn of_field(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = field.parent_message().parent_pool().get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).as_message().cloned())?
}

/// The kind of a field's values; of those of a list or map its rules tell themselves.
fn kind_of(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// A message of rules, whatever its type.
struct Rules<'r>(&'r DynamicMessage);

impl Rules<'_> {
    fn get(&self, name: &str) -> Option<Field> {
        let field = self.0.descriptor().get_field_by_name(name)?;
        self.0.has_field(&field).then(|| self.0.get_field(&field).into_owned())
    }

    fn message(&self, name: &str) -> Option<DynamicMessage> {
        self.get(name)?.as_message().cloned()
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(Field::Bool(true))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(str::to_owned)
    }

    fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Field::I32(number) | Field::EnumNumber(number) => Some(f64::from(number)),
            Field::U32(number) => Some(f64::from(number)),
            Field::I64(number) => Some(number as f64),
            Field::U64(number) => Some(number as f64),
            Field::F32(number) => Some(f64::from(number)),
            Field::F64(number) => Some(number),
            _ => None,
        }
    }

    fn list(&self, name: &str) -> Vec<Field> {
        match self.get(name) {
            Some(Field::List(list)) => list,
            _ => Vec::new(),
        }
    }
}

/// Adds what `rules`, a `buf.validate.FieldRules`, says of values of `kind`.
fn add(rules: &Rules<'_>, kind: &Kind, schema: &mut Value) {
    let of = |name: &str| rules.message(name);
    if let Some(rules) = of("string") {
        text(&Rules(&rules), schema);
    }
    if let Some(rules) = of("bytes") {
        // In base64, four letters for three bytes.
        let letters = |bytes: f64| (bytes / 3.0).ceil() as u64 * 4;
        if let Some(most) = Rules(&rules).number("max_len") {
            schema["maxLength"] = json!(letters(most));
        }
        if Rules(&rules).number("min_len").is_some_and(|least| least > 0.0) {
            at_least(schema, "minLength", 2);
        }
    }
    for name in ["int32", "sint32", "sfixed32", "uint32", "fixed32", "float", "double"] {
        if let Some(rules) = of(name) {
            number(&Rules(&rules), schema);
        }
    }
    if let (Some(rules), Kind::Enum(kind)) = (of("enum"), kind) {
        enumeration(&Rules(&rules), kind, schema);
    }
    if let Some(rules) = of("repeated") {
        let rules = Rules(&rules);
        count(&rules, "min_items", "minItems", schema);
        count(&rules, "max_items", "maxItems", schema);
        if rules.is_true("unique") {
            schema["uniqueItems"] = json!(true);
        }
        if let Some(items) = rules.message("items") {
            add(&Rules(&items), kind, &mut schema["items"]);
        }
    }
    if let Some(rules) = of("map") {
        let rules = Rules(&rules);
        count(&rules, "min_pairs", "minProperties", schema);
        count(&rules, "max_pairs", "maxProperties", schema);
        if let Some(keys) = rules.message("keys") {
            let mut names = json!({});
            add(&Rules(&keys), &Kind::String, &mut names);
            // Keys are texts, whatever they are in the contract.
            if Rules(&keys).message("string").is_some() && names != json!({}) {
                schema["propertyNames"] = names;
            }
        }
        if let Some(values) = rules.message("values") {
            add(&Rules(&values), kind, &mut schema["additionalProperties"]);
        }
    }
}

fn count(rules: &Rules<'_>, name: &str, word: &str, schema: &mut Value) {
    if let Some(number) = rules.number(name) {
        schema[word] = json!(number as u64);
    }
}

fn at_least(schema: &mut Value, word: &str, least: u64) {
    let before = schema[word].as_u64().unwrap_or(0);
    schema[word] = json!(before.max(least));
}

fn text(rules: &Rules<'_>, schema: &mut Value) {
    if let Some(only) = rules.text("const") {
        schema["const"] = json!(only);
    }
    if let Some(length) = rules.number("len") {
        (schema["minLength"], schema["maxLength"]) = (json!(length as u64), json!(length as u64));
    }
    // A letter has one to four bytes.
    if let Some(bytes) = rules.number("max_bytes").or(rules.number("len_bytes")) {
        schema["maxLength"] = json!(bytes as u64);
    }
    if let Some(bytes) = rules.number("min_bytes").or(rules.number("len_bytes")) {
        at_least(schema, "minLength", (bytes / 4.0).ceil() as u64);
    }
    if let Some(letters) = rules.number("min_len") {
        at_least(schema, "minLength", letters as u64);
    }
    count(rules, "max_len", "maxLength", schema);
    if let Some(pattern) = rules.text("pattern") {
        schema["pattern"] = json!(pattern);
    }
    let values = rules.list("in");
    if !values.is_empty() {
        schema["enum"] = values.iter().filter_map(Field::as_str).collect();
    }
    let others = rules.list("not_in");
    if !others.is_empty() {
        schema["not"] = json!({ "enum": others.iter().filter_map(Field::as_str).collect::<Vec<_>>() });
    }
    for format in ["uuid", "email", "hostname", "ipv4", "ipv6", "uri"] {
        if rules.is_true(format) {
            schema["format"] = json!(format);
        }
    }
}

fn number(rules: &Rules<'_>, schema: &mut Value) {
    // A floating-point number may be a word too: the bounds are the number's.
    let has_words = schema.get("oneOf").is_some();
    if has_words && (rules.is_true("finite") || rules.number("const").is_some()) {
        let number = schema["oneOf"][0].take();
        *schema = number;
    }
    let schema = if schema.get("oneOf").is_some() { &mut schema["oneOf"][0] } else { schema };
    for (name, word) in [
        ("lt", "exclusiveMaximum"),
        ("lte", "maximum"),
        ("gt", "exclusiveMinimum"),
        ("gte", "minimum"),
        ("const", "const"),
    ] {
        if let Some(bound) = rules.number(name) {
            schema[word] = whole(bound);
        }
    }
}

/// `100`, not `100.0`.
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

fn enumeration(rules: &Rules<'_>, kind: &EnumDescriptor, schema: &mut Value) {
    let name = |value: &Field| Some(kind.get_value(value.as_i32()?)?.name().to_owned());
    let names = |values: Vec<Field>| values.iter().filter_map(name).collect::<Vec<_>>();
    let (only, not) = (names(rules.list("in")), names(rules.list("not_in")));
    if !only.is_empty() {
        schema["enum"] = json!(only);
    }
    if !not.is_empty() {
        schema["not"] = json!({ "enum": not });
    }
    if let Some(only) = rules.get("const").as_ref().and_then(name) {
        schema["const"] = json!(only);
    }
}
