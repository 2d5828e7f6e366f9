//! What came can be looked at, and starts runs again: by whom, as what, and for how long.

use std::time::Duration;

use serde_json::json;
use tonic::Code;
use weft_kit::Role;
use weft_proto::weft::trigger::v1::{
    Delivery, DeliveryContent, DeliveryState, DeliveryView, DismissDeliveriesRequest, DismissDeliveryRequest,
    GetDeliveryRequest, ListDeliveriesRequest, PauseTriggerRequest, RedeliverDeliveriesRequest,
    RedeliverDeliveryRequest, Trigger,
};

use crate::{
    starting::{github, request, token},
    world::{Client, World, create, deliveries, refused, somebody, wait_for},
};

const ALL: &str = "projects/p/triggers/-";
const REQUEST: &str = "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b03";

async fn content(client: &Client, name: &str) -> Option<DeliveryContent> {
    let request = GetDeliveryRequest { name: name.into(), view: DeliveryView::Full.into() };
    client.clone().get_delivery(request).await.unwrap().into_inner().content
}

async fn list(client: &Client, filter: &str) -> Vec<Delivery> {
    let request = ListDeliveriesRequest {
        parent: ALL.into(),
        filter: filter.into(),
        ..ListDeliveriesRequest::default()
    };
    client.clone().list_deliveries(request).await.unwrap().into_inner().deliveries
}

