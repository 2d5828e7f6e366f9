//! One route as an OpenAPI operation.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, ServiceDescriptor};
use serde_json::{Map, Value, json};
use weft_proto::google::api::FieldBehavior;

use crate::{
    json::is_well_known,
    rest::{BodyRule, Route, Router, Segment},
    schema::{self, Schemas, behaviors, comments, well_known},
};

/// The path, with a parameter for each wildcard, and the operation.
pub(super) fn of(
    route: &Route,
    names: &Names,
    services: &Services,
    schemas: &mut Schemas,
) -> (String, Value) {
    let (path, mut parameters) = path(route, names, schemas);
    query(route, schemas, &mut parameters);
    if route.cursor.is_some() {
        parameters.push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "Id of the last server-sent event that the client has: the stream goes on after it.",
            "schema": { "type": "string" },
        }));
    }
    let method = &route.entry.descriptor;
    let description = comments::of(&method.parent_service().parent_file(), method.path());
    let mut operation = json!({
        "operationId": operation_id(route, services),
        "summary": comments::summary(&description),
        "description": description,
        "tags": [services.called(method.parent_service())],
        "responses": {
            "200": {
                "description": comments::summary(&comments::of(&route.entry.output.parent_file(), route.entry.output.path())),
                "content": answer(route, schemas),
            },
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    if operation["responses"]["200"]["description"] == "" {
        operation["responses"]["200"]["description"] = json!("The answer");
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = body(route, schemas) {
        operation["requestBody"] = body;
    }
    if route.entry.public {
        operation["security"] = json!([]);
    }
    (path, operation)
}

/// `GraphService_GetGraph`; with its verb and path where the method has several.
fn operation_id(route: &Route, services: &Services) -> String {
    let method = &route.entry.descriptor;
    let name = format!("{}_{}", services.called(method.parent_service()), method.name());
    if route.is_additional {
        let words =
            route.path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let http_method = route.http_method.as_ref().map_or("any", http::Method::as_str).to_ascii_lowercase();
        return format!("{name}_{http_method}_{}", words.collect::<Vec<_>>().join("_"));
    }
    name
}

/// `/v1/{name=projects/*/graphs/*}` becomes `/v1/projects/{project}/graphs/{graph}`.
fn path(route: &Route, names: &Names, schemas: &mut Schemas) -> (String, Vec<Value>) {
    let mut path = String::new();
    let mut parameters = Vec::new();
    let mut used = BTreeSet::new();
    let mut before = "";
    for (index, segment) in route.template.segments.iter().enumerate() {
        path.push('/');
        if let Segment::Literal(text) = segment {
            path.push_str(text);
            before = text;
            continue;
        }
        let variable = route
            .variables
            .iter()
            .find(|variable| variable.from <= index && variable.to.is_none_or(|to| index < to));
        let is_whole = variable
            .is_some_and(|variable| variable.from == index && variable.to.is_none_or(|to| to == index + 1));
        let mut name = match variable {
            Some(variable) if is_whole => field_path(&variable.fields),
            _ => names.of(before),
        };
        while !used.insert(name.clone()) {
            name.push('_');
        }
        let mut text = variable.map(|variable| describe(&variable.fields)).unwrap_or_default();
        if let Some(variable) = variable.filter(|_| !is_whole) {
            text = format!("Part of `{}`.", field_path(&variable.fields));
        }
        if *segment == Segment::Rest {
            text.push_str(" May contain `/`.");
        }
        let schema = variable.and_then(|variable| {
            let (whole, _) = schemas.ruled(variable.fields.last()?);
            if is_whole {
                Some(whole)
            } else {
                part(&whole, index - variable.from, variable.to? - variable.from)
            }
        });
        path.extend(["{", &name, "}"]);
        parameters.push(json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": text.trim(),
            "schema": schema.unwrap_or_else(|| json!({ "type": "string" })),
        }));
    }
    if let Some(verb) = &route.template.verb {
        path.push(':');
        path.push_str(verb);
    }
    (path, parameters)
}

/// What is asked of one of the segments of a text that has so many: the part of its pattern between two `/`, where the
/// pattern has as many.
fn part(whole: &Value, index: usize, count: usize) -> Option<Value> {
    let pattern = whole["pattern"].as_str()?.strip_prefix('^')?.strip_suffix('$')?;
    let parts: Vec<&str> = pattern.split('/').collect();
    // A `/` may stand within a group or a class, and then these are no parts.
    let is_closed = |part: &&str| {
        ["()", "[]", "{}"].iter().all(|pair| {
            let (open, close) = pair.split_at(1);
            part.matches(open).count() == part.matches(close).count()
        })
    };
    let is_apart = parts.len() == count && parts.iter().all(is_closed) && !pattern.contains('\\');
    is_apart.then(|| json!({ "type": "string", "pattern": format!("^{}$", parts[index]) }))
}

fn field_path(fields: &[FieldDescriptor]) -> String {
    fields.iter().map(FieldDescriptor::json_name).collect::<Vec<_>>().join(".")
}

fn describe(fields: &[FieldDescriptor]) -> String {
    fields
        .last()
        .map(|field| comments::of(&field.parent_message().parent_file(), field.path()))
        .unwrap_or_default()
}

/// What services are called: by their simple names, as long as there is one of a name.
pub(super) struct Services(BTreeSet<String>);

impl Services {
    /// Of several that share a simple name, only one of the mesh's own keeps it: what somebody's program knows
    /// of us does not change because another service came.
    pub(super) fn new(router: &Router) -> Self {
        let mut claims: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
        for route in router.routes() {
            let service = route.entry.descriptor.parent_service();
            let (own, all) = claims.entry(service.name().to_owned()).or_default();
            all.insert(service.full_name().to_owned());
            if route.entry.foreign.is_none() {
                own.insert(service.full_name().to_owned());
            }
        }
        let simple = claims.into_values().filter_map(|(own, all)| {
            let claims = if own.is_empty() { all } else { own };
            claims.first().filter(|_| claims.len() == 1).cloned()
        });
        Self(simple.collect())
    }

    pub(super) fn called(&self, service: &ServiceDescriptor) -> String {
        if self.0.contains(service.full_name()) {
            service.name().to_owned()
        } else {
            service.full_name().replace('.', "_")
        }
    }
}

/// What one of a collection is called: `graph` of `graphs`.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// As the patterns of the contracts' resources say.
    pub(super) fn new(pool: &DescriptorPool) -> Self {
        let mut names = BTreeMap::new();
        let Some(extension) = pool.get_extension_by_name("google.api.resource") else { return Self(names) };
        for message in pool.all_messages() {
            let options = message.options();
            let resource = options.get_extension(&extension);
            let patterns = resource.as_message().and_then(|resource| resource.get_field_by_name("pattern"));
            let patterns = patterns.as_ref().and_then(|patterns| patterns.as_list()).unwrap_or_default();
            for pattern in patterns.iter().filter_map(prost_reflect::Value::as_str) {
                let segments: Vec<&str> = pattern.split('/').collect();
                for pair in segments.windows(2) {
                    if let [collection, variable] = pair
                        && let Some(name) = variable.strip_prefix('{').and_then(|name| name.strip_suffix('}'))
                    {
                        names.insert((*collection).to_owned(), name.to_owned());
                    }
                }
            }
        }
        Self(names)
    }

    fn of(&self, collection: &str) -> String {
        match (self.0.get(collection), collection.strip_suffix('s')) {
            (Some(name), _) => name.clone(),
            (None, Some(stem)) if !stem.is_empty() => stem.to_owned(),
            _ if collection.is_empty() => "part".to_owned(),
            _ => collection.to_owned(),
        }
    }
}

