//! Fields say their units in their names, and nothing that a client sends is without a bound.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage};

use crate::{
    Finding,
    contracts::{Contracts, message_name},
};

/// Words for which a bare number would leave the reader guessing, and the endings that tell.
const TIMES: (&[&str], &[&str]) = (
    &["time", "timeout", "duration", "interval", "delay", "latency", "age", "ttl", "lifetime", "period"],
    &["_ns", "_us", "_ms", "_seconds", "_minutes", "_hours", "_days"],
);
const SIZES: (&[&str], &[&str]) =
    (&["size", "memory", "bandwidth", "capacity"], &["_bytes", "_bits", "_bytes_per_second"]);

/// AIP-158's names; they count elements.
const COUNTS: &[&str] = &["page_size", "total_size"];

pub(crate) fn check(contracts: &Contracts, found: &mut Vec<Finding>) {
    for message in contracts.messages() {
        let sent = contracts.sent.contains(message.full_name());
        for field in message.fields() {
            let mut report = |rule, text: String| {
                found.push(Finding { rule, at: field.full_name().to_owned(), text });
            };
            if let Some(text) = unit_fault(&field) {
                report("unit", text);
            }
            if let Some(text) = time_fault(&field) {
                report("time-name", text);
            }
            if sent && !contracts.behaves(&field, "OUTPUT_ONLY") {
                if !is_bounded(contracts, &field) {
                    report("bound", "a client can send any amount; add a buf.validate rule".to_owned());
                }
                let is_known = says(contracts, &field, "defined_only") || says(contracts, &field, "in");
                if matches!(field.kind(), Kind::Enum(_)) && !is_known {
                    let text = "add `enum.defined_only` or `enum.in`: unknown values are refused";
                    report("enum-defined", text.to_owned());
                }
            }
        }
    }
}

fn unit_fault(field: &FieldDescriptor) -> Option<String> {
    if matches!(field.kind(), Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Bool | Kind::Enum(_)) {
        return None;
    }
    let name = field.name();
    for (words, endings) in [TIMES, SIZES] {
        let about = name.split('_').any(|word| words.contains(&word));
        if about && !COUNTS.contains(&name) && !endings.iter().any(|ending| name.ends_with(ending)) {
            return Some(format!("a number without a unit; end its name in one of {}", endings.join(" ")));
        }
    }
    None
}

/// AIP-142: instants are Timestamps called `…_time`, spans are Durations that are not.
fn time_fault(field: &FieldDescriptor) -> Option<String> {
    let ends_in_time = field.name().ends_with("_time");
    match message_name(field).as_str() {
        "google.protobuf.Timestamp" if !ends_in_time => Some("a Timestamp's name ends in `_time`".to_owned()),
        "google.protobuf.Duration" if ends_in_time => {
            Some("a Duration is no instant; call it `…_duration`, `…_timeout` or the like".to_owned())
        }
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => None,
        _ if ends_in_time => Some("`_time` is for Timestamps".to_owned()),
        _ => None,
    }
}

/// Whether lists, maps, texts and byte strings have a largest length.
fn is_bounded(contracts: &Contracts, field: &FieldDescriptor) -> bool {
    let rules = contracts.rules(field);
    let part = |name: &str| rules.as_ref().and_then(|rules| inner(rules, name));
    if field.is_map() {
        return part("map").is_some_and(|map| map.has_field_by_name("max_pairs"));
    }
    if field.is_list() {
        let Some(list) = part("repeated") else { return false };
        let items = inner(&list, "items");
        let item = |name: &str| items.as_ref().and_then(|rules| inner(rules, name));
        return list.has_field_by_name("max_items") && scalar_is_bounded(&field.kind(), item);
    }
    scalar_is_bounded(&field.kind(), part)
}

fn scalar_is_bounded(kind: &Kind, part: impl Fn(&str) -> Option<DynamicMessage>) -> bool {
    let (name, bounds): (&str, &[&str]) = match kind {
        Kind::String => {
            ("string", &["max_len", "max_bytes", "len", "len_bytes", "pattern", "const", "in", "uuid"])
        }
        Kind::Bytes => ("bytes", &["max_len", "len", "const", "in"]),
        _ => return true,
    };
    part(name).is_some_and(|rules| bounds.iter().any(|bound| rules.has_field_by_name(bound)))
}

/// Whether an enum field, or the items of a list of enums, has a rule.
fn says(contracts: &Contracts, field: &FieldDescriptor, rule: &str) -> bool {
    let rules = contracts.rules(field);
    let rules = if field.is_list() {
        rules.and_then(|rules| inner(&rules, "repeated")).and_then(|list| inner(&list, "items"))
    } else {
        rules
    };
    rules.and_then(|rules| inner(&rules, "enum")).is_some_and(|rules| rules.has_field_by_name(rule))
}

/// A message inside an option, where it is set.
fn inner(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    let descriptor = message.descriptor().get_field_by_name(field)?;
    message.has_field(&descriptor).then(|| message.get_field(&descriptor).as_message().cloned())?
}