fn again(name: &str, request_id: &str) -> RedeliverDeliveryRequest {
    RedeliverDeliveryRequest { name: name.into(), request_id: request_id.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_is_shown_and_starts_a_run_again() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let input = weft_kit::json::to_struct(json!({"n": "${event.body.n}", "page": "${event.query.page}"}));
    let trigger = Trigger { input: Some(input), ..github() };
    let trigger = client.clone().create_trigger(create("t", trigger)).await.unwrap().into_inner();
    let mut sent = request(&token(&trigger), "d1", "{\"n\": 7}");
    sent.query = "page=2&token=t0p".into();
    running.mesh().receive_webhook(sent).await.unwrap();
    let first = wait_for(&client, "t", DeliveryState::Started, 1).await.remove(0);
    assert_eq!((first.content.as_ref(), first.dead_letter), (None, false), "a list has no bodies");
    let basic = GetDeliveryRequest { name: first.name.clone(), ..GetDeliveryRequest::default() };
    assert_eq!(client.clone().get_delivery(basic).await.unwrap().into_inner(), first);
    let shown = content(&client, &first.name).await.unwrap();
    assert_eq!(&shown.body[..], b"{\"n\": 7}", "to the byte");
    assert_eq!((&shown.query[..], &shown.content_type[..]), ("page=2&token=***", "application/json"));
    assert_eq!(shown.headers["x-github-event"], "push");
    assert_eq!(shown.masked_headers, ["x-hub-signature-256"]);
    assert!(!shown.headers.contains_key("x-hub-signature-256"));

    let bob = running.client_of(somebody("projects/p/apiKeys/bob", Role::Operator));
    let next = bob.clone().redeliver_delivery(again(&first.name, REQUEST)).await.unwrap().into_inner();
    assert_eq!((next.state(), &next.redelivery_of), (DeliveryState::Started, &first.name));
    assert_eq!(
        (next.cause(), &next.event_type, &next.address),
        (first.cause(), &first.event_type, &first.address)
    );
    let run = world.execution(&next.execution).await;
    // With the rights of whoever asks, and what came the first time.
    assert_eq!(run.creator, "projects/p/apiKeys/bob");
    assert_eq!(weft_kit::json::of_struct(&run.input.unwrap()), json!({"n": 7, "page": "2"}));
    assert_eq!(content(&client, &next.name).await, content(&client, &first.name).await);
    let repeat = bob.clone().redeliver_delivery(again(&first.name, REQUEST)).await.unwrap().into_inner();
    assert_eq!(repeat, next);
    assert_eq!(world.runs().await, 2);
    // Somebody else's request is another one, and so is one of what was redelivered.
    for name in [&first.name, &next.name] {
        client.clone().redeliver_delivery(again(name, REQUEST)).await.unwrap();
    }
    assert_eq!(world.runs().await, 4);
    // Its sender may send it again, too: it is still known.
    running.mesh().receive_webhook(request(&token(&trigger), "d1", "{\"n\": 7}")).await.unwrap();
    assert_eq!(deliveries(&client, "t").await.len(), 4);
    let viewer = running.client_of(somebody("projects/p/apiKeys/eve", Role::Viewer));
    let refusal = refused(viewer.clone().redeliver_delivery(again(&first.name, "")).await);
    assert_eq!(refusal.0, Code::PermissionDenied);
    let gone = again(&format!("projects/p/triggers/t/deliveries/{}", "0".repeat(32)), "");
    assert_eq!(refused(client.clone().redeliver_delivery(gone).await).1, "DELIVERY_NOT_FOUND");
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_redelivered_or_dismissed() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    for id in ["late", "other"] {
        let trigger = Trigger { graph: "projects/p/graphs/late".into(), ..github() };
        let made = client.clone().create_trigger(create(id, trigger)).await.unwrap().into_inner();
        for n in 0..3 {
            let sent = request(&token(&made), &format!("d{n}"), &format!("{{\"n\":{n}}}"));
            running.mesh().receive_webhook(sent).await.unwrap();
        }
        wait_for(&client, id, DeliveryState::Failed, 3).await;
    }
    let dead = list(&client, "dead_letter = true").await;
    assert_eq!(dead.len(), 6);
    assert!(dead.iter().all(|one| one.dead_letter && one.reason == "GRAPH_NOT_FOUND"));
    assert_eq!(list(&client, "dead_letter = true AND trigger = late").await.len(), 3);
    assert_eq!(list(&client, "state = started").await, []);
    let wrong = ListDeliveriesRequest { parent: ALL.into(), filter: "body = 1".into(), ..Default::default() };
    assert_eq!(refused(client.clone().list_deliveries(wrong).await).2, "filter");
    // Redelivered in vain, the new one is the dead letter.
    let name = dead.iter().find(|one| one.name.contains("/other/")).unwrap().name.clone();
    let vain = client.clone().redeliver_delivery(again(&name, "")).await.unwrap().into_inner();
    assert!(vain.dead_letter && vain.redelivery_of == name);
    assert_eq!(list(&client, "dead_letter = true").await.len(), 6);
    let dismiss = DismissDeliveryRequest { name: vain.name.clone() };
    let dismissed = client.clone().dismiss_delivery(dismiss.clone()).await.unwrap().into_inner();
    assert_eq!((dismissed.state(), dismissed.dead_letter), (DeliveryState::Failed, false));
    assert!(dismissed.dismiss_time.is_some());
    assert_eq!(client.clone().dismiss_delivery(dismiss).await.unwrap().into_inner(), dismissed);

    // The workflow is there now.
    world.make("projects/p/graphs/late").await;
    let mut batch = RedeliverDeliveriesRequest {
        parent: ALL.into(),
        filter: "dead_letter = true AND trigger = late".into(),
        max_count: 2,
        request_id: REQUEST.into(),
        ..RedeliverDeliveriesRequest::default()
    };
    let some = client.clone().redeliver_deliveries(batch.clone()).await.unwrap().into_inner();
    assert_eq!((some.redelivered_count, some.skipped_count), (2, 0));
    batch.page_token = some.next_page_token;
    let rest = client.clone().redeliver_deliveries(batch).await.unwrap().into_inner();
    assert_eq!((rest.redelivered_count, &rest.next_page_token[..]), (1, ""));
    let all = wait_for(&client, "late", DeliveryState::Started, 3).await;
    assert!(all.iter().all(|one| !one.dead_letter));
    assert_eq!(world.runs().await, 3);
    // Two of the other trigger are left.
    let parent = "projects/p/triggers/other".to_owned();
    let request = DismissDeliveriesRequest { parent, filter: "reason = GRAPH_NOT_FOUND".into() };
    let gone = client.clone().dismiss_deliveries(request.clone()).await.unwrap().into_inner();
    assert_eq!((gone.dismissed_count, gone.more_available), (2, false));
    assert_eq!(client.clone().dismiss_deliveries(request).await.unwrap().into_inner().dismissed_count, 0);
    assert_eq!(list(&client, "dead_letter = true").await, []);
    // They are still there to be looked at.
    assert_eq!(list(&client, "state = failed AND trigger = other").await.len(), 4);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_shown_and_never_redelivered() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let made = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    let mut forged = request(&token(&made), "d1", &format!("\"{}\"", "x".repeat(9_000)));
    forged.headers.insert("x-hub-signature-256".into(), "sha256=00".into());
    // Somebody tries a thousand times.
    for _ in 0..1_000 {
        assert_eq!(refused(running.mesh().receive_webhook(forged.clone()).await).1, "SIGNATURE_INVALID");
    }
    let mut packed = request(&token(&made), "d2", "{}");
    packed.headers.insert("content-encoding".into(), "gzip".into());
    let noted = wait_for(&client, "t", DeliveryState::Refused, 5).await;
    assert!(noted.len() <= 10, "{} are noted", noted.len());
    let shown = content(&client, &noted[0].name).await.unwrap();
    assert_eq!((shown.body.len(), shown.truncated, noted[0].body_bytes), (4 << 10, true, 9_002));
    assert_eq!(shown.masked_headers, ["x-hub-signature-256"]);
    let refusal = refused(client.clone().redeliver_delivery(again(&noted[0].name, "")).await);
    assert_eq!((refusal.0, &refusal.1[..]), (Code::FailedPrecondition, "DELIVERY_REFUSED"));
    // Other refusals are told, too, in another minute.
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(refused(running.mesh().receive_webhook(packed).await).1, "WEBHOOK_CONTENT_TYPE");
    client.clone().pause_trigger(PauseTriggerRequest { name: made.name.clone() }).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(
        refused(running.mesh().receive_webhook(request(&token(&made), "d3", "{}")).await).1,
        "WEBHOOK_PAUSED"
    );
    let all = wait_for(&client, "t", DeliveryState::Refused, noted.len() + 2).await;
    let reasons: Vec<&str> = all[noted.len()..].iter().map(|one| &one.reason[..]).collect();
    assert_eq!(reasons, ["WEBHOOK_CONTENT_TYPE", "WEBHOOK_PAUSED"]);
    assert_eq!(world.runs().await, 0);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_is_forgotten_to_make_room() {
    let mut world = World::start().await;
    world.options.kept_bytes_per_project = 8_000;
    let running = world.open("one");
    let client = running.client();
    let made = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    for n in 0..12 {
        let body = format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(1_000));
        running.mesh().receive_webhook(request(&token(&made), &format!("d{n}"), &body)).await.unwrap();
        wait_for(&client, "t", DeliveryState::Started, n + 1).await;
        // Later ones have larger names, by the millisecond.
        world.clock.advance(Duration::from_millis(1));
    }
    let all = deliveries(&client, "t").await;
    while content(&client, &all[0].name).await.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(content(&client, &all[11].name).await.is_some(), "the newest is still there");
    let refusal = refused(client.clone().redeliver_delivery(again(&all[0].name, "")).await);
    assert_eq!((refusal.0, &refusal.1[..]), (Code::FailedPrecondition, "DELIVERY_FORGOTTEN"));
    let batch = RedeliverDeliveriesRequest {
        parent: ALL.into(),
        filter: "state = started".into(),
        ..RedeliverDeliveriesRequest::default()
    };
    let done = client.clone().redeliver_deliveries(batch).await.unwrap().into_inner();
    assert_eq!(done.redelivered_count + done.skipped_count, 12);
    assert!(done.skipped_count > 0 && done.redelivered_count > 0);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_redelivered_once_however_often_that_is_asked() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let trigger = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    for n in 0..3 {
        running.mesh().receive_webhook(request(&token(&trigger), &format!("d{n}"), "{}")).await.unwrap();
    }
    wait_for(&client, "t", DeliveryState::Started, 3).await;
    // A later moment, so that what is redelivered is newer than all before.
    world.clock.advance(Duration::from_secs(1));
    for filter in ["*", "state = started"] {
        let batch = RedeliverDeliveriesRequest {
            parent: ALL.into(),
            filter: filter.into(),
            max_count: 2,
            request_id: REQUEST.into(),
            ..RedeliverDeliveriesRequest::default()
        };
        let mut answers = Vec::new();
        for _ in 0..3 {
            let redelivered = client.clone().redeliver_deliveries(batch.clone()).await.unwrap().into_inner();
            answers.push((redelivered.redelivered_count, redelivered.skipped_count));
            wait_for(&client, "t", DeliveryState::Started, 5).await;
        }
        assert_eq!(answers, [(2, 0); 3]);
    }
    assert_eq!((deliveries(&client, "t").await.len(), world.runs().await), (5, 5));
    // Another request is another one.
    let other = RedeliverDeliveriesRequest {
        parent: ALL.into(),
        filter: "*".into(),
        ..RedeliverDeliveriesRequest::default()
    };
    let all = client.clone().redeliver_deliveries(other).await.unwrap().into_inner();
    assert_eq!(all.redelivered_count, 5);
    running.stop().await;
    world.stop().await;
}
