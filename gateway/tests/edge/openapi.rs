//! The OpenAPI document.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

use crate::support::Edge;

async fn document(edge: &Edge) -> Value {
    edge.call("GET /openapi.json", "").await.ok()
}

#[tokio::test]
async fn it_is_answered_and_cached() {
    let edge = Edge::new();
    let answer = edge.call("GET /openapi.json", "").await;
    let etag = answer.header("etag").to_owned();
    assert_eq!(answer.ok()["openapi"], "3.1.0");
    let again = edge.call_with("GET /openapi.json", &[("if-none-match", &etag)], "").await;
    assert_eq!((again.status.as_u16(), again.text(), again.header("etag")), (304, "", etag.as_str()));
    assert_eq!(edge.call("POST /openapi.json", "{}").await.status, 405);
}

#[tokio::test]
async fn paths_and_parameters_follow_the_templates() {
    let document = document(&Edge::new()).await;
    let thing = &document["paths"]["/v1/shelves/{shelf}/things/{thing}"];
    assert_eq!(thing["get"]["operationId"], "EchoService_GetThing");
    assert_eq!(thing["get"]["summary"], "Gets a thing");
    let names = |operation: &Value, place: &str| -> Vec<String> {
        let parameters = operation["parameters"].as_array().expect("parameters").iter();
        let names = parameters
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| parameter["name"].as_str());
        names.map(|name| name.expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&thing["get"], "path"), ["shelf", "thing"]);
    assert_eq!(names(&thing["get"], "query"), ["view", "readMask"]);
    assert_eq!(names(&thing["patch"], "query"), ["updateMask", "allowMissing"]);
    let body = |operation: &Value| operation["requestBody"]["content"]["application/json"]["schema"].clone();
    assert_eq!(body(&thing["patch"]), json!({ "$ref": "#/components/schemas/test.v1.Thing" }));
    let moved = &document["paths"]["/v1/shelves/{shelf}/things/{thing}:move"]["post"];
    assert_eq!(body(moved)["required"], json!(["to"]), "the name is in the path");
    let file = &document["paths"]["/v1/files/{path}"]["get"]["parameters"][0];
    assert_eq!(file["description"], "May contain `/`.");
    let numbers = &document["paths"]["/v1/echo/{nested.text}/numbers"]["put"];
    assert_eq!(body(numbers), json!({ "type": "array", "items": { "type": "integer", "format": "int32" } }));
}

#[tokio::test]
async fn streams_tell_their_media_types_and_hidden_methods_are_hidden() {
    let document = document(&Edge::new()).await;
    let content = &document["paths"]["/v1/count"]["get"]["responses"]["200"]["content"];
    let number = json!({ "$ref": "#/components/schemas/test.v1.Number" });
    assert_eq!(content["application/x-ndjson"]["schema"], number);
    assert_eq!(content["text/event-stream"]["schema"], number);
    assert_eq!(content["application/json"]["schema"], json!({ "type": "array", "items": number }));
    assert_eq!(document["paths"]["/v1/hidden"], Value::Null);
    assert_eq!(document["paths"]["/v1/chat"], Value::Null);
    assert_eq!(document["paths"]["/v1/metadata"]["get"]["security"], Value::Null);
    assert_eq!(document["paths"]["/v1/echo"]["post"]["security"], json!([]));
}

#[tokio::test]
async fn schemas_look_as_the_json_does() {
    let document = document(&Edge::new()).await;
    let everything = &document["components"]["schemas"]["test.v1.Everything"]["properties"];
    assert_eq!(
        everything["int64Value"],
        json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" })
    );
    assert_eq!(everything["stringValue"], json!({ "type": "string", "description": "A text." }));
    assert_eq!(everything["nested"], json!({ "$ref": "#/components/schemas/test.v1.Everything" }));
    assert_eq!(everything["counts"]["additionalProperties"]["format"], "int32");
    assert_eq!(document["components"]["schemas"]["test.v1.Color"]["enum"][1], "COLOR_RED");
    assert_eq!(
        document["components"]["schemas"]["test.v1.Thing"]["properties"]["createTime"]["readOnly"],
        true
    );
}

/// What a validator would find: references that lead nowhere, path parameters that are not in
/// the path or not described, operation ids that are not unique.
fn check(document: &Value) {
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(
            document.pointer(reference).is_some_and(|target| !target.is_null()),
            "{reference} leads nowhere"
        );
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let in_path: BTreeSet<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        for (method, operation) in item.as_object().expect("an item") {
            assert!(["get", "put", "post", "delete", "patch"].contains(&method.as_str()), "{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{method} {path}");
            let no_parameters = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&no_parameters);
            let described: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().expect("a name"))
                .collect();
            assert_eq!(in_path, described, "{method} {path}");
            let named: BTreeSet<String> =
                parameters.iter().map(|p| format!("{}{}", p["in"], p["name"])).collect();
            assert_eq!(named.len(), parameters.len(), "{method} {path}");
            assert!(
                operation["responses"]["200"]["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{path}"
            );
        }
    }
    assert!(!ids.is_empty());
}

#[tokio::test]
async fn documents_hold_together() {
    check(&document(&Edge::new()).await);
    // And that of the mesh itself.
    let nobody = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Err::<http::Response<tonic::body::Body>, _>(std::io::Error::other("nobody"))
    });
    let pool = weft_proto::pool().clone();
    let upstreams = pool
        .services()
        .fold(Upstreams::new(), |upstreams, service| upstreams.with(service.full_name(), Peer::new(nobody)));
    let gateway =
        Gateway::new(upstreams, GatewayOptions::default(), pool, Lifecycle::new()).expect("good contracts");
    let document: Value = serde_json::from_slice(&gateway.openapi()).expect("JSON");
    check(&document);
    assert!(document["paths"]["/v1/projects/{project}/graphs/{graph}"]["patch"].is_object());
}
