//! Ticks: each once, by however many schedulers, also those that were missed.

use std::{collections::BTreeSet, time::Duration};

use weft_proto::weft::trigger::v1::{
    Delivery, DeliveryState, ListTicksRequest, OverlapPolicy, PauseTriggerRequest, PreviewScheduleRequest,
    ResumeTriggerRequest, ScheduleSource,
};

use crate::world::{START, World, create, deliveries, refused, schedule, wait_for};

fn every_minute(catchup: i64) -> ScheduleSource {
    ScheduleSource {
        cron: "* * * * *".into(),
        overlap_policy: OverlapPolicy::Allow.into(),
        catchup_window: Some(prost_types::Duration { seconds: catchup, nanos: 0 }),
        ..ScheduleSource::default()
    }
}

fn minutes(all: &[Delivery]) -> Vec<i64> {
    let minute = |delivery: &Delivery| delivery.schedule_time.as_ref().map(|time| time.seconds / 60);
    all.iter().filter_map(minute).map(|minute| minute - START as i64 / 60).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_tick_each_tick_once() {
    let world = World::start().await;
    // Of this database each gets the ticks that asks for them: they take them from each other all the time.
    let both = [world.open("one"), world.open("two")];
    let client = both[0].client();
    for id in ["a", "b", "c"] {
        client.clone().create_trigger(create(id, schedule(every_minute(3_600)))).await.unwrap();
    }
    for minute in 1..=12 {
        world.clock.advance(Duration::from_mins(1));
        for id in ["a", "b", "c"] {
            wait_for(&client, id, DeliveryState::Started, minute).await;
        }
    }
    let mut runs = BTreeSet::new();
    for id in ["a", "b", "c"] {
        let all = deliveries(&client, id).await;
        assert_eq!(minutes(&all).into_iter().collect::<BTreeSet<_>>(), (1..=12).collect(), "{id}");
        assert_eq!(all.len(), 12, "{id}");
        for delivery in all {
            let run = world.execution(&delivery.execution).await;
            assert_eq!(run.creator, "projects/p/apiKeys/ada");
            runs.insert(run.uid);
        }
    }
    assert_eq!(runs.len(), 36);
    for running in both {
        running.stop().await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_made_up_for_within_its_window() {
    let world = World::start().await;
    let running = world.open("one");
    running.client().create_trigger(create("t", schedule(every_minute(180)))).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    wait_for(&running.client(), "t", DeliveryState::Started, 1).await;
    running.stop().await;
    world.clock.advance(Duration::from_mins(10));
    let running = world.open("two");
    let client = running.client();
    let all = wait_for(&client, "t", DeliveryState::Started, 5).await;
    let of = |state: DeliveryState| {
        let some: Vec<_> = all.iter().filter(|delivery| delivery.state() == state).cloned().collect();
        minutes(&some).into_iter().collect::<BTreeSet<_>>()
    };
    // At 11 minutes: 8 is three minutes ago.
    assert_eq!(of(DeliveryState::Started), [1, 8, 9, 10, 11].into());
    assert_eq!(of(DeliveryState::Skipped), [2].into());
    let missed = all.iter().find(|delivery| delivery.state() == DeliveryState::Skipped).unwrap();
    assert_eq!(missed.reason, "MISSED");
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_schedule_lets_its_ticks_pass() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    client.create_trigger(create("t", schedule(every_minute(3_600)))).await.unwrap();
    client.create_trigger(create("beside", schedule(every_minute(3_600)))).await.unwrap();
    let name = "projects/p/triggers/t".to_owned();
    let paused = client.pause_trigger(PauseTriggerRequest { name: name.clone() }).await.unwrap().into_inner();
    assert!(paused.paused);
    let ticks = ListTicksRequest { parent: name.clone(), page_size: 2, ..ListTicksRequest::default() };
    let page = client.list_ticks(ticks.clone()).await.unwrap().into_inner();
    let rest = ListTicksRequest { page_token: page.next_page_token, ..ticks };
    let rest = client.list_ticks(rest).await.unwrap().into_inner();
    let shown = page.ticks.iter().chain(&rest.ticks).map(|tick| tick.schedule_time.as_ref().unwrap().seconds);
    assert_eq!(shown.collect::<Vec<_>>(), [60, 120, 180, 240].map(|second| START as i64 + second));
    world.clock.advance(Duration::from_mins(3));
    wait_for(&client, "beside", DeliveryState::Started, 3).await;
    client.resume_trigger(ResumeTriggerRequest { name }).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert_eq!(minutes(&all), [4]);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jitter_puts_ticks_off() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    let source =
        ScheduleSource { jitter: Some(prost_types::Duration { seconds: 50, nanos: 0 }), ..every_minute(60) };
    client.create_trigger(create("t", schedule(source))).await.unwrap();
    let ticks = ListTicksRequest { parent: "projects/p/triggers/t".into(), ..ListTicksRequest::default() };
    let tick = client.list_ticks(ticks).await.unwrap().into_inner().ticks.remove(0);
    let due = tick.due_time.unwrap();
    assert!((0..50).contains(&(due.seconds - tick.schedule_time.unwrap().seconds)));
    world.clock.advance(Duration::from_mins(1));
    wait_for(&client, "t", DeliveryState::Pending, 1).await;
    world.clock.advance(Duration::from_secs(50));
    let all = wait_for(&client, "t", DeliveryState::Started, 1).await;
    assert!(all[0].start_time.as_ref().unwrap().seconds >= due.seconds);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_saved_yet_says_when_it_would_tick() {
    let world = World::start().await;
    let running = world.open("one");
    let mut client = running.client();
    let preview = |schedule, max_ticks| PreviewScheduleRequest {
        parent: "projects/p".into(),
        schedule: Some(schedule),
        max_ticks,
    };
    let cron = |cron: &str| ScheduleSource { cron: cron.into(), ..ScheduleSource::default() };
    let every = |seconds| ScheduleSource {
        interval: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..ScheduleSource::default()
    };
    let end = prost_types::Timestamp { seconds: START as i64 + 15, nanos: 0 };
    for (schedule, max, expected) in [
        (cron("*/10 * * * *"), 2, vec![600, 1_200]),
        (cron("*/10 * * * *"), 0, vec![600, 1_200, 1_800, 2_400, 3_000]),
        (every(7), 3, vec![7, 14, 21]),
        (ScheduleSource { end_time: Some(end), ..every(7) }, 3, vec![7, 14]),
    ] {
        let ticks = client.preview_schedule(preview(schedule, max)).await.unwrap().into_inner().ticks;
        let shown: Vec<_> =
            ticks.iter().map(|tick| tick.schedule_time.as_ref().unwrap().seconds - START as i64).collect();
        assert_eq!(shown, expected);
    }
    let most = client.preview_schedule(preview(cron("* * * * *"), i32::MAX)).await.unwrap().into_inner();
    assert_eq!(most.ticks.len(), 100);
    let zone = ScheduleSource { time_zone: "Mars".into(), ..cron("* * * * *") };
    for (schedule, field) in [(cron("often"), "schedule.cron"), (zone, "schedule.time_zone")] {
        let refusal = refused(client.preview_schedule(preview(schedule, 0)).await);
        assert_eq!((&refusal.1[..], &refusal.2[..]), ("INVALID_FIELD", field));
    }
    running.stop().await;
    world.stop().await;
}
