//! Runs that nobody starts by hand: a webhook over HTTP, and a schedule, to the end of what they start.

use std::time::Duration;

use serde_json::json;
use weft_proto::weft::{
    execution::v1::ExecutionState,
    trigger::v1::{
        CreateTriggerRequest, Delivery, DeliveryState, ListDeliveriesRequest, ScheduleSource, Trigger,
        WebhookProvider, WebhookSource, trigger::Source,
    },
};
use weft_tests::{
    client::Client,
    mesh::Mesh,
    workflows::{self, node, way},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_and_a_schedule_start_runs_that_end() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    let nodes = vec![
        node("start", "input", json!({})),
        node("say", "set", json!({"value": "${input.event.cause}"})),
        node("end", "output", json!({})),
        way("start", "", "say"),
        way("say", "", "end"),
    ];
    let graph = workflows::create(&client, "said", nodes).await;
    let gitlab = WebhookSource {
        provider: WebhookProvider::Gitlab.into(),
        secrets: vec!["a secret for tests".into()],
        ..WebhookSource::default()
    };
    let hook = create(&client, &graph, "hook", Source::Webhook(gitlab)).await;
    let Some(Source::Webhook(webhook)) = &hook.source else { panic!("it is a webhook") };
    let every = ScheduleSource {
        interval: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..ScheduleSource::default()
    };
    let clock = create(&client, &graph, "clock", Source::Schedule(every)).await;
    let stranger = client.as_other(None);
    for (token, status) in [("a secret for tests", 202), ("another secret", 401)] {
        let line = format!("POST {}", webhook.path);
        let answer = stranger.rest_raw(&line, &[("x-gitlab-token", token)], "{}").await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    for (trigger, cause) in [(&hook, "webhook"), (&clock, "schedule")] {
        let delivery = started(&client, &trigger.name).await;
        let ended = workflows::ended(&client, &delivery.execution).await;
        assert_eq!(ended.state(), ExecutionState::Succeeded, "{:?}", ended.error);
        assert_eq!(workflows::value(ended.output.as_ref()), json!(cause));
        assert_eq!(ended.creator, trigger.creator);
    }
    mesh.stop_unhurt().await;
}

async fn create(client: &Client, graph: &str, id: &str, source: Source) -> Trigger {
    let trigger = Trigger { graph: graph.into(), source: Some(source), ..Trigger::default() };
    let request = CreateTriggerRequest {
        parent: "projects/p".into(),
        trigger_id: id.into(),
        trigger: Some(trigger),
        request_id: String::new(),
    };
    client.triggers().create_trigger(request).await.expect("it can be one").into_inner()
}

/// The first delivery of a trigger whose run was started.
async fn started(client: &Client, trigger: &str) -> Delivery {
    let request = ListDeliveriesRequest { parent: trigger.into(), ..ListDeliveriesRequest::default() };
    loop {
        let page = client.triggers().list_deliveries(request.clone()).await.expect("it is there");
        let found = page.into_inner().deliveries.into_iter();
        if let Some(delivery) = found.rev().find(|delivery| delivery.state() == DeliveryState::Started) {
            return delivery;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
