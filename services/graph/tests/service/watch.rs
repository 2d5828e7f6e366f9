//! Watching: nothing is lost and nothing is doubled, whatever happens to the connection.

use proptest::{prelude::*, test_runner::TestRunner};
use tonic::Code;
use weft_graph::Options;
use weft_proto::weft::graph::v1::{
    ChangeBatch, DeleteGraphRequest, WatchGraphRequest, WatchGraphResponse, watch_graph_response::Event,
};

use super::support::{Client, GRAPH, World, apply, changes, create, node, put_node, refused, soon};

type Events = tonic::Streaming<WatchGraphResponse>;

async fn watch(client: &mut Client, after_revision: Option<i64>) -> Events {
    let request = WatchGraphRequest { graph: GRAPH.into(), after_revision, graph_uid: String::new() };
    client.watch_graph(request).await.expect("it can be watched").into_inner()
}

async fn next(events: &mut Events) -> Result<Event, tonic::Status> {
    let message = soon(events.message()).await?.expect("a watch has no end");
    Ok(message.event.expect("it tells something"))
}

/// Checks that parts come in their order, and gives each revision when it is whole.
#[derive(Default)]
struct Follower {
    whole: i64,
    part: i32,
    seen: Vec<i64>,
    parts: usize,
}

impl Follower {
    fn take(&mut self, batch: &ChangeBatch) {
        assert_eq!((batch.revision, batch.part), (self.whole + 1, self.part), "a gap or a double");
        self.parts += 1;
        self.part += 1;
        if batch.last_part {
            self.whole = batch.revision;
            self.part = 0;
            self.seen.push(batch.revision);
        }
    }

    /// After a disconnect: a revision that is not whole is sent again.
    fn forget_half(&mut self) {
        self.part = 0;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_comes_first_then_the_present() {
    let (_world, mut client) = World::with_graph().await;
    apply(&mut client, vec![node("a")]).await;
    apply(&mut client, vec![node("b")]).await;
    let mut events = watch(&mut client, Some(0)).await;
    let mut follower = Follower::default();
    while follower.whole < 3 {
        let Event::Changes(changes) = next(&mut events).await.expect("the past") else { panic!("too early") };
        follower.take(&changes);
    }
    assert_eq!(next(&mut events).await.expect("the end of the past"), Event::CaughtUpRevision(3));
    apply(&mut client, vec![node("c")]).await;
    let Event::Changes(changes) = next(&mut events).await.expect("the present") else { panic!("a change") };
    assert_eq!((changes.revision, changes.changes.len()), (4, 1));
    assert!(changes.commit_time.is_some());
    let mut only_new = watch(&mut client, None).await;
    assert_eq!(next(&mut only_new).await.expect("nothing yet"), Event::CaughtUpRevision(4));
}

#[test]
fn a_watcher_that_is_cut_off_again_and_again_misses_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("it starts");
    let mut runner = TestRunner::new(ProptestConfig { cases: 12, ..ProptestConfig::default() });
    // After how many messages the connection breaks, and how large the revisions are. A revision has
    // two parts at most here, and half of one is forgotten: with fewer messages nobody would get on.
    let plan = (prop::collection::vec(3_usize..9, 1..12), prop::collection::vec(1_usize..2_000, 20..40));
    runner
        .run(&plan, |(cuts, sizes)| {
            runtime.block_on(resumes(cuts, sizes));
            Ok(())
        })
        .expect("nothing is lost");
}

async fn resumes(cuts: Vec<usize>, sizes: Vec<usize>) {
    let (_world, mut client) = World::with_graph().await;
    let last = sizes.len() as i64 + 1;
    let mut writer = client.clone();
    let writing = async move {
        for (round, size) in sizes.into_iter().enumerate() {
            let nodes = (0..size).map(|index| {
                let key = format!("{round}-{index}");
                put_node(weft_proto::weft::graph::v1::Node {
                    key,
                    display_name: "x".repeat(500),
                    ..Default::default()
                })
            });
            writer.apply_changes(changes(nodes.collect())).await.expect("it fits");
        }
    };
    let following = async move {
        let mut follower = Follower::default();
        // Whoever is cut off in the middle of a revision begins it again: one connection in a round lasts
        // longer than the largest revision has parts, or it would never end.
        let mut cuts = cuts.into_iter().chain([6]).cycle();
        while follower.whole < last {
            follower.forget_half();
            let mut events = watch(&mut client, Some(follower.whole)).await;
            for _ in 0..cuts.next().expect("it goes on for ever") {
                match next(&mut events).await.expect("the journal is whole") {
                    Event::Changes(changes) => follower.take(&changes),
                    Event::CaughtUpRevision(revision) => assert_eq!(revision, follower.whole),
                }
                if follower.whole == last {
                    break;
                }
            }
        }
        follower
    };
    let ((), follower) = tokio::join!(writing, following);
    assert_eq!(follower.seen, (1..=last).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_falls_back_to_the_journal() {
    let (_world, mut client) = World::with_graph().await;
    let mut events = watch(&mut client, Some(0)).await;
    for round in 0..60 {
        let nodes = (0..200).map(|index| node(&format!("{round}-{index}-{}", "x".repeat(200))));
        apply(&mut client, nodes.collect()).await;
    }
    let mut follower = Follower::default();
    while follower.whole < 61 {
        if let Event::Changes(changes) = next(&mut events).await.expect("it goes on") {
            follower.take(&changes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_graph_ends_its_watchers() {
    let (_world, mut client) = World::with_graph().await;
    let mut events = watch(&mut client, None).await;
    assert_eq!(next(&mut events).await.expect("nothing yet"), Event::CaughtUpRevision(1));
    let delete = DeleteGraphRequest { name: GRAPH.into(), etag: String::new() };
    client.delete_graph(delete).await.expect("it is there");
    refused(next(&mut events).await, Code::NotFound, "GRAPH_NOT_FOUND");
    let new = create(&mut client, "g").await;
    let mut request =
        WatchGraphRequest { graph: GRAPH.into(), after_revision: Some(0), graph_uid: "another".into() };
    refused(client.watch_graph(request.clone()).await, Code::NotFound, "GRAPH_NOT_FOUND");
    request.graph_uid = new.uid;
    assert!(client.watch_graph(request).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_signs_of_life_and_a_revision_of_the_future() {
    let world = World::new().await;
    let options = Options {
        max_watches: 2,
        watch_heartbeat: std::time::Duration::from_millis(20),
        ..Options::default()
    };
    let mut client = world.process(options).await;
    create(&mut client, "g").await;
    let mut first = watch(&mut client, None).await;
    for _ in 0..3 {
        assert_eq!(next(&mut first).await.expect("a sign of life"), Event::CaughtUpRevision(1));
    }
    let second = watch(&mut client, None).await;
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
    refused(client.watch_graph(request.clone()).await, Code::ResourceExhausted, "TOO_MANY_WATCHES");
    drop(second);
    let future = WatchGraphRequest { after_revision: Some(9), ..request };
    refused(client.watch_graph(future).await, Code::OutOfRange, "REVISION_IN_FUTURE");
}
