//! What happens in a project starts runs: found from where it is kept, once, and not without end.

use serde_json::{Value as Json, json};
use tonic::Code;
use weft_kit::Role;
use weft_proto::weft::{
    execution::v1::{Execution, ExecutionState},
    graph::v1::DeleteGraphRequest,
    trigger::v1::{
        Delivery, DeliveryCause, DeliveryState, ExecutionEndSource, GraphChangeSource, PauseTriggerRequest,
        ResumeTriggerRequest, Trigger, UpdateTriggerRequest, trigger::Source,
    },
};
use weft_store::Timestamp;

use crate::world::{GRAPH, World, create, deliveries, refused, somebody, wait_for};

/// The graph that triggers here run.
const RUNS: &str = "projects/p/graphs/h";

fn after(source: ExecutionEndSource) -> Trigger {
    Trigger { graph: RUNS.into(), source: Some(Source::ExecutionEnd(source)), ..Trigger::default() }
}

/// When the graph `g` is changed, within a second.
fn changed(source: GraphChangeSource) -> Trigger {
    let debounce_duration = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let source = GraphChangeSource { graph: GRAPH.into(), debounce_duration, ..source };
    Trigger { graph: RUNS.into(), source: Some(Source::GraphChange(source)), ..Trigger::default() }
}

fn of_g() -> ExecutionEndSource {
    ExecutionEndSource { graph: GRAPH.into(), ..ExecutionEndSource::default() }
}

/// What a run was given as its event.
fn event(run: &Execution) -> Json {
    weft_kit::json::of_struct(run.input.as_ref().expect("it was given something"))["event"].clone()
}

