//! What runs publish starts other runs: each message once, and not without end.

use std::collections::BTreeSet;

use prost::Message;
use serde_json::{Value as Json, json};
use tonic::Code;
use weft_kit::{
    Role,
    json::{of_struct, of_value, to_struct},
};
use weft_proto::weft::{
    execution::v1::{CreateExecutionRequest, Execution, FindTopicMessagesRequest},
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, Edge, EdgeUpsert, Graph, GraphKind, Node,
        NodeUpsert, change::Change as ChangeKind,
    },
    trigger::v1::{
        Delivery, DeliveryCause, DeliveryState, MessageSource, PauseTriggerRequest, ResumeTriggerRequest,
        Trigger, UpdateTriggerRequest, trigger::Source,
    },
};
use weft_store::Timestamp;

use crate::world::{World, create, deliveries, refused, somebody, wait_for};

/// The graph that triggers here run.
const RUNS: &str = "projects/p/graphs/h";
/// One that publishes what it is given to `orders`.
const TELLS: &str = "projects/p/graphs/tells";

fn on(topic: &str) -> Trigger {
    let source = MessageSource { topic: topic.into() };
    Trigger { graph: RUNS.into(), source: Some(Source::Message(source)), ..Trigger::default() }
}

/// Makes a workflow of nodes (key, kind, properties) and edges.
async fn make(world: &World, name: &str, nodes: &[(&str, &str, Json)], edges: &[(&str, &str)]) {
    let (parent, id) = name.split_once("/graphs/").unwrap();
    let request = CreateGraphRequest {
        parent: parent.into(),
        graph_id: id.into(),
        graph: Some(Graph { kind: GraphKind::Workflow.into(), ..Graph::default() }),
        ..CreateGraphRequest::default()
    };
    world.graphs.clone().create_graph(request).await.unwrap();
    let nodes = nodes.iter().map(|(key, kind, properties)| {
        let node = Node {
            key: (*key).into(),
            r#type: (*kind).into(),
            properties: Some(to_struct(properties.clone()).into()),
            ..Node::default()
        };
        ChangeKind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
    });
    let edges = edges.iter().map(|(source, target)| {
        let edge = Edge { source: (*source).into(), target: (*target).into(), ..Edge::default() };
        ChangeKind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
    });
    let request = ApplyChangesRequest {
        graph: name.into(),
        changes: nodes.chain(edges).map(|change| Change { change: Some(change) }).collect(),
        ..ApplyChangesRequest::default()
    };
    world.graphs.clone().apply_changes(request).await.unwrap();
}

/// Makes a workflow that publishes what it is given to a topic.
async fn make_telling(world: &World, name: &str, topic: &str) {
    let nodes = [
        ("input", "input", json!({})),
        ("tell", "publish", json!({ "topic": topic })),
        ("output", "output", json!({})),
    ];
    make(world, name, &nodes, &[("input", "tell"), ("tell", "output")]).await;
}

/// Runs a graph to its end.
async fn run(world: &World, graph: &str, input: Json) -> Execution {
    let execution = Execution { graph: graph.into(), input: Some(to_struct(input)), ..Execution::default() };
    let request = CreateExecutionRequest {
        parent: graph.split_once("/graphs/").unwrap().0.into(),
        execution: Some(execution),
        wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..CreateExecutionRequest::default()
    };
    world.executions.clone().create_execution(request).await.unwrap().into_inner()
}

/// What a run was given as its event.
async fn event(world: &World, delivery: &Delivery) -> Json {
    let run = world.execution(&delivery.execution).await;
    of_struct(run.input.as_ref().expect("it was given something"))["event"].clone()
}

/// What was published of each that started a run.
async fn values(world: &World, all: &[Delivery]) -> Vec<i64> {
    let mut values = Vec::new();
    for delivery in all.iter().filter(|delivery| delivery.state() == DeliveryState::Started) {
        values.push(event(world, delivery).await["data"]["value"]["n"].as_i64().unwrap());
    }
    values.sort_unstable();
    values
}

