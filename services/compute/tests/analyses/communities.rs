//! Communities that are kept up to date, as those see them who watch.

use std::{collections::BTreeMap, time::Duration};

use tonic::{Code, Status, Streaming};
use weft_compute::Options;
use weft_proto::weft::{
    compute::v1::{
        CommunitySummary, WatchCommunitiesRequest, WatchCommunitiesResponse,
        watch_communities_response::Event,
    },
    graph::v1::{DeleteGraphRequest, GetNodeRequest, NodeDelete, change::Change as ChangeKind},
};

use crate::world::{GRAPH, World, edge, reason, soon};

/// Somebody who watches, and remembers.
struct Eyes {
    stream: Streaming<WatchCommunitiesResponse>,
    /// For each ordinal the number of its community.
    communities: BTreeMap<u32, u32>,
    summary: CommunitySummary,
    /// Events that were told.
    events: usize,
}

impl Eyes {
    /// Reads until what it knows is whole again.
    async fn next(&mut self) -> Result<(), Status> {
        loop {
            let told = soon(self.stream.message()).await?.expect("the stream goes on").event.unwrap();
            self.events += 1;
            let (ordinals, communities, summary, last) = match told {
                Event::Partition(told) => {
                    assert_eq!(
                        self.summary,
                        CommunitySummary::default(),
                        "all of them are told once, and first"
                    );
                    (told.ordinals, told.communities, told.summary, told.last_part)
                }
                Event::Changes(told) => {
                    assert!(self.summary.graph_revision > 0, "changes follow something");
                    for ordinal in told.left_ordinals {
                        assert!(self.communities.remove(&ordinal).is_some(), "{ordinal} was there");
                    }
                    (told.ordinals, told.communities, told.summary, told.last_part)
                }
                Event::ToldRevision(_) => continue,
            };
            assert_eq!(ordinals.len(), communities.len());
            self.communities.extend(ordinals.into_iter().zip(communities));
            if !last {
                continue;
            }
            let summary = summary.unwrap();
            assert!(summary.graph_revision > self.summary.graph_revision);
            assert_eq!(summary.node_count, self.communities.len() as i64);
            let mut numbers: Vec<u32> = self.communities.values().copied().collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(summary.community_count, numbers.len() as i64);
            self.summary = summary;
            return Ok(());
        }
    }

    /// Reads until it knows the graph at a revision.
    async fn until(&mut self, revision: i64) {
        while self.summary.graph_revision < revision {
            self.next().await.unwrap();
        }
    }
}

fn request() -> WatchCommunitiesRequest {
    WatchCommunitiesRequest { graph: GRAPH.into(), ..WatchCommunitiesRequest::default() }
}

async fn watch(world: &World, request: WatchCommunitiesRequest) -> Result<Eyes, Status> {
    let stream = world.client.clone().watch_communities(request).await?.into_inner();
    Ok(Eyes { stream, communities: BTreeMap::new(), summary: CommunitySummary::default(), events: 0 })
}

/// Everybody of `names` knows everybody.
fn clique(names: &[&str]) -> Vec<ChangeKind> {
    let pairs =
        names.iter().enumerate().flat_map(|(at, from)| names[at + 1..].iter().map(move |to| (from, to)));
    pairs.map(|(from, to)| edge(from, to, 1.0)).collect()
}

const LEFT: [&str; 5] = ["a", "b", "c", "d", "e"];
const RIGHT: [&str; 4] = ["v", "w", "x", "y"];

/// Two groups, with one edge between them.
async fn two_groups(options: Options) -> World {
    let world = World::start_with(options).await;
    world.apply([clique(&LEFT), clique(&RIGHT), vec![edge("a", "v", 1.0)]].concat()).await;
    world
}

async fn ordinal(world: &World, key: &str) -> u32 {
    let request = GetNodeRequest { graph: GRAPH.into(), key: key.into() };
    world.graphs.clone().get_node(request).await.unwrap().into_inner().ordinal
}

