//! What comes is told, and what becomes of it, to whoever watches; and tries are told from what has really come.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tonic::Streaming;
use weft_proto::weft::trigger::v1::{
    Delivery, DeliveryCause, DeliveryState, FireTriggerRequest, PreviewTestEventsRequest, Trigger,
    WatchDeliveriesRequest, WatchDeliveriesResponse,
};

use crate::{
    starting::{github, request, token},
    world::{Client, World, create, deliveries, refused, wait_for},
};

async fn watch(client: &Client, parent: &str, cursor: &str) -> Streaming<WatchDeliveriesResponse> {
    let request = WatchDeliveriesRequest { parent: parent.into(), after_cursor: cursor.into() };
    client.clone().watch_deliveries(request).await.unwrap().into_inner()
}

/// What is told until something holds of the newest state of each, and where it would go on.
async fn until(
    told: &mut Streaming<WatchDeliveriesResponse>,
    holds: impl Fn(&HashMap<String, Delivery>) -> bool,
) -> (HashMap<String, Delivery>, String) {
    let mut known = HashMap::new();
    let mut cursor = String::new();
    loop {
        let message = tokio::time::timeout(Duration::from_secs(60), told.message()).await;
        let message = message.expect("it is told in time").unwrap().expect("it goes on");
        assert!(!message.skipped);
        cursor = if message.cursor.is_empty() { cursor } else { message.cursor };
        known.extend(message.deliveries.into_iter().map(|one| (one.name.clone(), one)));
        if holds(&known) {
            return (known, cursor);
        }
    }
}

fn started(known: &HashMap<String, Delivery>) -> usize {
    known.values().filter(|one| one.state() == DeliveryState::Started).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_told_and_what_becomes_of_it() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let mut tokens = Vec::new();
    for id in ["t", "u"] {
        tokens.push(token(&client.clone().create_trigger(create(id, github())).await.unwrap().into_inner()));
    }
    running.mesh().receive_webhook(request(&tokens[0], "d0", "{}")).await.unwrap();
    wait_for(&client, "t", DeliveryState::Started, 1).await;
    let mut all = watch(&client, "projects/p/triggers/-", "").await;
    let mut of_one = watch(&client, "projects/p/triggers/u", "").await;
    // The newest first of all, and then that this is all.
    let first = all.message().await.unwrap().unwrap();
    assert_eq!((first.deliveries.len(), first.caught_up), (1, false));
    let (known, _) = until(&mut all, |_| true).await;
    assert!(known.is_empty());
    assert!(of_one.message().await.unwrap().unwrap().caught_up);
    world.is_cut.store(true, Ordering::SeqCst);
    running.mesh().receive_webhook(request(&tokens[1], "d1", "{}")).await.unwrap();
    let (known, pending) = until(&mut of_one, |known| known.len() == 1).await;
    let name = known.into_keys().next().unwrap();
    let (known, _) = until(&mut all, |known| known.len() == 1).await;
    assert!(known.contains_key(&name) && name.starts_with("projects/p/triggers/u/"));
    // It goes on from where it was: what was pending then is told again, as it is now.
    drop((all, of_one));
    world.is_cut.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_mins(10));
    wait_for(&client, "u", DeliveryState::Started, 1).await;
    let mut on = watch(&client, "projects/p/triggers/u", &pending).await;
    let (known, settled) = until(&mut on, |known| started(known) == 1).await;
    assert!(known.contains_key(&name));
    // And from then on only what is new.
    drop(on);
    let mut on = watch(&client, "projects/p/triggers/u", &settled).await;
    world.clock.advance(Duration::from_secs(1));
    running.mesh().receive_webhook(request(&tokens[1], "d2", "{}")).await.unwrap();
    let (known, _) = until(&mut on, |known| started(known) == 1).await;
    assert!(!known.contains_key(&name));
    let wrong = WatchDeliveriesRequest { parent: "projects/p/triggers/t".into(), after_cursor: settled };
    assert_eq!(refused(client.clone().watch_deliveries(wrong).await).0, tonic::Code::InvalidArgument);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_is_heard_of() {
    let world = World::start().await;
    let (one, two) = (world.open("one"), world.open("two"));
    let made = one.client().create_trigger(create("t", github())).await.unwrap().into_inner();
    let mut told = watch(&two.client(), "projects/p/triggers/t", "").await;
    assert!(told.message().await.unwrap().unwrap().caught_up);
    one.mesh().receive_webhook(request(&token(&made), "d1", "{}")).await.unwrap();
    let (known, _) = until(&mut told, |known| started(known) == 1).await;
    assert_eq!(known.len(), 1);
    one.stop().await;
    two.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_goes_the_whole_way_and_says_that_it_is_one() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let input = weft_kit::json::to_struct(
        json!({"ref": "${event.body.ref}", "kind": "${event.headers['x-github-event']}"}),
    );
    let trigger = Trigger { input: Some(input), condition: "event.type == 'push'".into(), ..github() };
    let made = client.clone().create_trigger(create("t", trigger)).await.unwrap().into_inner();
    let name = made.name.clone();
    let samples = client.clone().preview_test_events(PreviewTestEventsRequest { name: name.clone() }).await;
    let samples = samples.unwrap().into_inner().test_events;
    let fire = |sample: usize| FireTriggerRequest {
        name: name.clone(),
        body: samples[sample].body.clone(),
        test: true,
        headers: samples[sample].headers.clone(),
        event_type: samples[sample].event_type.clone(),
        ..FireTriggerRequest::default()
    };
    let push = client.clone().fire_trigger(fire(0)).await.unwrap().into_inner();
    assert_eq!(
        (push.state(), push.cause(), push.test),
        (DeliveryState::Started, DeliveryCause::Webhook, true)
    );
    let input = world.execution(&push.execution).await.input.unwrap();
    assert_eq!(weft_kit::json::of_struct(&input), json!({"ref": "refs/heads/main", "kind": "push"}));
    // Its condition is tried, too.
    let other = client.clone().fire_trigger(fire(1)).await.unwrap().into_inner();
    assert_eq!((other.state(), &other.reason[..]), (DeliveryState::Skipped, "CONDITION"));
    let odd = FireTriggerRequest { test: false, ..fire(0) };
    assert_eq!(refused(client.clone().fire_trigger(odd).await).2, "headers");
    assert_eq!(deliveries(&client, "t").await.len(), 2);
    running.stop().await;
    world.stop().await;
}
