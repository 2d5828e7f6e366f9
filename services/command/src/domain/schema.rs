//! JSON Schemas of arguments and results: what does not follow them, and what in them is secret.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use prost_types::Struct;
use regex::Regex;
use serde_json::Value as Json;
use weft_kit::json;

/// How many violations are told.
const TOLD: usize = 16;
/// References inside a schema that are followed from one to the next.
const FOLLOWED: usize = 32;

/// A schema, compiled.
pub(crate) struct Schema {
    validator: Validator,
    root: Json,
    has_secrets: bool,
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Schema").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Schema {
    /// Compiles a schema. It fetches nothing: a reference out of it is an error.
    pub(crate) fn compile(schema: &Struct) -> Result<Self, String> {
        let root = json::of_struct(schema);
        if json::is_too_deep(&root) {
            return Err("is nested too deep".into());
        }
        // Patterns of people who may create types must not take time without end.
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let validator = options.build(&root).map_err(|error| error.to_string())?;
        let has_secrets = marks_secrets(&root);
        Ok(Self { validator, root, has_secrets })
    }

    /// What is wrong with a value: path and problem. No problem tells a part of the value.
    pub(crate) fn violations(&self, value: &Json) -> Vec<(String, String)> {
        let errors = self.validator.iter_errors(value).take(TOLD);
        errors
            .map(|error| {
                let path = error.instance_path().to_string();
                (dotted(&path), error.masked_with("it").to_string())
            })
            .collect()
    }

    /// Whether anything in it is a secret.
    pub(crate) fn has_secrets(&self) -> bool {
        self.has_secrets
    }

    /// Takes the secrets out of a value. Where it is open which part of the schema a value follows, what any of them
    /// calls a secret is one.
    pub(crate) fn redact(&self, value: &mut Json) {
        if self.has_secrets && self.redact_by(&[&self.root], value) {
            *value = Json::Null;
        }
    }

    /// Whether the value itself is a secret; those inside of it are taken out.
    fn redact_by(&self, schemas: &[&Json], value: &mut Json) -> bool {
        let mut all = Vec::new();
        for schema in schemas {
            self.collect(schema, &mut all, FOLLOWED);
        }
        if all.iter().any(|schema| schema.get("writeOnly").and_then(Json::as_bool) == Some(true)) {
            return true;
        }
        match value {
            Json::Object(members) => members.retain(|name, member| {
                let of_member: Vec<&Json> = all.iter().flat_map(|schema| of_property(schema, name)).collect();
                of_member.is_empty() || !self.redact_by(&of_member, member)
            }),
            Json::Array(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    let of_item: Vec<&Json> = all.iter().flat_map(|schema| of_item(schema, place)).collect();
                    if !of_item.is_empty() && self.redact_by(&of_item, item) {
                        *item = Json::Null;
                    }
                }
            }
            _ => {}
        }
        false
    }

    /// A schema and all that hold, or may hold, for the same value.
    fn collect<'a>(&'a self, schema: &'a Json, all: &mut Vec<&'a Json>, left: usize) {
        let Some(left) = left.checked_sub(1) else { return };
        all.push(schema);
        for word in ["allOf", "anyOf", "oneOf"] {
            for one in schema.get(word).and_then(Json::as_array).into_iter().flatten() {
                self.collect(one, all, left);
            }
        }
        for word in ["if", "then", "else"] {
            if let Some(one) = schema.get(word) {
                self.collect(one, all, left);
            }
        }
        for one in schema.get("dependentSchemas").and_then(Json::as_object).into_iter().flatten() {
            self.collect(one.1, all, left);
        }
        for word in ["$ref", "$dynamicRef"] {
            if let Some(one) = schema.get(word).and_then(Json::as_str).and_then(|to| self.referred(to)) {
                self.collect(one, all, left);
            }
        }
    }

    /// What a reference means: a place in the schema, an anchor or an id.
    fn referred(&self, to: &str) -> Option<&Json> {
        match to.strip_prefix('#') {
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => self.root.pointer(pointer),
            name => find_named(&self.root, name.unwrap_or(to)),
        }
    }
}

