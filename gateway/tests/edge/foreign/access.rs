//! Who may call a service that does not know our credentials, and what it hears of them.

use weft_gateway::{UpstreamAccess, UpstreamOptions};

use super::world::{Server, Tells, World, descriptors, methods};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_configuration_lets_in_is_let_in_and_nobody_else() {
    let (mut world, server) = (World::new(), Server::start(Tells::Nothing).await);
    let file = world.file("echo.binpb", &descriptors());
    let options = UpstreamOptions { descriptors: file, ..server.options() };
    world.add("theirs", UpstreamOptions { access: UpstreamOptions::default().access, ..options.clone() });
    world.served("theirs", methods()).await;
    let callers = ["", "weft_unknown", "weft_elsewhere", "weft_viewer", "weft_operator", "weft_admin"];
    for (access, expected) in [
        // Without a word in the configuration it is this.
        (UpstreamOptions::default().access, [401, 401, 403, 403, 403, 200]),
        (UpstreamAccess::Operator, [401, 401, 403, 403, 200, 200]),
        (UpstreamAccess::Viewer, [401, 401, 403, 200, 200, 200]),
        (UpstreamAccess::Authenticated, [401, 401, 200, 200, 200, 200]),
        (UpstreamAccess::Public, [200, 401, 200, 200, 200, 200]),
        (UpstreamAccess::Admin, [401, 401, 403, 403, 403, 200]),
    ] {
        // Who may is changed at once: nothing of it is to be loaded.
        world.add("theirs", UpstreamOptions { access, ..options.clone() });
        for (key, expected) in callers.into_iter().zip(expected) {
            // Its contract calls this method public: that is not its to say.
            let answer = world.call(key, "Echo", "{}").await;
            assert_eq!(answer.status, expected, "{access:?} {key:?}: {}", answer.text());
            let authorization = format!("Bearer {key}");
            let headers: &[(&str, &str)] =
                if key.is_empty() { &[] } else { &[("authorization", &authorization)] };
            let answer = world.edge.call_with("POST /v1/echo", headers, "{}").await;
            assert_eq!(answer.status, expected, "{access:?} {key:?} by REST: {}", answer.text());
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_hears_the_credential_only_where_that_is_said() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    for forward_credential in [false, true] {
        world.add("theirs", UpstreamOptions { forward_credential, ..server.options() });
        world.served("theirs", methods()).await;
        let heard = world.call("weft_viewer", "Metadata", "{}").await.ok();
        let heard = heard["metadata"].as_object().expect("a map");
        assert_eq!(heard.contains_key("authorization"), forward_credential, "{heard:?}");
        // What joins its logs to ours, and how long it has.
        for name in ["traceparent", "x-request-id", "grpc-timeout"] {
            assert!(heard.contains_key(name), "{name}: {heard:?}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_methods_are_tools_only_where_that_is_said() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    let list = r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}"#;
    for (mcp, tools) in [(false, false), (true, true)] {
        world.add("theirs", UpstreamOptions { mcp, ..server.options() });
        world.served("theirs", methods()).await;
        let listed = world.edge.call("POST /mcp", list).await.ok();
        let listed = listed["result"]["tools"].as_array().expect("a list").clone();
        let theirs =
            |tool: &serde_json::Value| tool["name"].as_str().is_some_and(|name| name.starts_with("echo_"));
        assert_eq!(listed.iter().any(theirs), tools, "its own contract marks some; the configuration counts");
    }
    server.stop().await;
}
