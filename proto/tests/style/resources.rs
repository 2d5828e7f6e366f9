//! Resources have names, identities and times, and the standard methods have the standard shape.

use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, Value};

use crate::{
    Finding,
    contracts::{Contracts, message_name, pascal, snake, text},
};

/// What a resource is called.
struct Names {
    /// Full name of its message.
    message: String,
    /// `ApiKey`
    singular: String,
    /// `ApiKeys`
    plural: String,
    /// Whether it has an etag, which its Update and Delete must accept.
    etag: bool,
}

pub(crate) fn check(contracts: &Contracts, found: &mut Vec<Finding>) {
    let mut names = Vec::new();
    for message in contracts.messages() {
        if let Some(resource) = contracts.resources.get(message.full_name()) {
            check_resource(contracts, &message, resource, found);
            names.push(Names {
                message: message.full_name().to_owned(),
                singular: message.name().to_owned(),
                plural: pascal(&text(resource, "plural")),
                etag: message.get_field_by_name("etag").is_some(),
            });
        }
    }
    for method in contracts.methods() {
        for resource in &names {
            for text in standard_faults(contracts, &method, resource) {
                found.push(Finding { rule: "standard", at: method.full_name().to_owned(), text });
            }
        }
    }
    for message in contracts.messages().filter(|message| contracts.sent.contains(message.full_name())) {
        for field in message.fields() {
            let refers = contracts.extension(&field.options(), "google.api.resource_reference").is_some();
            let pattern = contracts
                .rules(&field)
                .and_then(|rules| rules.get_field_by_name("string")?.as_message().cloned())
                .map(|rules| text(&rules, "pattern"))
                .unwrap_or_default();
            if refers && !pattern.starts_with("^projects/") {
                let text = "a resource name needs a pattern rule that begins with ^projects/".to_owned();
                found.push(Finding { rule: "name-pattern", at: field.full_name().to_owned(), text });
            }
        }
    }
}

/// AIP-122, AIP-123, AIP-148, AIP-154.
fn check_resource(
    contracts: &Contracts,
    message: &MessageDescriptor,
    resource: &DynamicMessage,
    found: &mut Vec<Finding>,
) {
    let mut report = |rule, text: String| {
        found.push(Finding { rule, at: message.full_name().to_owned(), text });
    };
    if text(resource, "type") != format!("weft.dev/{}", message.name()) {
        report("resource-type", format!("its type is weft.dev/{}", message.name()));
    }
    let (singular, plural) = (text(resource, "singular"), text(resource, "plural"));
    if pascal(&singular) != message.name() || plural.is_empty() || plural == singular {
        report("resource-type", "`singular` is its own name in camelCase, `plural` that of many".to_owned());
    }
    let patterns = resource.get_field_by_name("pattern").map(std::borrow::Cow::into_owned);
    let patterns = match patterns {
        Some(Value::List(patterns)) if !patterns.is_empty() => patterns,
        _ => vec![Value::String(String::new())],
    };
    for pattern in patterns.iter().filter_map(Value::as_str) {
        let ending = format!("/{plural}/{{{}}}", snake(&singular));
        if !pattern.starts_with("projects/{project}") || !pattern.ends_with(&ending) {
            report("resource-pattern", format!("{pattern:?} is not projects/{{project}}/…{ending}"));
        }
    }
    let updated = contracts.methods().any(|method| method.name() == format!("Update{}", message.name()));
    let fields: &[(&str, &str, bool)] = &[
        ("name", "IDENTIFIER", true),
        ("uid", "OUTPUT_ONLY", true),
        ("create_time", "OUTPUT_ONLY", true),
        ("update_time", "OUTPUT_ONLY", updated),
    ];
    for (name, behavior, needed) in fields {
        match message.get_field_by_name(name) {
            Some(field) if contracts.behaves(&field, behavior) => {}
            None if !needed => {}
            _ => report("resource-fields", format!("needs `{name}` with field_behavior {behavior}")),
        }
    }
    if message.get_field_by_name("name").is_some_and(|field| field.number() != 1) {
        report("resource-fields", "`name` is field 1".to_owned());
    }
    if updated && message.get_field_by_name("etag").is_none() {
        report("resource-fields", "it can be updated, so it needs `string etag`".to_owned());
    }
}

/// What is wrong with the method if it is a standard one of the resource (AIP-131 to AIP-135).
fn standard_faults(contracts: &Contracts, method: &MethodDescriptor, resource: &Names) -> Vec<String> {
    let Names { message, singular, plural, etag } = resource;
    let own = snake(singular);
    let (input, output) = (method.input(), method.output());
    let mut faults = Vec::new();
    let mut need = |holds: bool, text: String| {
        if !holds {
            faults.push(text);
        }
    };
    let required =
        |name: &str| input.get_field_by_name(name).is_some_and(|field| contracts.behaves(&field, "REQUIRED"));
    let holds = |name: &str, kind: &str| {
        input.get_field_by_name(name).is_some_and(|field| message_name(&field) == kind)
    };
    let name = method.name();
    if name == format!("Get{singular}") {
        need(output.full_name() == message, format!("returns the {singular} itself"));
        need(required("name"), "needs a REQUIRED `name`".to_owned());
    } else if name == format!("List{plural}") {
        let listed = output.get_field(1).is_some_and(|field| message_name(&field) == *message);
        need(listed, format!("lists {singular} as field 1 of its response"));
        need(required("parent"), "needs a REQUIRED `parent`".to_owned());
    } else if name == format!("Create{singular}") {
        need(output.full_name() == message, format!("returns the {singular} itself"));
        need(required("parent"), "needs a REQUIRED `parent`".to_owned());
        need(required(&own) && holds(&own, message), format!("needs a REQUIRED `{own}`"));
        let id = format!("{own}_id");
        need(input.get_field_by_name(&id).is_some(), format!("needs `{id}`: clients choose names"));
    } else if name == format!("Update{singular}") {
        need(output.full_name() == message, format!("returns the {singular} itself"));
        need(required(&own) && holds(&own, message), format!("needs a REQUIRED `{own}`"));
        need(holds("update_mask", "google.protobuf.FieldMask"), "needs `update_mask`".to_owned());
    } else if name == format!("Delete{singular}") {
        need(output.full_name() == "google.protobuf.Empty", "returns Empty".to_owned());
        need(required("name"), "needs a REQUIRED `name`".to_owned());
        need(!etag || input.get_field_by_name("etag").is_some(), "needs `etag`".to_owned());
    }
    faults
}