/// In no order: those that are found together are as old as each other.
fn reasons(all: &[Delivery]) -> Vec<&str> {
    let mut reasons: Vec<&str> = all.iter().map(|delivery| &delivery.reason[..]).collect();
    reasons.sort_unstable();
    reasons
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_run_starts_another() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    world.run(GRAPH).await;
    client.clone().create_trigger(create("t", after(of_g()))).await.unwrap();
    let failed = ExecutionEndSource { states: vec![ExecutionState::Failed.into()], ..of_g() };
    client.clone().create_trigger(create("failed", after(failed))).await.unwrap();
    let first = world.run(GRAPH).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(all.len(), 1, "what ended before is not looked at: {all:?}");
    assert_eq!(
        (all[0].cause(), &all[0].event_type[..]),
        (DeliveryCause::ExecutionEnd, "execution.succeeded")
    );
    let run = world.execution(&all[0].execution).await;
    assert_eq!((run.depth, &run.creator[..], &run.graph[..]), (1, "projects/p/apiKeys/ada", RUNS));
    let event = event(&run);
    assert_eq!((&event["cause"], &event["type"]), (&json!("execution_end"), &json!("execution.succeeded")));
    assert_eq!(event["source"], json!(first.name));
    assert_eq!((&event["data"]["uid"], &event["data"]["graph"]), (&json!(first.uid), &json!(GRAPH)));
    // The end of what it started is of another graph: there are three runs, and no more.
    world.run(GRAPH).await;
    wait_for(&client, "t", DeliveryState::Started, 2).await;
    assert_eq!(world.runs().await, 5);
    assert!(deliveries(&client, "failed").await.is_empty());
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_nobody_watches_is_found_once() {
    let world = World::start().await;
    let running = world.open("one");
    running.client().create_trigger(create("t", after(of_g()))).await.unwrap();
    running.stop().await;
    for _ in 0..20 {
        world.run(GRAPH).await;
    }
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 20).await;
    let runs: std::collections::BTreeSet<_> = all.iter().map(|delivery| &delivery.execution).collect();
    assert_eq!((all.len(), runs.len()), (20, 20));
    running.stop().await;
    let running = world.open("three");
    let client = running.client();
    world.run(GRAPH).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 21).await;
    assert_eq!((all.len(), world.runs().await), (21, 42));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_were_forgotten_are_said() {
    let world = World::start().await;
    let running = world.open("one");
    running.client().create_trigger(create("t", after(of_g()))).await.unwrap();
    running.stop().await;
    for _ in 0..3 {
        world.run(GRAPH).await;
    }
    let forgotten = world.stores.execution.forget_execution_ends(0, Timestamp::MAX, 2).await.unwrap();
    assert_eq!(forgotten, 2);
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(reasons(&all), ["", "EVENT_MISSED"]);
    let missed = all.iter().find(|delivery| delivery.reason == "EVENT_MISSED").unwrap();
    assert_eq!(missed.state(), DeliveryState::Skipped);
    running.stop().await;
    // All of them.
    world.run(GRAPH).await;
    world.stores.execution.forget_execution_ends(0, Timestamp::MAX, 100).await.unwrap();
    let running = world.open("three");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Skipped, 2).await;
    assert_eq!(reasons(&all), ["", "EVENT_MISSED", "EVENT_MISSED"]);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_follow_from_each_other_have_an_end() {
    let mut world = World::start().await;
    world.options.max_depth = 3;
    let running = world.open("one");
    let client = running.client();
    let own =
        ExecutionEndSource { graph: RUNS.into(), include_own_runs: true, ..ExecutionEndSource::default() };
    client.clone().create_trigger(create("t", after(own))).await.unwrap();
    world.run(RUNS).await;
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
async fn changes_close_together_are_one_delivery() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    client.clone().create_trigger(create("t", changed(GraphChangeSource::default()))).await.unwrap();
    let notes = GraphChangeSource { node_types: vec!["note".into()], ..GraphChangeSource::default() };
    client.clone().create_trigger(create("notes", changed(notes))).await.unwrap();
    for n in 0..5 {
        world.write(GRAPH, &format!("k{n}"), "noop").await;
    }
    let before = wait_for(&client, "t", DeliveryState::Started, 1).await;
    let run = world.execution(&before[0].execution).await;
    let told = event(&run);
    assert_eq!((&told["cause"], &told["source"]), (&json!("graph_change"), &json!(GRAPH)));
    let data = &told["data"];
    let revisions = data["last_revision"].as_i64().unwrap() - data["first_revision"].as_i64().unwrap() + 1;
    assert_eq!((revisions, &data["nodes"]["written"]), (5, &json!(["k0", "k1", "k2", "k3", "k4"])));
    // While nobody watches.
    running.stop().await;
    world.write(GRAPH, "n1", "note").await;
    world.write(GRAPH, "n2", "note").await;
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 2).await;
    assert_eq!(all.len(), 2, "{all:?}");
    // The clock stands still here, so that none of them is the newer.
    let other = all.iter().find(|delivery| delivery.name != before[0].name).unwrap();
    let second = event(&world.execution(&other.execution).await);
    assert_eq!(second["data"]["nodes"]["written"], json!(["n1", "n2"]));
    assert_eq!(second["data"]["first_revision"], json!(data["last_revision"].as_i64().unwrap() + 1));
    let notes = wait_for(&client, "notes", DeliveryState::Started, 1).await;
    assert_eq!(notes.len(), 1, "what is no note is nothing to it: {notes:?}");
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_that_is_made_anew_is_all_new() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    client.clone().create_trigger(create("t", changed(GraphChangeSource::default()))).await.unwrap();
    let request = DeleteGraphRequest { name: GRAPH.into(), ..DeleteGraphRequest::default() };
    world.graphs.clone().delete_graph(request).await.unwrap();
    world.make(GRAPH).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    let told = event(&world.execution(&all[0].execution).await);
    assert_eq!(told["data"]["first_revision"], json!(1));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pass_by_a_paused_trigger() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    client.clone().create_trigger(create("t", after(of_g()))).await.unwrap();
    client.clone().create_trigger(create("always", after(of_g()))).await.unwrap();
    let name = "projects/p/triggers/t".to_owned();
    client.clone().pause_trigger(PauseTriggerRequest { name: name.clone() }).await.unwrap();
    world.run(GRAPH).await;
    wait_for(&client, "always", DeliveryState::Started, 1).await;
    client.clone().resume_trigger(ResumeTriggerRequest { name: name.clone() }).await.unwrap();
    world.run(GRAPH).await;
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(all.len(), 1, "what ended in the pause is not made up for: {all:?}");
    // A condition sees the event.
    let trigger = Trigger { name, condition: "event.data.state == 'failed'".into(), ..Trigger::default() };
    let update = UpdateTriggerRequest { trigger: Some(trigger), update_mask: None };
    client.clone().update_trigger(update).await.unwrap();
    world.run(GRAPH).await;
    let all = wait_for(&client, "t", DeliveryState::Skipped, 1).await;
    assert_eq!(reasons(&all), ["", "CONDITION"]);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_watched_is_refused() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let graph = |graph: &str, seconds| {
        let source = GraphChangeSource {
            graph: graph.into(),
            debounce_duration: span(seconds),
            ..GraphChangeSource::default()
        };
        Trigger { source: Some(Source::GraphChange(source)), ..changed(GraphChangeSource::default()) }
    };
    let end =
        |graph: &str| after(ExecutionEndSource { graph: graph.into(), ..ExecutionEndSource::default() });
    for (trigger, field) in [
        (end("projects/q/graphs/g"), "trigger.execution_end.graph"),
        (end(RUNS), "trigger.execution_end.graph"),
        (graph("projects/q/graphs/g", 1), "trigger.graph_change.graph"),
        (graph("projects/p/graphs/none", 1), "trigger.graph_change.graph"),
        (graph(GRAPH, 0), "trigger.graph_change.debounce_duration"),
        (graph(GRAPH, 3_601), "trigger.graph_change.debounce_duration"),
    ] {
        let said = refused(client.clone().create_trigger(create("t", trigger.clone())).await);
        assert_eq!((said.0, &said.2[..]), (Code::InvalidArgument, field), "{trigger:?}");
    }
    // Who may start runs, and may not read graphs.
    let mut narrow = somebody("projects/p/apiKeys/bob", Role::Operator);
    narrow.scopes = ["execution.write".to_owned(), "trigger.write".to_owned()].into();
    let mut bob = running.client_of(narrow);
    let said = refused(bob.create_trigger(create("t", graph(GRAPH, 1))).await);
    assert_eq!(said.0, Code::PermissionDenied);
    let said = refused(bob.create_trigger(create("t", after(of_g()))).await);
    assert_eq!(said.0, Code::PermissionDenied);
    running.stop().await;
    world.stop().await;
}