/// The part of a schema with that anchor or id.
fn find_named<'a>(schema: &'a Json, name: &str) -> Option<&'a Json> {
    let is_it = |word: &str| schema.get(word).and_then(Json::as_str) == Some(name);
    if is_it("$anchor") || is_it("$dynamicAnchor") || is_it("$id") {
        return Some(schema);
    }
    match schema {
        Json::Object(members) => members.values().find_map(|member| find_named(member, name)),
        Json::Array(items) => items.iter().find_map(|item| find_named(item, name)),
        _ => None,
    }
}

fn marks_secrets(schema: &Json) -> bool {
    match schema {
        Json::Object(members) => members.iter().any(|(word, member)| {
            (word == "writeOnly" && *member == Json::Bool(true)) || marks_secrets(member)
        }),
        Json::Array(items) => items.iter().any(marks_secrets),
        _ => false,
    }
}

/// Schemas that hold, or may hold, for a property of that name.
fn of_property<'a>(schema: &'a Json, name: &str) -> Vec<&'a Json> {
    let named = schema.get("properties").and_then(|properties| properties.get(name));
    let patterns = schema.get("patternProperties").and_then(Json::as_object);
    // One that cannot be read here may hold for anything.
    let is_other = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(name));
    let patterns = patterns.into_iter().flatten().filter(|(pattern, _)| !is_other(pattern));
    let patterns = patterns.map(|(_, one)| one);
    let others = ["additionalProperties", "unevaluatedProperties"];
    let others = others.iter().filter(|_| named.is_none()).filter_map(|word| schema.get(*word));
    named.into_iter().chain(patterns).chain(others).collect()
}

/// Schemas that hold, or may hold, for the item at a place.
fn of_item(schema: &Json, place: usize) -> Vec<&Json> {
    let placed = schema.get("prefixItems").and_then(|items| items.get(place));
    let all = ["items", "contains", "unevaluatedItems"].iter().filter_map(|word| schema.get(*word));
    placed.into_iter().chain(all).collect()
}

/// `/a/0/b` as field paths are written: `a[0].b`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|letter| letter.is_ascii_digit()) {
            path.push('[');
            path.push_str(part);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(json: Json) -> Schema {
        Schema::compile(&json::to_struct(json)).expect("a good schema")
    }

    #[test]
    fn violations_name_the_field_and_not_the_value() {
        let schema = schema(json!({
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string"}, "list": {"items": {"type": "object",
                "properties": {"pin": {"type": "integer", "writeOnly": true}}}}},
        }));
        assert!(schema.violations(&json!({"a": "x"})).is_empty());
        let wrong = schema.violations(&json!({"list": [{"pin": "hunter2"}]}));
        let paths: Vec<_> = wrong.iter().map(|(path, _)| path.as_str()).collect();
        assert!(paths.contains(&"list[0].pin") && paths.contains(&""), "{wrong:?}");
        assert!(wrong.iter().all(|(_, what)| !what.contains("hunter2")), "{wrong:?}");
    }

    #[test]
    fn whole_numbers_are_integers() {
        let schema = schema(json!({"properties": {"n": {"type": "integer"}}}));
        let sent = json::to_struct(json!({"n": 3}));
        assert!(schema.violations(&json::of_struct(&sent)).is_empty());
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_are_marked() {
        let schema = schema(json!({
            "$defs": {"token": {"type": "string", "writeOnly": true}},
            "properties": {
                "user": {"type": "string"},
                "password": {"type": "string", "writeOnly": true},
                "nested": {"properties": {"token": {"$ref": "#/$defs/token"}}},
                "tokens": {"items": {"$ref": "#/$defs/token"}},
            },
            "patternProperties": {"^secret_": {"writeOnly": true}},
            "allOf": [{"properties": {"pin": {"writeOnly": true}}}],
        }));
        let mut value = json!({
            "user": "u", "password": "p", "nested": {"token": "t", "left": 1}, "tokens": ["a", "b"],
            "secret_x": 1, "pin": 4711,
        });
        schema.redact(&mut value);
        let text = value.to_string();
        assert_eq!(value["nested"], json!({"left": 1}));
        for secret in ["\"p\"", "\"t\"", "\"a\"", "secret_x", "4711"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn a_schema_fetches_nothing_and_must_be_one() {
        let outside = json!({"$ref": "https://example.org/schema.json"});
        assert!(Schema::compile(&json::to_struct(outside)).is_err());
        let nonsense = json!({"type": "no such type"});
        assert!(Schema::compile(&json::to_struct(nonsense)).is_err());
    }
}
