//! A value of JSON as a parameter: as text, which the database reads as whatever type it wants there.

use std::{error::Error, fmt};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value as Json;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, private::BytesMut, to_sql_checked};

/// One parameter.
pub(super) struct Parameter<'v>(pub(super) &'v Json);

/// Parameters may be secrets, and the driver shows them when it logs.
impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = text(self.0, of)? else { return Ok(IsNull::Yes) };
        if text.contains('\0') {
            return Err("a text of PostgreSQL has no zero bytes".into());
        }
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn text(value: &Json, of: &Type) -> Result<Option<String>, String> {
    if let Kind::Domain(inner) = of.kind() {
        return text(value, inner);
    }
    Ok(match value {
        Json::Null => None,
        value if [Type::JSON, Type::JSONB].contains(of) => Some(value.to_string()),
        Json::String(text) if *of == Type::BYTEA => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("bytes are base64: {error}"))?;
            let mut hexadecimal = String::with_capacity(2 + 2 * bytes.len());
            hexadecimal.push_str("\\x");
            for byte in bytes {
                for digit in [byte >> 4, byte & 15] {
                    hexadecimal.extend(char::from_digit(digit.into(), 16));
                }
            }
            Some(hexadecimal)
        }
        Json::String(text) => Some(text.clone()),
        Json::Array(values) => match of.kind() {
            Kind::Array(element) => Some(array(values, element)?),
            _ => Some(value.to_string()),
        },
        other => Some(other.to_string()),
    })
}

/// A list as PostgreSQL writes it: every element quoted, so that none can be anything else.
fn array(values: &[Json], element: &Type) -> Result<String, String> {
    let mut written = String::from("{");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            written.push(',');
        }
        let is_document = [Type::JSON, Type::JSONB].contains(element);
        match value {
            Json::Array(inner) if !is_document => written.push_str(&array(inner, element)?),
            value => match text(value, element)? {
                None => written.push_str("NULL"),
                Some(text) => {
                    written.push('"');
                    for letter in text.chars() {
                        if ['"', '\\'].contains(&letter) {
                            written.push('\\');
                        }
                        written.push(letter);
                    }
                    written.push('"');
                }
            },
        }
    }
    written.push('}');
    Ok(written)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_postgresql_reads_them() {
        for (value, of, expected) in [
            (json!(null), Type::TEXT, None),
            (json!("a"), Type::TEXT, Some("a")),
            (json!(5), Type::INT8, Some("5")),
            (json!(true), Type::BOOL, Some("true")),
            (json!("AP8="), Type::BYTEA, Some("\\x00ff")),
            (json!("a"), Type::JSONB, Some("\"a\"")),
            (json!({"a": [1]}), Type::JSON, Some("{\"a\":[1]}")),
            (json!([1, null]), Type::INT4_ARRAY, Some("{\"1\",NULL}")),
            (
                json!([["a\"b", "NULL"], ["}", "\\"]]),
                Type::TEXT_ARRAY,
                Some(r#"{{"a\"b","NULL"},{"}","\\"}}"#),
            ),
            (json!([[1], {"a": "b"}]), Type::JSONB_ARRAY, Some(r#"{"[1]","{\"a\":\"b\"}"}"#)),
            (json!([1]), Type::TEXT, Some("[1]")),
        ] {
            assert_eq!(text(&value, &of).unwrap().as_deref(), expected, "{value} as {of}");
        }
        assert!(text(&json!("no base64!"), &Type::BYTEA).is_err());
        assert_eq!(format!("{:?}", Parameter(&json!("hunter2"))), "…");
    }
}
