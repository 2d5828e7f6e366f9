//! Deliveries become runs: whatever cannot be reached meanwhile, once, and with the right rights.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use hmac::{Hmac, Mac};
use tonic::Code;
use weft_kit::Role;
use weft_proto::weft::trigger::v1::{
    DeliveryCause, DeliveryState, FireTriggerRequest, ReceiveWebhookRequest, Trigger, WebhookProvider,
    WebhookSource, trigger::Source,
};

use crate::world::{Client, GRAPH, World, create, deliveries, refused, somebody, wait_for, webhook};

pub(crate) fn github() -> Trigger {
    webhook(WebhookSource {
        provider: WebhookProvider::Github.into(),
        secrets: vec!["a secret for tests".into()],
        ..WebhookSource::default()
    })
}

/// The token of a webhook.
pub(crate) fn token(trigger: &Trigger) -> String {
    let Some(Source::Webhook(webhook)) = &trigger.source else { panic!("it is a webhook") };
    webhook.path.strip_prefix("/hooks/").expect("an Operator is shown it").to_owned()
}

pub(crate) fn request(token: &str, id: &str, body: &str) -> ReceiveWebhookRequest {
    let mut code = <Hmac<sha2::Sha256> as Mac>::new_from_slice(b"a secret for tests").unwrap();
    code.update(body.as_bytes());
    let code = code.finalize().into_bytes();
    let hex = code.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let headers = HashMap::from([
        ("x-hub-signature-256".to_owned(), format!("sha256={hex}")),
        ("x-github-delivery".to_owned(), id.to_owned()),
        ("x-github-event".to_owned(), "push".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ]);
    ReceiveWebhookRequest {
        token: token.to_owned(),
        headers,
        body: body.to_owned().into(),
        address: "192.0.2.7".into(),
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b01".into(),
        query: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_outlive_an_execution_service_that_is_away() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let trigger = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    world.is_cut.store(true, Ordering::SeqCst);
    let send = |client: Client, n: usize| {
        let request = request(&token(&trigger), &format!("d{n}"), &format!("{{\"n\":{n}}}"));
        async move { client.clone().receive_webhook(request).await.unwrap().into_inner() }
    };
    for n in 0..20 {
        assert_eq!(send(running.mesh(), n).await.http_status, 202);
    }
    let first = send(running.mesh(), 3).await;
    // It has been tried, in vain.
    loop {
        let all = deliveries(&client, "t").await;
        assert!(all.len() == 20 && all.iter().all(|delivery| delivery.state() == DeliveryState::Pending));
        if all.iter().any(|delivery| delivery.failure_count > 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
    world.is_cut.store(false, Ordering::SeqCst);
    // Another process has them, now or when those are over that the first one had for itself.
    world.clock.advance(Duration::from_mins(10));
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 20).await;
    let runs: std::collections::BTreeSet<_> = all.iter().map(|delivery| &delivery.execution).collect();
    assert_eq!((all.len(), runs.len()), (20, 20));
    assert_eq!(send(running.mesh(), 3).await, first, "a repeat is answered as the first was");
    assert_eq!(deliveries(&client, "t").await.len(), 20);
    let shown = &all[0];
    assert_eq!(
        (shown.cause(), &shown.event_type[..], &shown.address[..]),
        (DeliveryCause::Webhook, "push", "192.0.2.7")
    );
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_starts_no_second_run() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let trigger = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    world.is_unheard.store(true, Ordering::SeqCst);
    running.mesh().receive_webhook(request(&token(&trigger), "d1", "{}")).await.unwrap();
    running.mesh().receive_webhook(request(&token(&trigger), "d2", "{}")).await.unwrap();
    while deliveries(&client, "t").await.iter().any(|delivery| delivery.failure_count < 2) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.is_unheard.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_mins(10));
    let all = wait_for(&client, "t", DeliveryState::Started, 2).await;
    assert_eq!(world.runs().await, 2);
    assert_ne!(all[0].execution, all[1].execution);
    // The same, and what is asked for is another run by then: there is one already.
    world.is_unheard.store(true, Ordering::SeqCst);
    running.mesh().receive_webhook(request(&token(&trigger), "d3", "{}")).await.unwrap();
    while deliveries(&client, "t")
        .await
        .iter()
        .all(|delivery| delivery.state() != DeliveryState::Pending || delivery.failure_count < 2)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let change = Trigger { name: trigger.name, display_name: "other".into(), ..Trigger::default() };
    let change =
        weft_proto::weft::trigger::v1::UpdateTriggerRequest { trigger: Some(change), update_mask: None };
    client.clone().update_trigger(change).await.unwrap();
    // Until what was known of the trigger is read anew.
    running.stop().await;
    world.is_unheard.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_mins(10));
    let running = world.open("two");
    let all = wait_for(&running.client(), "t", DeliveryState::Started, 3).await;
    assert_eq!((all[2].reason.as_str(), all[2].execution.as_str()), ("REQUEST_ID_REUSED", ""));
    assert_eq!(world.runs().await, 3);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_have_the_rights_of_whom_they_are_for() {
    let world = World::start().await;
    let running = world.open("one");
    let admin = running.client_of(somebody("projects/p/apiKeys/root", Role::Admin));
    let narrow = running.client_of(weft_kit::Caller {
        scopes: ["trigger.write".to_owned()].into(),
        ..somebody("projects/p/apiKeys/narrow", Role::Operator)
    });
    let made = admin.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    assert_eq!(made.creator, "projects/p/apiKeys/root");
    // Who may not start runs may not have them started.
    let refusal = refused(narrow.clone().create_trigger(create("u", github())).await);
    assert_eq!((refusal.0, &refusal.1[..]), (Code::PermissionDenied, "SCOPE_REQUIRED"));
    let name = made.name.clone();
    let fire = FireTriggerRequest { name: name.clone(), ..FireTriggerRequest::default() };
    assert_eq!(refused(narrow.clone().fire_trigger(fire.clone()).await).0, Code::PermissionDenied);
    running.mesh().receive_webhook(request(&token(&made), "d1", "{}")).await.unwrap();
    let all = wait_for(&running.client(), "t", DeliveryState::Started, 1).await;
    assert_eq!(world.execution(&all[0].execution).await.creator, "projects/p/apiKeys/root");
    // By hand it is whoever asks, and after a change whoever made it.
    let fired = running.client().fire_trigger(fire).await.unwrap().into_inner();
    assert_eq!((fired.state(), fired.cause()), (DeliveryState::Started, DeliveryCause::Manual));
    assert_eq!(world.execution(&fired.execution).await.creator, "projects/p/apiKeys/ada");
    let change = Trigger { name, display_name: "mine now".into(), ..Trigger::default() };
    let change =
        weft_proto::weft::trigger::v1::UpdateTriggerRequest { trigger: Some(change), update_mask: None };
    let changed = running.client().update_trigger(change).await.unwrap().into_inner();
    assert_eq!((&changed.creator[..], &changed.graph[..]), ("projects/p/apiKeys/ada", GRAPH));
    // Only a process of the mesh says in whose name a run acts.
    let behalf = weft_proto::weft::execution::v1::OnBehalf {
        creator: "projects/p/apiKeys/root".into(),
        role: Role::Admin.into(),
        ..weft_proto::weft::execution::v1::OnBehalf::default()
    };
    assert_eq!(
        world.create_as_operator(behalf).await,
        (Code::InvalidArgument, "INVALID_FIELD".into(), "on_behalf".into())
    );
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_started_says_why() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let input = weft_kit::json::to_struct(serde_json::json!({"n": "${event.body.n / 0}"}));
    let broken = Trigger { input: Some(input), ..github() };
    let broken = client.clone().create_trigger(create("broken", broken)).await.unwrap().into_inner();
    let gone = Trigger { graph: "projects/p/graphs/gone".into(), ..github() };
    let gone = client.clone().create_trigger(create("gone", gone)).await.unwrap().into_inner();
    for trigger in [&broken, &gone] {
        let request = request(&token(trigger), "d1", "{\"n\":1}");
        assert_eq!(running.mesh().receive_webhook(request).await.unwrap().into_inner().http_status, 202);
    }
    let failed = wait_for(&client, "broken", DeliveryState::Failed, 1).await;
    assert_eq!(failed[0].reason, "EXPRESSION_FAILED");
    let failed = wait_for(&client, "gone", DeliveryState::Failed, 1).await;
    assert_eq!(failed[0].reason, "GRAPH_NOT_FOUND");
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_fires_once_for_each_request_id() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    let made = client.create_trigger(create("t", github())).await.unwrap().into_inner();
    let fire = FireTriggerRequest {
        name: made.name,
        body: Some(weft_kit::json::to_struct(serde_json::json!({"n": 5}))),
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b02".into(),
        ..FireTriggerRequest::default()
    };
    let first = client.fire_trigger(fire.clone()).await.unwrap().into_inner();
    let again = client.fire_trigger(fire.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = FireTriggerRequest { request_id: String::new(), ..fire };
    let other = client.fire_trigger(other).await.unwrap().into_inner();
    assert_ne!(first.execution, other.execution);
    let input = world.execution(&first.execution).await.input.unwrap();
    let input = weft_kit::json::of_struct(&input);
    assert_eq!((&input["event"]["cause"], &input["event"]["body"]["n"]), (&"manual".into(), &5.into()));
    running.stop().await;
    world.stop().await;
}