fn delete(key: &str) -> ChangeKind {
    ChangeKind::DeleteNode(NodeDelete { key: key.into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_all_and_then_what_changes() {
    let world = two_groups(Options::default()).await;
    let mut eyes = watch(&world, request()).await.unwrap();
    eyes.next().await.unwrap();
    assert_eq!((eyes.summary.node_count, eyes.summary.community_count), (9, 2));
    assert_eq!(eyes.summary.graph_revision, world.graph().await.revision);
    assert!(eyes.summary.modularity > 0.3);
    let (left, right) = (ordinal(&world, "a").await, ordinal(&world, "v").await);
    // The largest is the first.
    assert_eq!((eyes.communities[&left], eyes.communities[&right]), (0, 1));

    // Somebody joins the right group, which is the larger one then, and keeps its number.
    world.apply(["v", "w", "x", "y"].map(|old| edge("new", old, 1.0)).to_vec()).await;
    world.apply(["v", "w", "x", "new"].map(|old| edge("newer", old, 1.0)).to_vec()).await;
    eyes.until(world.graph().await.revision).await;
    for (key, number) in [("new", 1), ("newer", 1), ("x", 1), ("b", 0)] {
        assert_eq!(eyes.communities[&ordinal(&world, key).await], number, "{key}");
    }

    // A group of its own has a number that nobody has had.
    world.apply(clique(&["k", "l", "m"])).await;
    eyes.until(world.graph().await.revision).await;
    assert_eq!(eyes.communities[&ordinal(&world, "k").await], 2);

    world.apply(vec![delete("c")]).await;
    eyes.until(world.graph().await.revision).await;
    assert_eq!((eyes.summary.node_count, eyes.summary.community_count), (13, 3));

    // What says nothing of edges is another revision, and no more.
    world.apply(vec![crate::world::node("d")]).await;
    let before = eyes.communities.clone();
    eyes.until(world.graph().await.revision).await;
    assert_eq!(eyes.communities, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_watch_the_same_share_it_and_find_it_again() {
    let options = Options { max_live_communities: 1, max_community_watchers: 3, ..Options::default() };
    let world = two_groups(options).await;
    let mut first = watch(&world, request()).await.unwrap();
    let mut second = watch(&world, request()).await.unwrap();
    let other = WatchCommunitiesRequest { resolution: Some(2.0), ..request() };
    let refused = watch(&world, other.clone()).await.err().unwrap();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_LIVE_COMMUNITIES".into()));
    // One is what is taken where nothing is said.
    let mut third =
        watch(&world, WatchCommunitiesRequest { resolution: Some(1.0), ..request() }).await.unwrap();
    let refused = watch(&world, request()).await.err().unwrap();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_VIEWERS".into()));

    for eyes in [&mut first, &mut second, &mut third] {
        eyes.next().await.unwrap();
    }
    // So that the numbers are not those of a beginning.
    let six = ["f", "g", "h", "i", "j", "k"];
    for changes in [vec![edge("p", "q", 1.0)], LEFT.map(delete).to_vec(), clique(&six)] {
        world.apply(changes).await;
        first.until(world.graph().await.revision).await;
    }
    let revision = world.graph().await.revision;
    for eyes in [&mut first, &mut second, &mut third] {
        eyes.until(revision).await;
    }
    assert_eq!(first.communities, second.communities);
    assert_eq!(first.communities, third.communities);
    assert_eq!(first.communities[&ordinal(&world, "f").await], 3);

    // The last one leaves, and comes back.
    drop((second, third));
    let known = first.communities.clone();
    drop(first);
    let mut again = watch(&world, request()).await.unwrap();
    again.next().await.unwrap();
    assert_eq!(again.communities, known);
    assert_eq!(again.summary.graph_revision, revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_waits_for_no_interval_and_is_told_nothing_old() {
    let world = two_groups(Options::default()).await;
    let hourly = WatchCommunitiesRequest {
        min_interval: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        ..request()
    };
    let mut first = watch(&world, hourly.clone()).await.unwrap();
    first.next().await.unwrap();
    world.apply(vec![edge("new", "a", 1.0)]).await;
    let mut second = watch(&world, hourly).await.unwrap();
    second.next().await.unwrap();
    assert_eq!(second.summary.graph_revision, world.graph().await.revision);
    assert_eq!((first.summary.node_count, second.summary.node_count), (9, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_its_share_and_what_nobody_watches_makes_room() {
    let options = Options {
        max_live_communities_per_project: 2,
        max_community_watchers_per_project: 3,
        ..Options::default()
    };
    let world = two_groups(options).await;
    let at = |resolution| WatchCommunitiesRequest { resolution: Some(resolution), ..request() };
    let first = watch(&world, at(1.0)).await.unwrap();
    let second = watch(&world, at(2.0)).await.unwrap();
    // What differs by less than a thousandth is the same.
    let third = watch(&world, at(2.000_4)).await.unwrap();
    let refused = watch(&world, at(1.0)).await.err().unwrap();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_VIEWERS".into()));
    drop(third);
    let full = soon(async {
        loop {
            let refused = watch(&world, at(3.0)).await.err().unwrap();
            if reason(&refused).1 != "TOO_MANY_VIEWERS" {
                break refused;
            }
        }
    });
    assert_eq!(reason(&full.await), (Code::ResourceExhausted, "TOO_MANY_LIVE_COMMUNITIES".into()));
    drop(second);
    soon(async { while watch(&world, at(3.0)).await.is_err() {} }).await;
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_reads_slowly_is_told_the_newest_and_holds_up_nobody() {
    let world = two_groups(Options::default()).await;
    let mut slow = watch(&world, request()).await.unwrap();
    let mut quick = watch(&world, request()).await.unwrap();
    slow.next().await.unwrap();
    for round in 0..40 {
        let key = format!("new{round}");
        world.apply(vec![edge(&key, LEFT[round % 5], 1.0)]).await;
        quick.until(world.graph().await.revision).await;
    }
    slow.until(world.graph().await.revision).await;
    assert_eq!(slow.communities, quick.communities);
    assert!(slow.events < quick.events / 2, "{} {}", slow.events, quick.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_graph_is_the_end() {
    let world = two_groups(Options::default()).await;
    let mut eyes = watch(&world, request()).await.unwrap();
    eyes.next().await.unwrap();
    let request = DeleteGraphRequest { name: GRAPH.into(), ..DeleteGraphRequest::default() };
    world.graphs.clone().delete_graph(request).await.unwrap();
    let end = eyes.next().await.unwrap_err();
    assert_eq!(reason(&end), (Code::NotFound, "GRAPH_NOT_FOUND".into()));
    let refused = watch(&world, self::request()).await.err().unwrap();
    assert_eq!(reason(&refused), (Code::NotFound, "GRAPH_NOT_FOUND".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_is_or_grows_too_large_is_refused() {
    let world = two_groups(Options { max_nodes: 10, ..Options::default() }).await;
    let mut eyes = watch(&world, request()).await.unwrap();
    eyes.next().await.unwrap();
    world.apply(clique(&["p", "q", "r"])).await;
    let too_large = (Code::ResourceExhausted, "GRAPH_TOO_LARGE".to_owned());
    assert_eq!(reason(&eyes.next().await.unwrap_err()), too_large);
    assert_eq!(reason(&watch(&world, request()).await.err().unwrap()), too_large);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_the_process_is_told_and_nonsense_refused() {
    let world = two_groups(Options::default()).await;
    for (request, code, why) in [
        (
            WatchCommunitiesRequest { resolution: Some(-1.0), ..request() },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
        (
            WatchCommunitiesRequest {
                min_interval: Some(prost_types::Duration { seconds: 3_601, nanos: 0 }),
                ..request()
            },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
        (
            WatchCommunitiesRequest { graph: "projects/p/graphs/none".into(), ..request() },
            Code::NotFound,
            "GRAPH_NOT_FOUND",
        ),
    ] {
        let refused = watch(&world, request).await.err().unwrap();
        assert_eq!(reason(&refused), (code, why.into()));
    }
    let mut eyes = watch(&world, request()).await.unwrap();
    eyes.next().await.unwrap();
    world.lifecycle.shut_down(Duration::from_secs(20)).await;
    assert_eq!(reason(&eyes.next().await.unwrap_err()), (Code::Unavailable, "DRAINING".into()));
    assert_eq!(
        reason(&watch(&world, request()).await.err().unwrap()),
        (Code::Unavailable, "DRAINING".into())
    );
}
