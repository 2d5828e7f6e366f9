//! Rules of the contracts, in the schemas of documents and tools.

use serde_json::{Value, json};

use crate::matrix;

/// The properties that `Ruled` must have, wherever its schema is.
fn check(schema: &Value, place: &str) {
    let property = |name: &str| {
        let mut property = schema["properties"][name].clone();
        property.as_object_mut().expect(name).remove("description");
        property
    };
    for (name, expected) in [
        (
            "name",
            json!({ "type": "string", "minLength": 1, "maxLength": 40, "pattern": "^shelves/[a-z]+$", "examples": ["shelves/s"] }),
        ),
        ("requestId", json!({ "type": "string", "anyOf": [{ "maxLength": 0 }, { "format": "uuid" }] })),
        ("pageSize", json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 100 })),
        (
            "share",
            json!({ "type": "number", "format": "double", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5 }),
        ),
        (
            "weight",
            json!({ "oneOf": [
                { "type": "number", "format": "float", "minimum": 1 },
                { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
            ] }),
        ),
        (
            "color",
            json!({ "$ref": format!("{place}test.v1.Color"), "not": { "enum": ["COLOR_UNSPECIFIED"] } }),
        ),
        (
            "words",
            json!({
                "type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": true,
                "items": { "type": "string", "maxLength": 8, "examples": ["red"] },
            }),
        ),
        (
            "counts",
            json!({
                "type": "object", "maxProperties": 2, "propertyNames": { "pattern": "^[a-z]$" },
                "additionalProperties": { "type": "integer", "format": "int32", "exclusiveMinimum": 0 },
            }),
        ),
        ("blob", json!({ "type": "string", "contentEncoding": "base64", "maxLength": 16 })),
        ("act", json!({ "$ref": format!("{place}test.v1.Act") })),
        ("view", json!({ "type": "string", "enum": ["full", "short"] })),
    ] {
        assert_eq!(property(name), expected, "{name}");
    }
    assert_eq!(schema["required"], json!(["name", "words", "act"]));
}

#[tokio::test]
async fn documents_and_tools_tell_them() {
    let edge = matrix::edge();
    let document = edge.call("GET /openapi.json", "").await.ok();
    let schemas = &document["components"]["schemas"];
    check(&schemas["test.v1.Ruled"], "#/components/schemas/");
    let one = json!([{ "oneOf": [{ "required": ["one"] }, { "required": ["other"] }] }]);
    assert_eq!(schemas["test.v1.Choice"]["allOf"], one);
    let parameters = document["paths"]["/v1/shapes:judge"]["get"]["parameters"].as_array().expect("a list");
    let of = |name: &str| parameters.iter().find(|parameter| parameter["name"] == name).expect(name);
    assert_eq!((&of("name")["required"], &of("name")["schema"]["maxLength"]), (&json!(true), &json!(40)));
    assert_eq!(of("pageSize")["schema"]["maximum"], 100);

    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let list = edge.call("POST /mcp", list).await.ok();
    let tools = list["result"]["tools"].as_array().expect("a list").clone();
    let tool = tools.iter().find(|tool| tool["name"] == "shape_judge").expect("it is a tool");
    check(&tool["inputSchema"], "#/$defs/");
    // Some models take no alternatives at the top.
    assert_eq!(tool["inputSchema"]["allOf"], Value::Null);
}
