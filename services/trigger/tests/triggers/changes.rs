//! Triggers are made, changed, found and refused.

use tonic::Code;
use weft_kit::Role;
use weft_proto::weft::trigger::v1::{
    BackfillTriggerRequest, CreateTriggerRequest, DeleteTriggerRequest, GetDeliveryRequest,
    GetTriggerRequest, HmacSignature, ListTicksRequest, ListTriggersRequest, RotateTriggerTokenRequest,
    ScheduleSource, Trigger, UpdateTriggerRequest, WebhookProvider, WebhookSource, trigger::Source,
};

use crate::world::{START, World, create, refused, schedule, somebody, webhook};

fn secret() -> Vec<String> {
    vec!["a secret for tests".into()]
}

fn of(provider: WebhookProvider) -> WebhookSource {
    WebhookSource { provider: provider.into(), ..WebhookSource::default() }
}

fn path(trigger: &Trigger) -> &str {
    match &trigger.source {
        Some(Source::Webhook(webhook)) => &webhook.path,
        _ => "",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_no_trigger_is_refused() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let signed = |source: WebhookSource| webhook(WebhookSource { secrets: secret(), ..source });
    let github = || WebhookSource { secrets: secret(), ..of(WebhookProvider::Github) };
    let good = webhook(github());
    let cron = |cron: &str| ScheduleSource { cron: cron.into(), ..ScheduleSource::default() };
    let input = |text: &str| Some(weft_kit::json::to_struct(serde_json::json!({ "a": [text] })));
    let hmac = HmacSignature { header: "x".into(), ..HmacSignature::default() };
    for (trigger, field) in [
        (webhook(WebhookSource::default()), "trigger.webhook.provider"),
        (signed(of(WebhookProvider::Unspecified)), "trigger.webhook.provider"),
        (webhook(of(WebhookProvider::Github)), "trigger.webhook.secrets"),
        (signed(of(WebhookProvider::None)), "trigger.webhook.secrets"),
        (signed(of(WebhookProvider::StandardWebhooks)), "trigger.webhook.secrets"),
        (signed(of(WebhookProvider::Hmac)), "trigger.webhook.hmac"),
        (webhook(WebhookSource { hmac: Some(hmac), ..github() }), "trigger.webhook.hmac"),
        (signed(of(WebhookProvider::Basic)), "trigger.webhook.username"),
        (webhook(WebhookSource { username: "ada".into(), ..github() }), "trigger.webhook.username"),
        (webhook(WebhookSource { tolerance: span(0), ..github() }), "trigger.webhook.tolerance"),
        (webhook(WebhookSource { wait_duration: span(61), ..github() }), "trigger.webhook.wait_duration"),
        (schedule(cron("* * *")), "trigger.schedule.cron"),
        (schedule(ScheduleSource::default()), "trigger.schedule.cron"),
        (schedule(ScheduleSource { interval: span(1), ..cron("* * * * *") }), "trigger.schedule.cron"),
        (
            schedule(ScheduleSource { time_zone: "Mars".into(), ..cron("* * * * *") }),
            "trigger.schedule.time_zone",
        ),
        (schedule(ScheduleSource { jitter: span(3_601), ..cron("* * * * *") }), "trigger.schedule.jitter"),
        (Trigger { graph: String::new(), ..good.clone() }, "trigger.graph"),
        (Trigger { graph: "projects/q/graphs/g".into(), ..good.clone() }, "trigger.graph"),
        (Trigger { condition: "event.".into(), ..good.clone() }, "trigger.condition"),
        (Trigger { condition: "input.a".into(), ..good.clone() }, "trigger.condition"),
        (Trigger { input: input("${event.a"), ..good.clone() }, "trigger.input.a[0]"),
        (Trigger { source: None, ..good.clone() }, "trigger.source"),
    ] {
        let refusal = refused(client.clone().create_trigger(create("t", trigger.clone())).await);
        assert_eq!(refusal, (Code::InvalidArgument, "INVALID_FIELD".into(), field.into()), "{trigger:?}");
    }
    client.clone().create_trigger(create("t", good.clone())).await.unwrap();
    let again = refused(client.clone().create_trigger(create("t", good)).await);
    assert_eq!(again.1, "TRIGGER_ALREADY_EXISTS");
    let missing = GetTriggerRequest { name: "projects/p/triggers/u".into() };
    assert_eq!(refused(client.clone().get_trigger(missing).await).1, "TRIGGER_NOT_FOUND");
    let name = format!("projects/p/triggers/t/deliveries/{}", "0".repeat(32));
    let missing = GetDeliveryRequest { name, ..GetDeliveryRequest::default() };
    assert_eq!(refused(client.clone().get_delivery(missing).await).1, "DELIVERY_NOT_FOUND");
    let ticks = ListTicksRequest { parent: "projects/p/triggers/t".into(), ..ListTicksRequest::default() };
    assert_eq!(refused(client.clone().list_ticks(ticks).await).1, "WRONG_KIND_OF_TRIGGER");
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_answered_as_the_first_and_shows_the_address_again() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    let source = WebhookSource { secrets: secret(), ..of(WebhookProvider::Gitlab) };
    let request = CreateTriggerRequest {
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b01".into(),
        trigger_id: String::new(),
        ..create("", webhook(source))
    };
    let first = client.create_trigger(request.clone()).await.unwrap().into_inner();
    assert!(path(&first).len() == "/hooks/".len() + 43);
    assert_eq!(client.create_trigger(request.clone()).await.unwrap().into_inner(), first);
    let other = CreateTriggerRequest { trigger_id: "x".into(), ..request };
    assert_eq!(refused(client.create_trigger(other).await).1, "REQUEST_ID_REUSED");
    let rotate = RotateTriggerTokenRequest {
        name: first.name.clone(),
        request_id: "6f1c1c0e-5b1d-4a43-9a55-0d1f7c0a1b02".into(),
    };
    let rotated = client.rotate_trigger_token(rotate.clone()).await.unwrap().into_inner();
    assert_ne!(path(&rotated), path(&first));
    let again = client.rotate_trigger_token(rotate).await.unwrap().into_inner();
    assert_eq!((path(&again), &again.etag), (path(&rotated), &rotated.etag));
    // A viewer is not shown where it is; nothing that was remembered has it either.
    let mut viewer = running.client_of(somebody("projects/p/apiKeys/v", Role::Viewer));
    let seen = viewer.get_trigger(GetTriggerRequest { name: first.name.clone() }).await.unwrap().into_inner();
    assert_eq!((path(&seen), &seen.uid), ("", &first.uid));
    let list = ListTriggersRequest { parent: "projects/p".into(), ..ListTriggersRequest::default() };
    let listed = viewer.list_triggers(list).await.unwrap().into_inner().triggers;
    assert_eq!(listed.iter().map(path).collect::<Vec<_>>(), [""]);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_change_is_refused_and_the_kind_stays() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    let minutes = |cron: &str| ScheduleSource { cron: cron.into(), ..ScheduleSource::default() };
    let made = client.create_trigger(create("t", schedule(minutes("* * * * *")))).await.unwrap().into_inner();
    let name = made.name.clone();
    let next = |trigger: &Trigger| match &trigger.source {
        Some(Source::Schedule(schedule)) => {
            schedule.next_time.as_ref().map(|time| time.seconds - START as i64)
        }
        _ => None,
    };
    assert_eq!(next(&made), Some(60));
    let change = |trigger: Trigger| UpdateTriggerRequest { trigger: Some(trigger), update_mask: None };
    let hourly = Trigger {
        name: name.clone(),
        source: Some(Source::Schedule(minutes("0 * * * *"))),
        etag: made.etag.clone(),
        ..Trigger::default()
    };
    let changed = client.update_trigger(change(hourly.clone())).await.unwrap().into_inner();
    assert_eq!(next(&changed), Some(3_600));
    assert_eq!(refused(client.update_trigger(change(hourly)).await).1, "ETAG_MISMATCH");
    let github = WebhookSource { secrets: secret(), ..of(WebhookProvider::Github) };
    let other = Trigger { name: name.clone(), source: Some(Source::Webhook(github)), ..Trigger::default() };
    assert_eq!(refused(client.update_trigger(change(other)).await).2, "trigger.source");
    let backfill = |start: i64, end: i64| BackfillTriggerRequest {
        name: name.clone(),
        start_time: Some(prost_types::Timestamp { seconds: START as i64 + start, nanos: 0 }),
        end_time: Some(prost_types::Timestamp { seconds: START as i64 + end, nanos: 0 }),
        request_id: String::new(),
    };
    assert_eq!(refused(client.backfill_trigger(backfill(0, 1)).await).2, "end_time");
    assert_eq!(refused(client.backfill_trigger(backfill(-5_000_000, 0)).await).1, "TOO_MANY_TICKS");
    assert_eq!(client.backfill_trigger(backfill(-7_200, 0)).await.unwrap().into_inner().tick_count, 2);
    let delete = |etag: &str| DeleteTriggerRequest { name: name.clone(), etag: etag.into() };
    assert_eq!(refused(client.delete_trigger(delete(&made.etag)).await).1, "ETAG_MISMATCH");
    client.delete_trigger(delete(&changed.etag)).await.unwrap();
    assert_eq!(refused(client.delete_trigger(delete("")).await).0, Code::NotFound);
    running.stop().await;
    world.stop().await;
}
