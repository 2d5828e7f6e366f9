//! Labels of OpenTelemetry's series, and what their values look like as text.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use weft_series::{Labels, promql::format_value};

use super::otlp_names as names;

/// The labels of a series: those of its resource, its attributes, and one more.
pub(super) fn labels(
    metric: &str,
    common: &[(String, String)],
    attributes: &[KeyValue],
    more: Option<(&str, &str)>,
) -> Labels {
    let attributes =
        attributes.iter().map(|attribute| (names::label(&attribute.key), value(attribute.value.as_ref())));
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let name = ("__name__".to_owned(), metric.to_owned());
    Labels::new(attributes.chain(common.iter().cloned()).chain(more).chain([name]))
}

/// A value as text.
pub(super) fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => format_value(*number),
        Some(Value::BytesValue(bytes)) => format!("{} bytes", bytes.len()),
        Some(Value::ArrayValue(list)) => {
            let values: Vec<String> = list.values.iter().take(16).map(flat).collect();
            format!("[{}]", values.join(","))
        }
        Some(_) => "{…}".to_owned(),
    }
}

/// A value inside a list; lists in lists are not gone into, however deep they are.
fn flat(inner: &AnyValue) -> String {
    match &inner.value {
        Some(Value::ArrayValue(_)) => "[…]".to_owned(),
        _ => value(Some(inner)),
    }
}
