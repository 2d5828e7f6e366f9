//! Values of attributes and bodies: OpenTelemetry's `AnyValue`, in few bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as Any};
use prost_types::{ListValue, Struct, Value as Json, value::Kind};
use weft_series::{DecodeError, Reader, write_bytes, write_signed, write_unsigned};

use crate::samples::record::text as read_text;

const NOTHING: u8 = 0;
const TEXT: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const WHOLE: u8 = 4;
const FRACTION: u8 = 5;
const BYTES: u8 = 6;
const LIST: u8 = 7;
const MAP: u8 = 8;
/// Lists and maps inside each other; what is deeper is left out, so that every client can read what is answered.
const DEEPEST: usize = 16;
/// Whole numbers up to here are the same as numbers of JSON.
const EXACT: u64 = 1 << 53;

/// A value, as it is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'v> {
    Nothing,
    Text(&'v str),
    Flag(bool),
    Whole(i64),
    Fraction(f64),
    Bytes(&'v [u8]),
    List(Vec<Value<'v>>),
    Map(Vec<(&'v str, Value<'v>)>),
}

/// Writes a value.
pub(crate) fn write(out: &mut Vec<u8>, value: Option<&AnyValue>) {
    write_within(out, value, DEEPEST);
}

/// Writes attributes.
pub(crate) fn write_map(out: &mut Vec<u8>, attributes: &[KeyValue]) {
    map(out, attributes, DEEPEST);
}

fn write_within(out: &mut Vec<u8>, value: Option<&AnyValue>, deeper: usize) {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => {
            out.push(TEXT);
            write_bytes(out, text.as_bytes());
        }
        Some(Any::BoolValue(is)) => out.push(if *is { TRUE } else { FALSE }),
        Some(Any::IntValue(number)) => {
            out.push(WHOLE);
            write_signed(out, *number);
        }
        Some(Any::DoubleValue(number)) => {
            out.push(FRACTION);
            out.extend(number.to_le_bytes());
        }
        Some(Any::BytesValue(bytes)) => {
            out.push(BYTES);
            write_bytes(out, bytes);
        }
        Some(Any::ArrayValue(list)) if deeper > 0 => {
            out.push(LIST);
            write_unsigned(out, list.values.len() as u64);
            list.values.iter().for_each(|value| write_within(out, Some(value), deeper - 1));
        }
        Some(Any::KvlistValue(list)) if deeper > 0 => {
            out.push(MAP);
            map(out, &list.values, deeper - 1);
        }
        _ => out.push(NOTHING),
    }
}

fn map(out: &mut Vec<u8>, attributes: &[KeyValue], deeper: usize) {
    write_unsigned(out, attributes.len() as u64);
    for KeyValue { key, value, .. } in attributes {
        write_bytes(out, key.as_bytes());
        write_within(out, value.as_ref(), deeper);
    }
}

/// A value from what [`write`] has written.
///
/// # Errors
/// It is something else.
pub(crate) fn read(bytes: &[u8]) -> Result<Value<'_>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Value::Nothing);
    }
    next(&mut Reader::new(bytes), DEEPEST)
}

/// Attributes from what [`write_map`] has written.
///
/// # Errors
/// They are something else.
pub(crate) fn read_map(bytes: &[u8]) -> Result<Vec<(&str, Value<'_>)>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    entries(&mut Reader::new(bytes), DEEPEST)
}

fn next<'v>(reader: &mut Reader<'v>, deeper: usize) -> Result<Value<'v>, DecodeError> {
    Ok(match reader.byte()? {
        NOTHING => Value::Nothing,
        TEXT => Value::Text(read_text(reader)?),
        FALSE => Value::Flag(false),
        TRUE => Value::Flag(true),
        WHOLE => Value::Whole(reader.signed()?),
        FRACTION => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(reader.take(8)?);
            Value::Fraction(f64::from_le_bytes(bytes))
        }
        BYTES => Value::Bytes(reader.bytes()?),
        LIST if deeper > 0 => {
            let count = reader.unsigned()?;
            Value::List((0..count).map(|_| next(reader, deeper - 1)).collect::<Result<_, _>>()?)
        }
        MAP if deeper > 0 => Value::Map(entries(reader, deeper - 1)?),
        _ => return Err(DecodeError("has a value of an unknown kind")),
    })
}

fn entries<'v>(reader: &mut Reader<'v>, deeper: usize) -> Result<Vec<(&'v str, Value<'v>)>, DecodeError> {
    let count = reader.unsigned()?;
    (0..count).map(|_| Ok((read_text(reader)?, next(reader, deeper)?))).collect()
}

