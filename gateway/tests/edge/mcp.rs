//! The Model Context Protocol, both of its eras.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    support::{Answer, Edge},
    upstream::Event,
};

async fn post(edge: &Edge, headers: &[(&str, &str)], message: &Value) -> Answer {
    edge.call_with("POST /mcp", headers, &message.to_string()).await
}

/// The result of a request of the older era.
async fn ask(edge: &Edge, method: &str, params: Value) -> Value {
    let answer =
        post(edge, &[], &json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })).await;
    let json = answer.ok();
    assert_eq!((&json["jsonrpc"], &json["id"]), (&json!("2.0"), &json!(7)));
    assert_eq!(json.get("error"), None, "{json}");
    json["result"].clone()
}

async fn call(edge: &Edge, tool: &str, arguments: Value) -> Value {
    ask(edge, "tools/call", json!({ "name": tool, "arguments": arguments })).await
}

#[tokio::test]
async fn a_session_begins_with_a_handshake_that_nobody_keeps() {
    let edge = Edge::new();
    for (wanted, agreed) in [
        (json!("2025-11-25"), "2025-11-25"),
        (json!("2025-06-18"), "2025-06-18"),
        (json!("2024-11-05"), "2025-11-25"),
        (json!("2026-07-28"), "2025-11-25"),
        (Value::Null, "2025-11-25"),
    ] {
        let params = json!({ "protocolVersion": wanted, "capabilities": {}, "clientInfo": { "name": "c", "version": "1" } });
        let result = ask(&edge, "initialize", params).await;
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"], json!({ "name": "weft", "version": env!("CARGO_PKG_VERSION") }));
        assert_eq!(result["capabilities"], json!({ "tools": { "listChanged": false } }));
        assert_eq!(result.get("resultType"), None);
    }
    let notice = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let answer = post(&edge, &[("mcp-protocol-version", "2025-06-18")], &notice).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (202, ""));
    assert_eq!(ask(&edge, "ping", json!({})).await, json!({}));
    for line in ["GET /mcp", "DELETE /mcp"] {
        let answer = edge.call(line, "").await;
        answer.refused(405);
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn tools_are_the_methods_that_are_marked() {
    let edge = Edge::new();
    let result = ask(&edge, "tools/list", json!({})).await;
    let tools: BTreeMap<_, _> = result["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| (tool["name"].as_str().expect("a name"), tool))
        .collect();
    let names: Vec<_> = tools.keys().copied().collect();
    assert_eq!(
        names,
        ["echo_delete_thing", "echo_echo", "echo_fail", "echo_get_thing", "echo_hang", "echo_metadata"]
    );
    let get = tools["echo_get_thing"];
    assert_eq!((&get["title"], &get["description"]), (&json!("get thing"), &json!("Gets a thing.")));
    let hints = json!({ "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false });
    assert_eq!(get["annotations"], hints);
    let input = &get["inputSchema"];
    assert_eq!((&input["type"], &input["required"]), (&json!("object"), &json!(["name"])));
    assert_eq!(input["properties"]["view"], json!({ "type": "string" }));
    assert_eq!(input["additionalProperties"], false);
    // What only the server writes is in what comes back, and not in what is asked for.
    assert_eq!(get["outputSchema"]["properties"]["createTime"]["readOnly"], true);
    let delete = &tools["echo_delete_thing"]["annotations"];
    assert_eq!((&delete["destructiveHint"], &delete["idempotentHint"]), (&json!(true), &json!(true)));
    // Schemas stand alone: each reference leads to a definition.
    let echo = &tools["echo_echo"]["inputSchema"];
    assert_eq!(echo["properties"]["nested"]["$ref"], "#/$defs/test.v1.Everything");
    for tool in tools.values() {
        for schema in ["inputSchema", "outputSchema"].map(|name| &tool[name]) {
            let text = schema.to_string();
            for reference in text.split("\"$ref\":\"#/$defs/").skip(1) {
                let name = reference.split('"').next().expect("a name");
                assert!(schema["$defs"][name].is_object(), "{} in {}", name, tool["name"]);
            }
            assert!(!text.contains("#/components/"), "{text}");
        }
    }
    let again = ask(&edge, "tools/list", json!({})).await;
    assert_eq!(again["tools"], result["tools"], "the same order, so that clients can keep it");
}

#[tokio::test]
async fn a_tool_is_called_and_answers_for_models_and_for_programs() {
    let edge = Edge::new();
    let result = call(&edge, "echo_echo", json!({ "int64Value": 5, "text": "hä" })).await;
    let expected = json!({ "int64Value": "5", "text": "hä" });
    assert_eq!((&result["structuredContent"], &result["isError"]), (&expected, &json!(false)));
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), expected);
    assert_eq!(result["content"][0]["type"], "text");
    assert_eq!(
        call(&edge, "echo_delete_thing", json!({ "name": "shelves/s/things/t" })).await["structuredContent"],
        json!({})
    );
    // No arguments are those of an empty message.
    let result = ask(&edge, "tools/call", json!({ "name": "echo_echo" })).await;
    assert_eq!(result["structuredContent"], json!({}));
}

#[tokio::test]
async fn a_model_is_told_what_it_can_mend() {
    let edge = Edge::new();
    for (tool, arguments, code, message) in [
        ("echo_echo", json!({ "nothing": 1 }), 3, "nothing: there is no such field in test.v1.Everything"),
        ("echo_echo", json!({ "int32Value": "x" }), 3, "int32Value: invalid digit found in string"),
        ("echo_echo", json!([]), 3, "body: invalid type: sequence, expected a map"),
        ("echo_fail", json!({ "code": 5, "message": "gone" }), 5, "gone"),
        ("echo_fail", json!({ "code": 7, "message": "no" }), 7, "no"),
    ] {
        let result = call(&edge, tool, arguments).await;
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None));
        let told: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON");
        assert_eq!((&told["code"], &told["message"]), (&json!(code), &json!(message)));
    }
    let details = call(&edge, "echo_fail", json!({ "code": 9 })).await["content"][0]["text"].to_string();
    assert!(details.contains("AS_ASKED"), "{details}");
}

