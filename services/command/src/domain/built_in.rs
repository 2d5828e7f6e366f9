//! The command types that ship with the mesh: every project has them, and every agent of ours knows them.

use std::time::Duration;

use serde_json::{Value as Json, json};
use weft_kit::json as structs;
use weft_kit::span;
use weft_proto::weft::command::v1::CommandType;

/// Id and content of each.
pub(crate) fn all() -> Vec<(&'static str, CommandType)> {
    vec![
        (
            "echo",
            built(
                "Echo",
                "Gives its text back: from here to the agent's program and back again.",
                json!({
                    "type": "object",
                    "properties": {"text": {"type": "string", "maxLength": 65_536}},
                    "additionalProperties": false,
                }),
                json!({"type": "object", "properties": {"text": {"type": "string"}}}),
                Duration::from_secs(30),
            ),
        ),
        (
            "noop",
            built(
                "Nothing",
                "Does nothing, and says so: is the agent there, and does it take commands?",
                json!({"type": "object", "additionalProperties": false}),
                json!({"type": "object"}),
                Duration::from_secs(30),
            ),
        ),
        (
            "run-script",
            built(
                "Run a script",
                "Runs a script that the agent's configuration allows by name, within the limits that it sets. \
                 No shell sees the arguments.",
                json!({
                    "type": "object",
                    "required": ["script"],
                    "properties": {
                        "script": {
                            "type": "string",
                            "description": "Name of the script in the agent's configuration.",
                            "pattern": "^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$",
                        },
                        "arguments": {
                            "type": "array",
                            "description": "Arguments, each as one word, where the configuration lets them in.",
                            "maxItems": 64,
                            "items": {"type": "string", "maxLength": 4096},
                        },
                        "input": {
                            "type": "string",
                            "description": "What it reads from its standard input.",
                            "maxLength": 131_072,
                        },
                        "secretInput": {
                            "type": "string",
                            "description": "The same, and never shown again.",
                            "maxLength": 131_072,
                            "writeOnly": true,
                        },
                    },
                    "additionalProperties": false,
                }),
                json!({
                    "type": "object",
                    "required": ["exitCode"],
                    "properties": {
                        "exitCode": {"type": "integer"},
                        "outputBytes": {"type": "integer"},
                        "outputTruncated": {"type": "boolean"},
                    },
                }),
                Duration::from_hours(1),
            ),
        ),
    ]
}

fn built(name: &str, description: &str, arguments: Json, result: Json, timeout: Duration) -> CommandType {
    CommandType {
        display_name: name.into(),
        description: description.into(),
        arguments_schema: Some(structs::to_struct(arguments)),
        result_schema: Some(structs::to_struct(result)),
        attempt_timeout: Some(span::of(timeout)),
        built_in: true,
        ..CommandType::default()
    }
}