impl Value<'_> {
    /// As text, by which attributes are compared; `None` for what has parts.
    pub(crate) fn plain(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some((*text).to_owned()),
            Self::Flag(is) => Some(is.to_string()),
            Self::Whole(number) => Some(number.to_string()),
            Self::Fraction(number) => Some(number.to_string()),
            Self::Bytes(bytes) => Some(STANDARD.encode(bytes)),
            Self::Nothing | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Calls with each text in it: keys, texts, and numbers as text.
    pub(crate) fn each_text(&self, found: &mut impl FnMut(&str)) {
        match self {
            Self::Text(text) => found(text),
            Self::List(values) => values.iter().for_each(|value| value.each_text(found)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    found(key);
                    value.each_text(found);
                }
            }
            other => {
                if let Some(text) = other.plain() {
                    found(&text);
                }
            }
        }
    }

    /// As the contract has it.
    pub(crate) fn json(&self) -> Json {
        let kind = match self {
            Self::Nothing => Kind::NullValue(0),
            Self::Text(text) => Kind::StringValue((*text).to_owned()),
            Self::Flag(is) => Kind::BoolValue(*is),
            Self::Whole(number) if number.unsigned_abs() <= EXACT => Kind::NumberValue(*number as f64),
            Self::Whole(number) => Kind::StringValue(number.to_string()),
            Self::Fraction(number) if number.is_finite() => Kind::NumberValue(*number),
            Self::Fraction(number) => Kind::StringValue(number.to_string()),
            Self::Bytes(bytes) => Kind::StringValue(STANDARD.encode(bytes)),
            Self::List(values) => {
                Kind::ListValue(ListValue { values: values.iter().map(Value::json).collect() })
            }
            Self::Map(entries) => Kind::StructValue(fields(entries)),
        };
        Json { kind: Some(kind) }
    }
}

/// Attributes as the contract has them.
pub(crate) fn fields(entries: &[(&str, Value<'_>)]) -> Struct {
    Struct { fields: entries.iter().map(|(key, value)| ((*key).to_owned(), value.json())).collect() }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    use super::*;

    fn any(value: Any) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn entry(key: &str, value: Any) -> KeyValue {
        KeyValue { key: key.into(), value: Some(any(value)), ..KeyValue::default() }
    }

    #[test]
    fn values_read_back_as_written() {
        let list = ArrayValue { values: vec![any(Any::IntValue(-5)), AnyValue { value: None }] };
        let attributes = vec![
            entry("text", Any::StringValue("ü".into())),
            entry("is", Any::BoolValue(true)),
            entry("large", Any::IntValue(i64::MIN)),
            entry("part", Any::DoubleValue(0.1)),
            entry("bytes", Any::BytesValue(vec![0, 255])),
            entry("list", Any::ArrayValue(list)),
        ];
        let value = any(Any::KvlistValue(KeyValueList { values: attributes }));
        let mut bytes = Vec::new();
        write(&mut bytes, Some(&value));
        let read_back = read(&bytes).unwrap();
        let Value::Map(entries) = &read_back else { panic!("{read_back:?}") };
        assert_eq!(entries[2], ("large", Value::Whole(i64::MIN)));
        assert_eq!(entries[5].1, Value::List(vec![Value::Whole(-5), Value::Nothing]));
        let plain: Vec<Option<String>> = entries.iter().map(|(_, value)| value.plain()).collect();
        let expected = ["ü", "true", "-9223372036854775808", "0.1", "AP8="];
        assert_eq!(plain[..5], expected.map(|text| Some(text.to_owned())));
        let mut texts = Vec::new();
        read_back.each_text(&mut |text| texts.push(text.to_owned()));
        assert!(texts.contains(&"list".to_owned()) && texts.contains(&"-5".to_owned()), "{texts:?}");
        let fields = fields(entries).fields;
        assert_eq!(fields["large"].kind, Some(Kind::StringValue(i64::MIN.to_string())));
        for end in 1..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_too_deep_is_left_out() {
        let mut value = any(Any::StringValue("bottom".into()));
        for _ in 0..40 {
            value = any(Any::ArrayValue(ArrayValue { values: vec![value] }));
        }
        let mut bytes = Vec::new();
        write(&mut bytes, Some(&value));
        let mut found = Vec::new();
        read(&bytes).unwrap().each_text(&mut |text| found.push(text.to_owned()));
        assert!(found.is_empty());
        assert!(read(&[LIST; 100]).is_err());
    }
}