fn query(route: &Route, schemas: &mut Schemas, parameters: &mut Vec<Value>) {
    if matches!(route.body, BodyRule::Whole) {
        return;
    }
    let mut walk = QueryWalk { route, schemas, parameters, fields: Vec::new() };
    walk.message(&route.entry.input);
}

/// Collects the fields of a request that are query parameters.
struct QueryWalk<'a> {
    route: &'a Route,
    schemas: &'a mut Schemas,
    parameters: &'a mut Vec<Value>,
    fields: Vec<FieldDescriptor>,
}

impl QueryWalk<'_> {
    fn message(&mut self, message: &MessageDescriptor) {
        /// Parameters of deeper messages work, but nobody would find them in a list.
        const DEPTH: usize = 3;
        for field in message.fields() {
            if matches!(&self.route.body, BodyRule::Field(body) if *body == field && self.fields.is_empty()) {
                continue;
            }
            self.fields.push(field.clone());
            let is_bound = self.route.variables.iter().any(|variable| variable.fields == self.fields);
            match field.kind() {
                _ if is_bound || field.is_map() => {}
                Kind::Message(inner) if is_well_known(inner.full_name()) => self.well_known(&field, &inner),
                Kind::Message(inner) if !field.is_list() && self.fields.len() < DEPTH => self.message(&inner),
                Kind::Message(_) => {}
                _ => {
                    let (schema, is_needed) = self.schemas.ruled(&field);
                    self.parameter(&field, &schema, is_needed);
                }
            }
            self.fields.pop();
        }
    }

    fn well_known(&mut self, field: &FieldDescriptor, inner: &MessageDescriptor) {
        let name = inner.full_name();
        let is_text = !["Any", "Empty", "ListValue", "Struct", "Value"]
            .iter()
            .any(|other| name.strip_prefix("google.protobuf.") == Some(*other));
        if is_text {
            let schema = well_known(name);
            let schema = if field.is_list() { json!({ "type": "array", "items": schema }) } else { schema };
            self.parameter(field, &schema, false);
        }
    }

    fn parameter(&mut self, field: &FieldDescriptor, schema: &Value, is_needed: bool) {
        let mut parameter = json!({
            "name": field_path(&self.fields),
            "in": "query",
            "description": describe(&self.fields),
            "schema": schema,
        });
        if self.fields.len() == 1 && (is_needed || behaviors(field).contains(&FieldBehavior::Required)) {
            parameter["required"] = json!(true);
        }
        self.parameters.push(parameter);
    }
}

