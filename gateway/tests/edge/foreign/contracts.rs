//! Descriptors and addresses that are no good.

use weft_gateway::UpstreamOptions;

use super::{
    clashes::compiled,
    world::{Server, Tells, World, changed, descriptors, methods},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_named_and_the_old_contracts_stay() {
    let (mut world, server) = (World::new(), Server::start(Tells::Nothing).await);
    let good = descriptors();
    let file = world.file("echo.binpb", &good);
    let options = UpstreamOptions { descriptors: file.clone(), ..server.options() };
    world.add("theirs", options.clone());
    world.served("theirs", methods()).await;
    let huge = vec![0; (16 << 20) + 1];
    let without_imports = changed(|file| file.dependency.push("their/own.proto".to_owned()));
    let disguised =
        compiled("disguised", r#"syntax = "proto3"; package google.protobuf; message Timestamp {}"#);
    let no_services = compiled("empty", r#"syntax = "proto3"; package empty.v1; message M {}"#);
    for (content, problem) in [
        (&good[..good.len() / 2], "its descriptors cannot be read: "),
        (&b"no descriptors at all"[..], "its descriptors cannot be read: "),
        (&huge, "its descriptors have more than 16777216 bytes"),
        (&without_imports, "its descriptors lack their/own.proto; were they made without imports?"),
        (&disguised, "disguised.proto declares types of google.protobuf; only google/protobuf/….proto may"),
        (&no_services, "it has no service test.v1.EchoService; it has "),
        (&[], "it has no service test.v1.EchoService; it has "),
    ] {
        world.file("echo.binpb", content);
        world
            .until(|routes| routes.problems.iter().any(|found| found.description.starts_with(problem)))
            .await;
        assert_eq!(world.call("", "Echo", "{}").await.status, 200, "{problem}");
    }
    std::fs::remove_file(&file).expect("it is there");
    let gone = format!("{}: ", file.display());
    world.until(|routes| routes.problems.iter().any(|found| found.description.starts_with(&gone))).await;
    world.file("echo.binpb", &good);
    world.until(|routes| routes.problems.is_empty()).await;
    world.served("theirs", methods()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_none_is_said_to_be() {
    let mut world = World::new();
    for address in ["", "localhost:8080", "ftp://localhost", "http://", "http://a b"] {
        world.add("theirs", UpstreamOptions { address: address.to_owned(), ..UpstreamOptions::default() });
        let problem = world.problem("theirs").await;
        assert!(problem.contains(address) && !problem.is_empty(), "{address:?}: {problem}");
    }
}