#[tokio::test]
async fn the_credential_is_that_of_the_request() {
    let edge = Edge::new();
    let message =
        json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": { "name": "echo_metadata" } });
    let headers = [("authorization", "Bearer agent"), ("cookie", "a=b"), ("x-weft-timeout", "5s")];
    let json = post(&edge, &headers, &message).await.ok();
    let metadata = &json["result"]["structuredContent"]["metadata"];
    assert_eq!((&metadata["authorization"], &metadata["cookie"]), (&json!("Bearer agent"), &Value::Null));
    assert_eq!(metadata["grpc-timeout"], "5000000u");
    // A missing one is for the agent's program, which can sign in, and not for its model.
    let fail = json!({ "name": "echo_fail", "arguments": { "code": 16, "message": "who are you" } });
    let message = json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": fail });
    let answer = post(&edge, &[], &message).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(
        (&answer.json()["id"], &answer.json()["error"]["message"]),
        (&json!("x"), &json!("who are you"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_tool_ends_with_its_time_and_so_does_the_service() {
    let mut edge = Edge::new();
    let message =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "echo_hang" } });
    let json = post(&edge, &[("x-weft-timeout", "2s")], &message).await.ok();
    assert_eq!(json["result"]["isError"], true);
    assert!(json["result"]["content"][0]["text"].as_str().expect("a text").contains("DEADLINE_EXCEEDED"));
    assert_eq!(edge.events.recv().await, Some(Event::Began("Hang".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
}

#[tokio::test]
async fn a_request_that_says_all_by_itself() {
    let edge = Edge::new();
    let request = |method: &str, mut params: Value| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let discover = request("server/discover", json!({}));
    let result = &post(&edge, &[version, ("mcp-method", "server/discover")], &discover).await.ok()["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28", "2025-11-25", "2025-06-18"]));
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("public")));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "weft");
    let list = request("tools/list", json!({}));
    let result = &post(&edge, &[version, ("mcp-method", "tools/list")], &list).await.ok()["result"];
    assert_eq!((result["tools"].as_array().map(Vec::len), &result["ttlMs"]), (Some(6), &json!(300_000)));
    let echo = request("tools/call", json!({ "name": "echo_echo", "arguments": { "text": "x" } }));
    for name in ["echo_echo", "=?base64?ZWNob19lY2hv?="] {
        let headers = [version, ("mcp-method", "tools/call"), ("mcp-name", name)];
        let result = &post(&edge, &headers, &echo).await.ok()["result"];
        assert_eq!(
            (&result["structuredContent"], &result["resultType"]),
            (&json!({ "text": "x" }), &json!("complete"))
        );
    }
    // What the earlier era had is gone.
    for method in ["initialize", "ping", "resources/list"] {
        let answer = post(&edge, &[version, ("mcp-method", method)], &request(method, json!({}))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (404, &json!(-32601)));
    }
    // Headers must tell what the body does: others on the way decide by them.
    let method = ("mcp-method", "tools/call");
    for (headers, body) in [
        (vec![method, ("mcp-name", "echo_echo")], &echo),
        (vec![version, ("mcp-name", "echo_echo")], &echo),
        (vec![version, method], &echo),
        (vec![version, method, ("mcp-name", "echo_fail")], &echo),
        (vec![version, method, ("mcp-name", "=?base64?*?=")], &echo),
        (vec![version, ("mcp-method", "tools/list"), ("mcp-name", "echo_echo")], &echo),
        (vec![("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "echo_echo")], &echo),
        (vec![version, ("mcp-method", "ping")], &json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })),
    ] {
        let answer = post(&edge, &headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["code"]),
            (400, &json!(-32020)),
            "{headers:?}"
        );
    }
    let answer = post(&edge, &[("mcp-protocol-version", "1900-01-01")], &list).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!(-32022)));
    assert_eq!(answer.json()["error"]["data"]["requested"], "1900-01-01");
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let edge = Edge::new();
    for (body, code) in [("{", -32700), ("[]", -32600), (r#"{"jsonrpc":"2.0","id":1}"#, -32600)] {
        let answer = edge.call("POST /mcp", body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!(code)));
        assert_eq!(answer.json()["id"], Value::Null);
    }
    for (method, params, code) in [
        ("nothing/here", json!({}), -32601),
        ("tools/call", json!({}), -32602),
        ("tools/call", json!({ "name": "nothing" }), -32602),
        ("tools/call", json!([]), -32602),
        ("tools/list", json!({ "cursor": "x" }), -32602),
    ] {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        assert_eq!(post(&edge, &[], &message).await.ok()["error"]["code"], code, "{method}");
    }
    edge.call_with("POST /mcp", &[("content-type", "text/plain")], "{}").await.refused(415);
    edge.call_with("POST /mcp", &[("accept", "image/png")], "{}").await.refused(406);
    let accept = [("accept", "application/json, text/event-stream")];
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    edge.call_with("POST /mcp", &accept, ping).await.ok();
    let foreign = [("host", "evil.org"), ("origin", "http://evil.org")];
    edge.call_with("POST /mcp", &foreign, ping).await.refused(403);
    let deep = format!(
        "{}{}",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo_echo","arguments":"#,
        "{\"nested\":".repeat(200)
    );
    let answer = edge.call("POST /mcp", &format!("{deep}{{}}{}", "}".repeat(202))).await;
    assert!(
        answer.status.is_client_error() || answer.text().contains("\"isError\":true"),
        "{}",
        answer.text()
    );
    edge.call("POST /mcp", &" ".repeat(5 << 20)).await.refused(413);
}