fn body(route: &Route, schemas: &mut Schemas) -> Option<Value> {
    let (schema, is_needed) = match &route.body {
        BodyRule::None => return None,
        BodyRule::Whole if route.entry.input.full_name() == "google.api.HttpBody" => return Some(raw_body()),
        BodyRule::Whole => {
            // What the path tells need not be said again.
            let told: BTreeSet<String> = route
                .variables
                .iter()
                .filter_map(|variable| variable.fields.first())
                .map(|field| field.name().to_owned())
                .collect();
            let object = schemas.object(&route.entry.input, &told);
            // No body is an empty one.
            let is_needed =
                object.get("required").is_some() || schema::has_required_oneof(&route.entry.input);
            (if told.is_empty() { schemas.message(&route.entry.input) } else { object }, is_needed)
        }
        BodyRule::Field(field) => match field.kind() {
            Kind::Message(kind) if kind.full_name() == "google.api.HttpBody" => return Some(raw_body()),
            _ => {
                let (_, is_ruled) = schemas.ruled(field);
                // The path may tell a part of it, and then it is there.
                let is_told = route.variables.iter().any(|told| told.fields.first() == Some(field));
                let is_needed = is_ruled || behaviors(field).contains(&FieldBehavior::Required);
                (schemas.field(field), is_needed && !is_told)
            }
        },
    };
    Some(json!({ "required": is_needed, "content": { "application/json": { "schema": schema } } }))
}

fn raw_body() -> Value {
    json!({ "required": true, "content": { "*/*": { "schema": {} } } })
}

fn answer(route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let is_raw = route.response_field.is_none() && route.entry.output.full_name() == "google.api.HttpBody";
    let types: &[&str] = match (is_raw, route.entry.server_streaming) {
        (true, _) => &["*/*"],
        (false, true) => &["application/x-ndjson", "text/event-stream", "application/json"],
        (false, false) => &["application/json"],
    };
    let schema = match &route.response_field {
        _ if is_raw => json!({}),
        Some(field) => schemas.field(field),
        None => schemas.message(&route.entry.output),
    };
    types
        .iter()
        .map(|media| {
            let is_array = *media == "application/json" && route.entry.server_streaming;
            let schema = if is_array { json!({ "type": "array", "items": schema }) } else { schema.clone() };
            ((*media).to_owned(), json!({ "schema": schema }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_its_part_of_the_pattern() {
        let name = json!({ "type": "string", "pattern": "^projects/[a-z](x|y{1,2})?/graphs/(mesh|[0-9]+)$" });
        let of = |index| part(&name, index, 4).map(|schema| schema["pattern"].clone());
        assert_eq!(of(1), Some(json!("^[a-z](x|y{1,2})?$")));
        assert_eq!(of(3), Some(json!("^(mesh|[0-9]+)$")));
    }

    #[test]
    fn a_pattern_that_cannot_be_parted_is_not() {
        for (pattern, count) in [
            ("^projects/[a-z]+$", 4),
            ("projects/[a-z]+", 2),
            ("^projects/([a-z]+/x|y)$", 3),
            ("^[a-z/]+$", 2),
            (r"^[a-z\]]+/x$", 2),
        ] {
            let schema = json!({ "type": "string", "pattern": pattern });
            assert_eq!(part(&schema, 0, count), None, "{pattern}");
        }
        assert_eq!(part(&json!({ "type": "string" }), 0, 1), None);
    }
}
