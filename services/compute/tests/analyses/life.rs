//! From the acceptance of an analysis to its end, across restarts and deaths.

use std::time::{Duration, Instant};

use prost::Message;
use tonic::Code;
use uuid::Uuid;
use weft_proto::weft::compute::v1::{
    AnalysisPhase, AnalysisState, Betweenness, CancelAnalysisRequest, CreateAnalysisRequest,
    DeleteAnalysisRequest, ListAnalysesRequest, WeakComponents, algorithm::Kind,
};
use weft_store::{NewAnalysis, Timestamp};

use crate::world::{GRAPH, World, analysis, failure, reason, soon};

/// What takes long on a ring.
fn long() -> Kind {
    Kind::Betweenness(Betweenness::default())
}

fn short() -> Kind {
    Kind::WeakComponents(WeakComponents {})
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_sees_it_wait_run_and_end() {
    let world = World::start().await;
    // Watchers are told ten times a second: this takes some seconds on a fast machine.
    world.ring(8_000).await;
    let created = world.create("a", long()).await.unwrap();
    assert_eq!(
        (created.name.as_str(), created.state()),
        ("projects/p/graphs/g/analyses/a", AnalysisState::Pending)
    );
    let states = world.watch(&created.name).await;
    let last = states.last().unwrap();
    assert_eq!((last.state(), last.attempt_count), (AnalysisState::Succeeded, 1), "{:?}", last.error);
    assert!(
        states.windows(2).all(|pair| pair[0].state <= pair[1].state && pair[0].progress <= pair[1].progress)
    );
    assert!(states.iter().any(|state| state.phase() == AnalysisPhase::Computing && state.progress > 0.0));
    let result = last.result.clone().unwrap();
    assert_eq!(result.graph_revision, world.graph().await.revision);
    assert_eq!((result.node_count, result.edge_count, result.row_count), (8_000, 8_000, 8_000));
    // Whoever comes late is told the end, and no more.
    assert_eq!(world.watch(&created.name).await, std::slice::from_ref(last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_ends_what_runs_and_what_waits() {
    let world = World::start().await;
    world.ring(20_000).await;
    let runs = world.create("runs", long()).await.unwrap();
    let waits = world.create("waits", long()).await.unwrap();
    world.until(&runs.name, AnalysisState::Running).await;
    soon(async {
        while world.client.clone().get_analysis(get(&runs.name)).await.unwrap().into_inner().progress <= 0.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let cancel = |name: &str| {
        let (mut client, name) = (world.client.clone(), name.to_owned());
        async move { client.cancel_analysis(CancelAnalysisRequest { name }).await.unwrap().into_inner() }
    };
    assert_eq!(cancel(&waits.name).await.state(), AnalysisState::Cancelled);
    let asked = Instant::now();
    assert!(cancel(&runs.name).await.cancel_requested);
    let ended = world.until(&runs.name, AnalysisState::Succeeded).await;
    assert_eq!(ended.state(), AnalysisState::Cancelled);
    // An unoptimised search of a ring of 20,000 nodes is what it waits for here.
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let values = world.client.clone().list_analysis_values(values(&runs.name)).await.unwrap_err();
    assert_eq!(reason(&values), (Code::FailedPrecondition, "ANALYSIS_HAS_NO_VALUES".into()));
    // What has ended stays as it is, and its place is free.
    assert_eq!(cancel(&runs.name).await.end_time, ended.end_time);
    assert_eq!(world.run(short()).await.state(), AnalysisState::Succeeded);
}

fn get(name: &str) -> weft_proto::weft::compute::v1::GetAnalysisRequest {
    weft_proto::weft::compute::v1::GetAnalysisRequest { name: name.into() }
}

fn values(name: &str) -> weft_proto::weft::compute::v1::ListAnalysisValuesRequest {
    weft_proto::weft::compute::v1::ListAnalysisValuesRequest { name: name.into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_begins_again_what_ran_and_keeps_what_waited() {
    let world = World::start().await;
    world.ring(3_000).await;
    let runs = world.create("runs", long()).await.unwrap();
    let waits = world.create("waits", short()).await.unwrap();
    let done = world.create("never", short()).await.unwrap();
    world.until(&runs.name, AnalysisState::Running).await;
    let world = world.restart().await;
    for name in [&runs.name, &waits.name, &done.name] {
        let ended = world.watch(name).await.pop().unwrap();
        // An orderly end is not an attempt that failed.
        assert_eq!(
            (ended.state(), ended.attempt_count),
            (AnalysisState::Succeeded, 1),
            "{name}: {:?}",
            ended.error
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_whose_process_died_is_begun_again_so_many_times() {
    for deaths in [2, 3] {
        let world = World::start().await;
        world.ring(10).await;
        world.lifecycle.shut_down(Duration::from_secs(5)).await;
        let new = NewAnalysis {
            project: "p".into(),
            graph: "g".into(),
            graph_uid: Uuid::parse_str(&world.graph().await.uid).unwrap(),
            id: "a".into(),
            uid: Uuid::from_u128(1),
            settings: analysis(short()).encode_to_vec().into(),
            creator: String::new(),
            at: Timestamp::MIN,
        };
        let store = world.stores.analysis.clone();
        let _ = store.create_analysis(new, None).await.unwrap();
        // Processes that took it and were never heard of again.
        for death in 0..deaths {
            let (at, lease) = (Timestamp::from_micros(10 * death), Timestamp::from_micros(10 * death + 5));
            let dead = Uuid::from_u128(1_000 + death as u128);
            assert!(store.claim_analysis(dead, at, lease).await.unwrap().is_some());
        }
        let world = world.restart().await;
        let ended = world.watch("projects/p/graphs/g/analyses/a").await.pop().unwrap();
        assert_eq!(i64::from(ended.attempt_count), deaths + 1);
        if deaths == 2 {
            assert_eq!(ended.state(), AnalysisState::Succeeded, "{:?}", ended.error);
        } else {
            // What kills its process each time ends some time.
            assert_eq!(failure(&ended), (Code::Internal, "ANALYSIS_ABANDONED".into()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_fails_with_its_deadline() {
    let world = World::start().await;
    world.ring(20_000).await;
    let timeout = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let done =
        world.run_analysis(weft_proto::weft::compute::v1::Analysis { timeout, ..analysis(long()) }).await;
    assert_eq!(failure(&done), (Code::DeadlineExceeded, "ANALYSIS_TIMED_OUT".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_whatever_it_did() {
    let world = World::start().await;
    world.ring(20_000).await;
    let done = world.run(short()).await;
    let runs = world.create("runs", long()).await.unwrap();
    world.until(&runs.name, AnalysisState::Running).await;
    assert_eq!(world.objects.list("analyses", "", 10).await.unwrap().len(), 1);
    for name in [&done.name, &runs.name] {
        let request = DeleteAnalysisRequest { name: name.clone() };
        world.client.clone().delete_analysis(request.clone()).await.unwrap();
        let again = world.client.clone().delete_analysis(request).await.unwrap_err();
        assert_eq!(reason(&again), (Code::NotFound, "ANALYSIS_NOT_FOUND".into()));
    }
    assert!(world.objects.list("analyses", "", 10).await.unwrap().is_empty());
    // The one that ran has ended: its place is free.
    assert_eq!(world.run(short()).await.state(), AnalysisState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_twice_is_one_analysis() {
    let world = World::start().await;
    let request = |id: &str| CreateAnalysisRequest {
        parent: GRAPH.into(),
        analysis_id: id.into(),
        analysis: Some(analysis(short())),
        request_id: "11111111-2222-4333-8444-555555555555".into(),
    };
    let first = world.client.clone().create_analysis(request("")).await.unwrap().into_inner();
    let second = world.client.clone().create_analysis(request("")).await.unwrap().into_inner();
    assert_eq!(first, second);
    let other = world.client.clone().create_analysis(request("x")).await.unwrap_err();
    assert_eq!(reason(&other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let list = ListAnalysesRequest { parent: "projects/p/graphs/-".into(), ..Default::default() };
    assert_eq!(world.client.clone().list_analyses(list).await.unwrap().into_inner().analyses.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_filtered_and_paged() {
    let world = World::start().await;
    for id in ["one", "two", "three"] {
        world.create(id, short()).await.unwrap();
        world.watch(&format!("{GRAPH}/analyses/{id}")).await;
    }
    world.run(Kind::Cores(weft_proto::weft::compute::v1::Cores {})).await;
    let ids = |filter: &str, page_size| {
        let (mut client, filter) = (world.client.clone(), filter.to_owned());
        async move {
            let (mut ids, mut page_token) = (Vec::new(), String::new());
            loop {
                let (filter, parent) = (filter.clone(), GRAPH.into());
                let request =
                    ListAnalysesRequest { parent, filter, page_size, page_token, order_by: String::new() };
                let page = client.list_analyses(request).await.unwrap().into_inner();
                ids.extend(
                    page.analyses.into_iter().map(|found| found.name.rsplit('/').next().unwrap().to_owned()),
                );
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return ids;
                }
            }
        }
    };
    for page_size in [1, 2, 50] {
        let found = ids("algorithm = weak_components", page_size).await;
        assert_eq!(found, ["three", "two", "one"]);
        assert_eq!(ids("state = succeeded", page_size).await.len(), 4);
        assert!(ids("state = running", page_size).await.is_empty());
        assert_eq!(ids("", page_size).await.len(), 4);
    }
}
