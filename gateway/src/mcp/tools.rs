//! The tools: names, descriptions and JSON schemas, from the contracts.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use prost_reflect::MethodDescriptor;
use serde_json::{Value, json, value::RawValue};

use crate::{
    GatewayError,
    catalog::{Catalog, Entry},
    json::{is_well_known, snake_case},
    schema::{Schemas, comments},
};

/// What agents can call.
#[derive(Debug)]
pub(crate) struct Tools {
    by_name: HashMap<String, Arc<Entry>>,
    /// As `tools/list` tells it, always in the same order. Written when it is asked for the first time: schemas are large.
    list: OnceLock<Box<RawValue>>,
}

impl Tools {
    /// Those of the methods that their contracts mark.
    ///
    /// # Errors
    /// Two methods whose tools would have one name.
    pub(crate) fn new(catalog: &Catalog) -> Result<Self, GatewayError> {
        let mut by_name: HashMap<String, Arc<Entry>> = HashMap::new();
        for entry in catalog.methods().into_iter().filter(|entry| entry.is_tool) {
            let name = name(&entry.descriptor);
            if let Some(first) = by_name.insert(name.clone(), Arc::clone(entry)) {
                let (first, second) = (first.path.to_string(), entry.path.to_string());
                return Err(GatewayError::Tool { name, first, second });
            }
        }
        Ok(Self { by_name, list: OnceLock::new() })
    }

    pub(super) fn list(&self) -> &RawValue {
        self.list.get_or_init(|| {
            let mut tools: Vec<_> = self.by_name.iter().collect();
            tools.sort_by_key(|(_, entry)| entry.path.as_str());
            let list = tools.into_iter().map(|(name, entry)| describe(name, entry)).collect();
            RawValue::from_string(Value::Array(list).to_string()).expect("it was JSON before")
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name)
    }
}

/// Whether the JSON of a method's answer is an object.
pub(super) fn answers_with_object(entry: &Entry) -> bool {
    let name = entry.output.full_name();
    !is_well_known(name) || ["google.protobuf.Empty", "google.protobuf.Struct"].contains(&name)
}

/// `graph_get_graph` for `GraphService/GetGraph`: letters that every client takes.
fn name(method: &MethodDescriptor) -> String {
    let service = method.parent_service();
    let service = service.name().strip_suffix("Service").unwrap_or(service.name());
    format!(
        "{}_{}",
        snake_case(service).trim_start_matches('_'),
        snake_case(method.name()).trim_start_matches('_')
    )
}

fn describe(name: &str, entry: &Entry) -> Value {
    let method = &entry.descriptor;
    let title = snake_case(method.name()).replace('_', " ");
    let mut description = comments::of(&method.parent_service().parent_file(), method.path());
    if description.is_empty() {
        // Contracts that were asked for by reflection have no comments, and a model chooses by what it reads.
        description = format!("Calls {} of {}", method.name(), method.parent_service().full_name());
    }
    let mut tool = json!({
        "name": name,
        "title": title.trim(),
        "description": description,
        "inputSchema": input(entry),
        "annotations": {
            "readOnlyHint": !entry.has_side_effects,
            // What only adds cannot destroy.
            "destructiveHint": entry.has_side_effects && !method.name().starts_with("Create"),
            "idempotentHint": entry.is_repeatable,
            "openWorldHint": false,
        },
    });
    if answers_with_object(entry) {
        tool["outputSchema"] = output(entry);
    }
    tool
}

fn input(entry: &Entry) -> Value {
    let mut schemas = Schemas::at("#/$defs/").writable_only();
    let mut schema = if is_well_known(entry.input.full_name()) {
        json!({ "type": "object", "properties": {} })
    } else {
        schemas.object(&entry.input, &BTreeSet::new())
    };
    schema["additionalProperties"] = json!(false);
    with_definitions(schema, schemas)
}

fn output(entry: &Entry) -> Value {
    let mut schemas = Schemas::at("#/$defs/");
    let schema = if is_well_known(entry.output.full_name()) {
        json!({ "type": "object" })
    } else {
        schemas.object(&entry.output, &BTreeSet::new())
    };
    with_definitions(schema, schemas)
}

fn with_definitions(mut schema: Value, schemas: Schemas) -> Value {
    let definitions = schemas.into_json();
    if definitions.as_object().is_some_and(|all| !all.is_empty()) {
        schema["$defs"] = definitions;
    }
    schema
}
