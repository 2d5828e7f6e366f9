//! Names and paths that are taken: a clear word about one service, and all others are served.

use std::path::PathBuf;

use weft_gateway::UpstreamOptions;

use super::world::{Server, Tells, World, changed, descriptors, methods};

/// A descriptor set of one file, compiled from its text.
pub(crate) fn compiled(name: &str, text: &str) -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("weft-clash-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    std::fs::write(folder.join(format!("{name}.proto")), text).expect("a writable folder");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let includes = [folder.clone(), PathBuf::from(root), PathBuf::from(root).join("vendor")];
    let mut compiler = protox::Compiler::new(includes).expect("the folders are there");
    compiler.include_imports(true).open_file(format!("{name}.proto")).expect("the syntax is good");
    std::fs::remove_dir_all(&folder).expect("it was just made");
    compiler.encode_file_descriptor_set()
}

/// What is said of an upstream with these contracts, beside one that is served and goes on.
async fn refused(name: &str, text: &str) -> String {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    world.add("theirs", server.options());
    world.served("theirs", methods()).await;
    let descriptors = world.file("other.binpb", &compiled(name, text));
    world.add("other", UpstreamOptions { descriptors, ..server.options() });
    let problem = world.problem("other").await;
    assert_eq!(world.call("", "Echo", "{}").await.status, 200);
    assert!(world.foreign().await.iter().all(|route| route.upstream == "theirs"));
    server.stop().await;
    problem
}

fn with_path(name: &str, path: &str) -> String {
    format!(
        r#"syntax = "proto3"; package {name}.v1;
        import "google/api/annotations.proto";
        message M {{ string name = 1; }}
        service S {{ rpc A(M) returns (M) {{ option (google.api.http) = {{ get: "{path}" }}; }} }}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_wefts_own_is_not_theirs_to_answer() {
    let text = r#"syntax = "proto3"; package weft.graph.v1; message M {} service GraphService { rpc GetGraph(M) returns (M); }"#;
    let problem = refused("ours", text).await;
    assert_eq!(problem, "service weft.graph.v1.GraphService is also one of weft, and not the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_has_one_meaning() {
    let text = r#"syntax = "proto3"; package weft.graph.v1; message Graph { int32 name = 1; }
        service S { rpc A(Graph) returns (Graph); }"#;
    assert_eq!(
        refused("graph", text).await,
        "message weft.graph.v1.Graph is also one of weft, and not the same"
    );
    let text = r#"syntax = "proto3"; package test.v1; message Number { string value = 1; }
        service S { rpc A(Number) returns (Number); }"#;
    assert_eq!(
        refused("number", text).await,
        "message test.v1.Number is also one of theirs, and not the same"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_has_one_upstream_and_the_next_one_takes_its_place() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    world.add("first", server.options());
    world.served("first", methods()).await;
    world.add("a-second", server.options());
    let problem = world.problem("a-second").await;
    assert_eq!(problem, "service test.v1.EchoService is also one of first, and not the same");
    world.served("first", methods()).await;
    world.remove("first");
    world.served("a-second", methods()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_upstreams_share_alike_is_no_clash() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    world.add("first", server.options());
    world.served("first", methods()).await;
    // The same types, under a service of another name.
    let renamed = changed(|file| {
        file.service[0].name = Some("Other".to_owned());
        file.service.truncate(1);
    });
    let descriptors = world.file("other.binpb", &renamed);
    world.add(
        "other",
        UpstreamOptions { descriptors, services: vec!["test.v1.Other".to_owned()], ..server.options() },
    );
    world.served("other", methods()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_of_others_do_not_reach_into_wefts_own() {
    for (name, path, problem) in [
        ("all", "/{name=**}", "its path must begin with a word"),
        ("page", "/assets/{name}", "/assets is the gateway's own"),
        ("own", "/v1/projects/default/graphs/{name}", "/v1/projects is where weft's own paths begin"),
        ("taken", "/v1/echo", "GET /v1/echo is claimed by both"),
    ] {
        let said = refused(name, &with_path(name, path)).await;
        let is_refused = said.starts_with(&format!("/{name}.v1.S/A: google.api.http: {problem}"));
        assert!(is_refused || said.starts_with(problem), "{path}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_configuration_names_is_served() {
    let (mut world, server) = (World::new(), Server::start(Tells::Nothing).await);
    let descriptors = world.file("echo.binpb", &descriptors());
    let options = UpstreamOptions { descriptors, ..server.options() };
    let services = vec!["test.v1.Nothing".to_owned()];
    world.add("theirs", UpstreamOptions { services, ..options.clone() });
    let problem = world.problem("theirs").await;
    assert!(problem.starts_with("it has no service test.v1.Nothing; it has "), "{problem}");
    assert!(problem.contains("test.v1.EchoService") && !problem.contains("grpc."), "{problem}");
    let services = vec!["test.v1.EchoService".to_owned()];
    world.add("theirs", UpstreamOptions { services, ..options });
    world.served("theirs", methods()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_one_simple_name_are_told_apart_in_openapi() {
    let (mut world, server) = (World::new(), Server::start(Tells::Nothing).await);
    let service = |package: &str, name: &str| {
        let text = format!(
            r#"syntax = "proto3"; package {package}.v1;
            import "google/api/annotations.proto";
            message M {{ string name = 1; }}
            service {name} {{ rpc Ask(M) returns (M) {{ option (google.api.http) = {{ get: "/{package}" }}; }} }}"#
        );
        compiled(package, &text)
    };
    // One is called as a service of weft's own; two have a name of their own in common.
    for (package, name) in [("a", "GraphService"), ("b", "Shop"), ("c", "Shop"), ("d", "Alone")] {
        let descriptors = world.file(&format!("{package}.binpb"), &service(package, name));
        world.add(package, UpstreamOptions { descriptors, services: Vec::new(), ..server.options() });
        world.served(package, 1).await;
    }
    let document = world.edge.call("GET /openapi.json", "").await.ok();
    let id =
        |path: &str| document["paths"][path]["get"]["operationId"].as_str().unwrap_or_default().to_owned();
    assert_eq!(id("/v1/projects/{project}/graphs"), "GraphService_ListGraphs");
    assert_eq!(
        [id("/a"), id("/b"), id("/c"), id("/d")],
        ["a_v1_GraphService_Ask", "b_v1_Shop_Ask", "c_v1_Shop_Ask", "Alone_Ask"]
    );
    assert_eq!(document["paths"]["/b"]["get"]["tags"][0], "b_v1_Shop");
    server.stop().await;
}
