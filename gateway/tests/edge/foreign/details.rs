//! Details of errors whose types only their service knows: readable wherever an answer is JSON.

use serde_json::{Value, json};

use super::world::{Server, Tells, World, methods};
use crate::websocket::Socket;

const MESSAGE: &str = r#"{"code": 9, "message": "no", "thing": "teapot"}"#;

/// That the details of a status as JSON tell of the thing, and leave what nobody knows as it came.
fn tells(details: &Value) {
    let of = |name: &str| {
        let name = format!("type.googleapis.com/{name}");
        let found = details.as_array().expect("a list").iter().find(|detail| detail["@type"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {details}")).clone()
    };
    assert_eq!(of("test.v1.Thing")["title"], "teapot");
    assert_eq!(of("nobody.v1.Knows")["value"], "AQI=");
    assert_eq!(of("google.rpc.ErrorInfo")["domain"], "weft.dev");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn details_of_a_services_own_types_are_readable_in_every_json() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    world.add("theirs", server.options());
    world.served("theirs", methods()).await;

    let rest = world.edge.call("GET /v1/fail?code=9&message=no&thing=teapot", "").await;
    assert_eq!(rest.status, 400);
    tells(&rest.json()["details"]);

    // Connect has the bytes, and their JSON for people.
    let connect = world.call("", "Fail", MESSAGE).await.json();
    let detail = |name: &str| {
        let details = connect["details"].as_array().expect("a list");
        details.iter().find(|detail| detail["type"] == name).expect("it is there").clone()
    };
    assert_eq!(detail("test.v1.Thing")["debug"]["title"], "teapot");
    assert!(detail("nobody.v1.Knows").get("debug").is_none());

    let mut socket = Socket::json(&world.edge).await;
    socket.begin(1, "Fail").await;
    let message: Value = serde_json::from_str(MESSAGE).expect("JSON");
    socket.say(json!({ "call": 1, "message": message })).await;
    tells(&socket.hear().await["status"]["details"]);

    let count = "GET /v1/count?failAfter=1&thing=teapot";
    let events = world.edge.call_with(count, &[("accept", "text/event-stream")], "").await;
    let (_, status) = events.text().split_once("event: status\ndata: ").expect("it ends so");
    tells(&serde_json::from_str::<Value>(status.trim()).expect("JSON")["details"]);
    let lines = world.edge.call_with(count, &[("accept", "application/x-ndjson")], "").await;
    let last = lines.text().lines().last().expect("a line").to_owned();
    tells(&serde_json::from_str::<Value>(&last).expect("JSON")["@error"]["details"]);
    server.stop().await;
}
