//! Property values: from text and JSON to `google.protobuf.Value`, and back.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

/// Deepest nesting of a property's value. Protobuf decoders stop at 100 messages inside each other,
/// and each level takes three.
pub(super) const MAX_DEPTH: usize = 24;

/// From here on integers are not exact in a double, so that they are kept as text.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn string(text: impl Into<String>) -> Value {
    Value { kind: Some(Kind::StringValue(text.into())) }
}

/// A number; text where JSON has no such number.
pub(super) fn number(number: f64) -> Value {
    if number.is_finite() {
        return Value { kind: Some(Kind::NumberValue(number)) };
    }
    string(number.to_string())
}

pub(super) fn boolean(truth: bool) -> Value {
    Value { kind: Some(Kind::BoolValue(truth)) }
}

/// A list of texts.
pub(super) fn strings(texts: impl IntoIterator<Item = String>) -> Value {
    let values = texts.into_iter().map(string).collect();
    Value { kind: Some(Kind::ListValue(ListValue { values })) }
}

/// The texts in a value: itself, or those of a list; numbers as they are written.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match &value.kind {
        Some(Kind::StringValue(text)) => vec![text.clone()],
        Some(Kind::NumberValue(number)) => vec![number_text(*number)],
        Some(Kind::ListValue(list)) => list
            .values
            .iter()
            .filter(|value| !matches!(value.kind, Some(Kind::ListValue(_))))
            .flat_map(texts)
            .collect(),
        _ => Vec::new(),
    }
}

/// The value that an untyped text most likely means: a truth, a number as JSON writes them, else
/// the text itself. `007`, `+1` and integers that a double cannot hold stay text.
pub(super) fn infer(text: &str) -> Value {
    match text {
        "true" => return boolean(true),
        "false" => return boolean(false),
        _ => {}
    }
    parse_number(text).map_or_else(|| string(text), number)
}

/// A number as JSON writes them, if it can be held exactly enough.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let plain = match digits {
        [b'0'] => true,
        [b'0', next, ..] => matches!(next, b'.' | b'e' | b'E'),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    };
    if !plain || text.len() > 64 || !digits.last().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let rest = &digits[end..];
    let integer = rest.is_empty();
    if rest.first() == Some(&b'.') && !rest.get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if rest.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let exact = value.is_finite() && (!integer || value.abs() < MAX_EXACT);
    exact.then_some(value)
}

/// The shortest text that [`parse_number`] reads as the same number.
pub(super) fn number_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < MAX_EXACT && !(value == 0.0 && value.is_sign_negative()) {
        return (value as i64).to_string();
    }
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string(), |number| number.to_string())
}

/// A property's JSON. Numbers that JSON has not become text.
pub(super) fn to_json(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(truth)) => Json::Bool(*truth),
        Some(Kind::StringValue(text)) => Json::String(text.clone()),
        Some(Kind::NumberValue(number)) => number_json(*number),
        Some(Kind::ListValue(list)) => Json::Array(list.values.iter().map(to_json).collect()),
        Some(Kind::StructValue(object)) => struct_to_json(object),
    }
}

/// An object's JSON.
pub(super) fn struct_to_json(object: &Struct) -> Json {
    Json::Object(object.fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
}

/// A number's JSON: whole ones without a fraction.
pub(super) fn number_json(value: f64) -> Json {
    if value.fract() == 0.0 && value.abs() < MAX_EXACT && !(value == 0.0 && value.is_sign_negative()) {
        return Json::from(value as i64);
    }
    serde_json::Number::from_f64(value).map_or_else(|| Json::String(value.to_string()), Json::Number)
}

/// Nesting deeper than [`MAX_DEPTH`].
#[derive(Debug)]
pub(super) struct TooDeep;

impl TooDeep {
    pub(super) fn problem() -> String {
        format!("a property is nested deeper than {MAX_DEPTH} levels")
    }
}

/// A property from JSON.
pub(super) fn from_json(json: Json) -> Result<Value, TooDeep> {
    nested_from_json(json, MAX_DEPTH)
}

/// Properties from a JSON object's members.
pub(super) fn struct_from_json(members: serde_json::Map<String, Json>) -> Result<Struct, TooDeep> {
    object_from_json(members, MAX_DEPTH)
}

fn nested_from_json(json: Json, depth: usize) -> Result<Value, TooDeep> {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(truth) => Kind::BoolValue(truth),
        Json::String(text) => Kind::StringValue(text),
        Json::Number(number) => return Ok(number_from_json(&number)),
        Json::Array(values) => {
            let depth = depth.checked_sub(1).ok_or(TooDeep)?;
            let values = values.into_iter().map(|value| nested_from_json(value, depth));
            Kind::ListValue(ListValue { values: values.collect::<Result<_, _>>()? })
        }
        Json::Object(members) => {
            Kind::StructValue(object_from_json(members, depth.checked_sub(1).ok_or(TooDeep)?)?)
        }
    };
    Ok(Value { kind: Some(kind) })
}

fn object_from_json(members: serde_json::Map<String, Json>, depth: usize) -> Result<Struct, TooDeep> {
    let fields = members.into_iter().map(|(name, value)| Ok((name, nested_from_json(value, depth)?)));
    Ok(Struct { fields: fields.collect::<Result<_, TooDeep>>()? })
}

fn number_from_json(number: &serde_json::Number) -> Value {
    match number.as_f64() {
        Some(value) if number.is_f64() || value.abs() < MAX_EXACT => self::number(value),
        _ => string(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_codes_are_text() {
        for (text, value) in [("0", 0.0), ("-1.5", -1.5), ("12e3", 12_000.0), ("1.10", 1.1), ("-0", -0.0)] {
            assert_eq!(infer(text), number(value), "{text}");
        }
        let texts =
            ["", "007", "+1", "1.", ".5", "NaN", "inf", "1e999", "9007199254740993", "1_0", "0x10", "-"];
        for text in texts {
            assert_eq!(infer(text), string(text), "{text}");
        }
    }

    #[test]
    fn number_text_is_read_back_exactly() {
        for value in [0.0, -0.0, 0.1, 1e300, 5e-324, 9_007_199_254_740_991.0, 9_007_199_254_740_992.0, -3.25]
        {
            let text = number_text(value);
            assert_eq!(parse_number(&text).map(f64::to_bits), Some(value.to_bits()), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels| (0..levels).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
        assert!(from_json(nested(MAX_DEPTH)).is_ok());
        assert!(from_json(nested(MAX_DEPTH + 1)).is_err());
    }
}
