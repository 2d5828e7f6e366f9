//! Services come, change and go while calls run.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use weft_gateway::UpstreamOptions;

use super::world::{PATIENCE, Server, Tells, World, changed, descriptors, methods, refused_as};
use crate::upstream::Event;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_found_by_either_version_of_reflection_and_by_a_file() {
    for tells in [Tells::V1, Tells::V1Alpha, Tells::Nothing] {
        let (mut world, server) = (World::new(), Server::start(tells).await);
        let mut options = server.options();
        if tells == Tells::Nothing {
            options.descriptors = world.file("echo.binpb", &descriptors());
        }
        world.add("theirs", options);
        world.served("theirs", methods()).await;
        // By Connect, and by the REST that its contract has.
        assert_eq!(
            world.call("", "Echo", r#"{"stringValue": "a"}"#).await.ok()["stringValue"],
            "a",
            "{tells:?}"
        );
        assert_eq!(
            world.edge.call("POST /v1/echo", r#"{"stringValue": "b"}"#).await.ok()["stringValue"],
            "b"
        );
        let document = world.edge.call("GET /openapi.json", "").await.ok();
        assert!(document["paths"]["/v1/echo"]["post"].is_object());
        let routes = world.routes().await;
        let echo = routes.routes.iter().find(|route| route.path == "/test.v1.EchoService/Echo");
        let echo = echo.expect("it is served");
        assert_eq!((echo.upstream.as_str(), echo.http_routes.len()), ("theirs", 3));
        assert!(echo.healthy_connection_count > 0 && routes.problems.is_empty(), "{routes:?}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_appears_is_served_and_a_service_that_goes_ends_no_call() {
    let (mut world, mut server) = (World::new(), Server::start(Tells::Nothing).await);
    let without = changed(|file| file.service[0].method.retain(|method| method.name() != "GetFile"));
    let file = world.file("echo.binpb", &without);
    world.add("theirs", UpstreamOptions { descriptors: file, ..server.options() });
    world.served("theirs", methods() - 1).await;
    assert_eq!(world.call("", "GetFile", r#"{"path": "a"}"#).await.status, 404);

    // A stream that goes on and on.
    let mut count = Vec::from([0_u8, 0, 0, 0]);
    let asked = br#"{"to": 1, "stay": true}"#;
    count.push(asked.len() as u8);
    count.extend(asked);
    let request = Request::post("/test.v1.EchoService/Count")
        .header("content-type", "application/connect+json")
        .body(Full::new(Bytes::from(count)))
        .expect("a good request");
    let Ok(response) = world.edge.gateway.clone().oneshot(request).await;
    let mut stream = response.into_body();
    stream.frame().await.expect("a message").expect("no error");

    world.file("echo.binpb", &descriptors());
    world.served("theirs", methods()).await;
    assert_eq!(world.call("", "GetFile", r#"{"path": "a"}"#).await.ok()["path"], "a");

    world.remove("theirs");
    assert_eq!(world.call("", "GetFile", r#"{"path": "a"}"#).await.status, 404);
    assert_eq!(world.edge.call("POST /v1/echo", "{}").await.status, 404);
    assert!(world.foreign().await.is_empty());
    // It is still open: its service notices nothing before its client lets go.
    assert!(timeout(Duration::from_millis(100), stream.frame()).await.is_err());
    while server.events.try_recv().is_ok_and(|event| event != Event::Dropped) {}
    drop(stream);
    let dropped = async { while server.events.recv().await.expect("it lives") != Event::Dropped {} };
    timeout(PATIENCE, dropped).await.expect("it notices that");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_unavailable_at_once_and_comes_back() {
    let (mut world, mut server) = (World::new(), Server::start(Tells::Nothing).await);
    let file = world.file("echo.binpb", &descriptors());
    world.add("theirs", UpstreamOptions { descriptors: file, ..server.options() });
    world.served("theirs", methods()).await;
    world.call("", "Echo", "{}").await.ok();
    server.down().await;

    let end = Instant::now() + PATIENCE;
    loop {
        let refused = world.call("", "Echo", "{}").await;
        refused_as(&refused, "unavailable", 503);
        assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
        let route = &world.foreign().await[0];
        assert!(route.connection_count > 0);
        if route.healthy_connection_count == 0 {
            break;
        }
        assert!(Instant::now() < end, "its connections are never given up");
    }
    server.up();
    while world.call("", "Echo", "{}").await.status != 200 {
        assert!(Instant::now() < end, "it is back, and nobody notices");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(world.foreign().await[0].healthy_connection_count > 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_later_is_found_then() {
    let mut server = Server::start(Tells::V1).await;
    server.down().await;
    let mut world = World::new();
    world.add("theirs", server.options());
    let problem = world.problem("theirs").await;
    assert!(problem.starts_with("it cannot be asked by reflection: "), "{problem}");
    server.up();
    world.served("theirs", methods()).await;
    world.until(|routes| routes.problems.is_empty()).await;
    server.stop().await;
}
