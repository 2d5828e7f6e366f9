//! Values of logs and spans, and times of spans, for people.

use prost_types::{Struct, Value, value::Kind};

/// A text as it is, anything else as JSON.
pub(super) fn value(value: &Value) -> String {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => String::new(),
        Some(Kind::StringValue(text)) => text.clone(),
        _ => json(value).to_string(),
    }
}

/// Attributes by name: `a=1 b=two`.
pub(super) fn attributes(attributes: &Struct) -> String {
    let shown = attributes.fields.iter().map(|(key, of)| format!("{key}={}", value(of)));
    shown.collect::<Vec<_>>().join(" ")
}

fn json(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(is)) => (*is).into(),
        // What JSON has no word for, a proto value does not have either.
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() < 1e15 => {
            (*number as i64).into()
        }
        Some(Kind::NumberValue(number)) => (*number).into(),
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::ListValue(list)) => list.values.iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => {
            fields.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
    }
}

/// Without what terminals obey: of control characters, lines and tabs stay.
pub(super) fn clean(text: &str) -> String {
    let is_bad = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    text.chars().map(|letter| if is_bad(letter) { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

/// Nanoseconds in three digits or so: `1.25 s`, `340 ms`, `12 µs`.
pub(super) fn span(nanos: i64) -> String {
    let (unit, name) = match nanos {
        1_000_000_000.. => (1e9, "s"),
        1_000_000.. => (1e6, "ms"),
        1_000.. => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    format!("{} {name}", super::show::value((nanos as f64 / unit * 100.0).round() / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_values_are_json() {
        let shown = [0, 999, 12_340, 340_000_000, 1_250_000_000, 61_000_000_000].map(span);
        assert_eq!(shown, ["0 ns", "999 ns", "12.34 µs", "340 ms", "1.25 s", "61 s"]);
        let number = |number| Value { kind: Some(Kind::NumberValue(number)) };
        let fields = Struct { fields: [("b".into(), number(0.5)), ("a".into(), number(3.0))].into() };
        assert_eq!(attributes(&fields), "a=3 b=0.5");
        assert_eq!(value(&Value { kind: Some(Kind::StructValue(fields)) }), r#"{"a":3,"b":0.5}"#);
    }
}
