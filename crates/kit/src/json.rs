//! Between protobuf's structs and JSON.

use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::{Map, Value as Json};

/// Objects and lists inside each other at most: deeper ones cannot be read back.
const DEEPEST: usize = 32;

/// As JSON; whole numbers without a fraction, as JSON's `integer` asks for.
pub fn of_struct(object: &Struct) -> Json {
    Json::Object(object.fields.iter().map(|(name, value)| (name.clone(), of_value(value))).collect())
}

/// Any value as JSON, in the same way.
pub fn of_value(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(truth)) => Json::Bool(*truth),
        Some(Kind::StringValue(text)) => Json::String(text.clone()),
        Some(Kind::NumberValue(number)) => number_of(*number),
        Some(Kind::ListValue(list)) => Json::Array(list.values.iter().map(of_value).collect()),
        Some(Kind::StructValue(object)) => of_struct(object),
    }
}

fn number_of(value: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Json::from(value as i64);
    }
    serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// From a JSON object; nothing where it is none.
pub fn to_struct(json: Json) -> Struct {
    match json {
        Json::Object(members) => object(members),
        _ => Struct::default(),
    }
}

fn object(members: Map<String, Json>) -> Struct {
    Struct { fields: members.into_iter().map(|(name, value)| (name, to_value(value))).collect() }
}

fn to_value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(truth) => Kind::BoolValue(truth),
        Json::String(text) => Kind::StringValue(text),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(0.0)),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() })
        }
        Json::Object(members) => Kind::StructValue(object(members)),
    };
    Value { kind: Some(kind) }
}

/// Whether it is nested too deep to be kept.
pub fn is_too_deep(json: &Json) -> bool {
    fn depth(json: &Json, left: usize) -> bool {
        match json {
            Json::Array(values) => left == 0 || values.iter().any(|value| depth(value, left - 1)),
            Json::Object(members) => left == 0 || members.values().any(|value| depth(value, left - 1)),
            _ => false,
        }
    }
    depth(json, DEEPEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn comes_back_as_it_went() {
        let json = json!({"a": 1, "b": [1.5, null, {"c": "x"}], "d": true});
        assert_eq!(of_struct(&to_struct(json.clone())), json);
        assert!(!is_too_deep(&json));
        let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
        assert!(is_too_deep(&deep));
    }
}