/// In no order: those that are found together are as old as each other.
fn reasons(all: &[Delivery]) -> Vec<&str> {
    let mut reasons: Vec<&str> = all.iter().map(|delivery| &delivery.reason[..]).collect();
    reasons.sort_unstable();
    reasons
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_starts_a_run() {
    let world = World::start().await;
    make_telling(&world, TELLS, "orders").await;
    let running = world.open("one");
    let client = running.client();
    run(&world, TELLS, json!({"n": 0})).await;
    let large = Trigger { condition: "event.data.value.n > 1".into(), ..on("orders") };
    for (id, trigger) in [("t", on("orders")), ("large", large), ("other", on("orders.paid"))] {
        client.clone().create_trigger(create(id, trigger)).await.unwrap();
    }
    let first = run(&world, TELLS, json!({"n": 1})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(all.len(), 1, "what was published before is not looked at: {all:?}");
    assert_eq!((all[0].cause(), &all[0].event_type[..]), (DeliveryCause::Message, "message.published"));
    assert_eq!(all[0].event_id, "2");
    let started = world.execution(&all[0].execution).await;
    assert_eq!(
        (started.depth, &started.creator[..], &started.graph[..]),
        (1, "projects/p/apiKeys/ada", RUNS)
    );
    let event = event(&world, &all[0]).await;
    assert_eq!((&event["cause"], &event["source"]), (&json!("message"), &json!(first.name)));
    let data = &event["data"];
    assert_eq!((&data["topic"], &data["value"]), (&json!("orders"), &json!({"n": 1})));
    assert_eq!((&data["graph"], &data["step"], &data["depth"]), (&json!(TELLS), &json!("tell"), &json!(0)));
    run(&world, TELLS, json!({"n": 2})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 2).await;
    assert_eq!(values(&world, &all).await, [1, 2]);
    wait_for(&client, "large", DeliveryState::Skipped, 1).await;
    let large = wait_for(&client, "large", DeliveryState::Started, 1).await;
    assert_eq!((reasons(&large), values(&world, &large).await), (vec!["", "CONDITION"], vec![2]));
    assert!(deliveries(&client, "other").await.is_empty());
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_nobody_watches_is_found_once() {
    let world = World::start().await;
    make_telling(&world, TELLS, "orders").await;
    let running = world.open("one");
    running.client().create_trigger(create("t", on("orders"))).await.unwrap();
    running.stop().await;
    for n in 0..20 {
        run(&world, TELLS, json!({ "n": n })).await;
    }
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 20).await;
    assert_eq!(values(&world, &all).await, (0..20).collect::<Vec<_>>());
    running.stop().await;
    let running = world.open("three");
    let client = running.client();
    run(&world, TELLS, json!({"n": 20})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 21).await;
    assert_eq!((values(&world, &all).await, world.runs().await), ((0..=20).collect(), 42));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_were_forgotten_are_said() {
    let world = World::start().await;
    make_telling(&world, TELLS, "orders").await;
    let running = world.open("one");
    running.client().create_trigger(create("t", on("orders"))).await.unwrap();
    running.stop().await;
    for n in 0..3 {
        run(&world, TELLS, json!({ "n": n })).await;
    }
    let store = &world.stores.execution;
    assert_eq!(store.forget_execution_messages(0, Timestamp::MAX, 2).await.unwrap(), 2);
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!((reasons(&all), values(&world, &all).await), (vec!["", "EVENT_MISSED"], vec![2]));
    running.stop().await;
    // All of them.
    run(&world, TELLS, json!({"n": 3})).await;
    store.forget_execution_messages(0, Timestamp::MAX, 100).await.unwrap();
    let running = world.open("three");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Skipped, 2).await;
    assert_eq!(reasons(&all), ["", "EVENT_MISSED", "EVENT_MISSED"]);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_publish_to_each_other_have_an_end() {
    let mut world = World::start().await;
    world.options.max_depth = 3;
    make_telling(&world, TELLS, "orders").await;
    let running = world.open("one");
    let client = running.client();
    // It starts what publishes to what it waits for.
    let round = Trigger { graph: TELLS.into(), ..on("orders") };
    client.clone().create_trigger(create("t", round)).await.unwrap();
    run(&world, TELLS, json!({"n": 1})).await;
    let all = wait_for(&client, "t", DeliveryState::Skipped, 1).await;
    assert_eq!(reasons(&all), ["", "", "", "TOO_DEEP"]);
    let mut depths = Vec::new();
    for started in all.iter().filter(|delivery| delivery.state() == DeliveryState::Started) {
        depths.push(world.execution(&started.execution).await.depth);
    }
    depths.sort_unstable();
    assert_eq!((&depths[..], world.runs().await), (&[1, 2, 3][..], 4));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_of_its_project() {
    let world = World::start().await;
    make_telling(&world, TELLS, "orders").await;
    let elsewhere = "projects/q/graphs/tells";
    make_telling(&world, elsewhere, "orders").await;
    let running = world.open("one");
    let client = running.client();
    client.clone().create_trigger(create("t", on("orders"))).await.unwrap();
    run(&world, elsewhere, json!({"n": 1})).await;
    run(&world, TELLS, json!({"n": 2})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(all.len(), 1, "of another project is nothing to it: {all:?}");
    let told = event(&world, &all[0]).await;
    assert_eq!((&told["id"], &told["data"]["value"]), (&json!("2"), &json!({"n": 2})));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_pass_by_a_paused_trigger_and_one_that_listened_elsewhere() {
    let world = World::start().await;
    make_telling(&world, TELLS, "orders").await;
    let running = world.open("one");
    let client = running.client();
    client.clone().create_trigger(create("t", on("orders"))).await.unwrap();
    client.clone().create_trigger(create("always", on("orders"))).await.unwrap();
    let name = "projects/p/triggers/t".to_owned();
    client.clone().pause_trigger(PauseTriggerRequest { name: name.clone() }).await.unwrap();
    run(&world, TELLS, json!({"n": 1})).await;
    wait_for(&client, "always", DeliveryState::Started, 1).await;
    client.clone().resume_trigger(ResumeTriggerRequest { name: name.clone() }).await.unwrap();
    run(&world, TELLS, json!({"n": 2})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(values(&world, &all).await, [2]);
    for topic in ["quiet", "orders"] {
        let trigger = Trigger { name: name.clone(), graph: String::new(), ..on(topic) };
        let update = UpdateTriggerRequest { trigger: Some(trigger), update_mask: None };
        client.clone().update_trigger(update).await.unwrap();
        if topic == "quiet" {
            run(&world, TELLS, json!({"n": 3})).await;
            wait_for(&client, "always", DeliveryState::Started, 3).await;
        }
    }
    run(&world, TELLS, json!({"n": 4})).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 2).await;
    assert_eq!(values(&world, &all).await, [2, 4]);
    running.stop().await;
    world.stop().await;
}

/// More than one flush has, and more than one answer: all of it is told, in pages that are bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_messages_are_all_told() {
    let world = World::start().await;
    let nodes = [
        ("input", "input", json!({})),
        ("each", "map", json!({"items": "input.list", "parallel": 100})),
        ("item", "input", json!({"parent": "each"})),
        (
            "tell",
            "publish",
            json!({
                "parent": "each",
                "topic": "orders",
                "value": {"n": "${item}", "text": "${steps.input.text}"},
            }),
        ),
        ("done", "output", json!({"parent": "each"})),
        ("output", "output", json!({})),
    ];
    let edges = [("input", "each"), ("each", "output"), ("item", "tell"), ("tell", "done")];
    make(&world, TELLS, &nodes, &edges).await;
    let list: Vec<u32> = (0..100).collect();
    run(&world, TELLS, json!({"list": list, "text": vec![0; 20_000]})).await;
    let (mut pages, mut after, mut told) = (0, 0, BTreeSet::new());
    loop {
        let projects = vec!["projects/p".to_owned()];
        let request = FindTopicMessagesRequest { after_number: Some(after), projects, shard: 0 };
        let found = world.executions.clone().find_topic_messages(request).await.unwrap().into_inner();
        assert_eq!((found.newest_number, found.forgotten_number), (100, 0));
        for message in &found.messages {
            after += 1;
            assert_eq!((message.number, message.depth), (after, 0));
            let value = of_value(message.value.as_ref().unwrap());
            told.insert(value["n"].as_i64().unwrap());
        }
        assert_eq!(found.last_number, after);
        // A list of small numbers is a few times as large on the wire as in JSON.
        assert!(found.encoded_len() < 1 << 20, "{}", found.encoded_len());
        pages += 1;
        if after == found.newest_number {
            break;
        }
    }
    assert!(pages > 10, "{pages}");
    assert_eq!(told, (0..100).collect());
    // Of projects that nobody asks for it says only how far they were looked at.
    let request = FindTopicMessagesRequest { after_number: Some(0), projects: Vec::new(), shard: 0 };
    let found = world.executions.clone().find_topic_messages(request).await.unwrap().into_inner();
    assert_eq!((found.messages.len(), found.last_number), (0, 100));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_are_none_are_refused() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    for topic in ["", "Orders", "a/b", "-a", "${x}"] {
        let said = refused(client.clone().create_trigger(create("t", on(topic))).await);
        assert_eq!((said.0, &said.2[..]), (Code::InvalidArgument, "trigger.message.topic"), "{topic}");
    }
    // Who may start runs, and may not read them.
    let mut narrow = somebody("projects/p/apiKeys/bob", Role::Operator);
    narrow.scopes = ["execution.write".to_owned(), "trigger.write".to_owned()].into();
    let said = refused(running.client_of(narrow).create_trigger(create("t", on("orders"))).await);
    assert_eq!(said.0, Code::PermissionDenied);
    running.stop().await;
    world.stop().await;
}
