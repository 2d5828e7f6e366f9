//! How much one service gets, and for how long.

use std::time::Duration;

use futures::future::join;
use weft_gateway::UpstreamOptions;

use super::world::{PATIENCE, Server, Tells, World, methods, refused_as};
use crate::upstream::Event;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_its_places_are_refused_with_a_time_to_come_back() {
    let (mut world, mut server) = (World::new(), Server::start(Tells::V1).await);
    world.add("theirs", UpstreamOptions { max_calls: 1, ..server.options() });
    world.served("theirs", methods()).await;
    let hangs = world.call("", "Hang", "{}");
    let refused = async {
        let began = async {
            while server.events.recv().await.expect("it lives") != Event::Began("Hang".to_owned()) {}
        };
        tokio::time::timeout(PATIENCE, began).await.expect("the first call comes through");
        let refused = world.call("", "Echo", "{}").await;
        refused_as(&refused, "resource_exhausted", 429);
        assert_eq!(refused.header("retry-after"), "1");
        assert!(refused.text().contains("UPSTREAM_FULL"), "{}", refused.text());
    };
    // The first one has no end: it is let go when the second was refused.
    tokio::select! {
        _ = hangs => panic!("it never answers"),
        () = refused => {}
    }
    // Its place comes back with it.
    let end = tokio::time::Instant::now() + PATIENCE;
    while world.call("", "Echo", "{}").await.status != 200 {
        assert!(tokio::time::Instant::now() < end, "the place is lost");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_takes_no_longer_than_it_may() {
    let (mut world, server) = (World::new(), Server::start(Tells::V1).await);
    let max_call_duration = Duration::from_millis(100);
    world.add("theirs", UpstreamOptions { max_call_duration, ..server.options() });
    world.served("theirs", methods()).await;
    let by_rest = world.edge.call("GET /v1/hang", "");
    let (by_connect, by_rest) = join(world.call("", "Hang", "{}"), by_rest).await;
    refused_as(&by_connect, "deadline_exceeded", 504);
    by_rest.refused(504);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_nothing_is_asked_twice_where_the_configuration_says_so() {
    let (mut world, mut server) = (World::new(), Server::start(Tells::V1).await);
    let slow = UpstreamOptions { max_call_duration: Duration::from_millis(500), ..server.options() };
    world.add("theirs", slow.clone());
    world.served("theirs", methods()).await;
    let get = "GET /v1/shelves/s/things/second";
    world.edge.call(get, "").await.refused(504);
    world.add("theirs", UpstreamOptions { hedging_delay: Duration::from_millis(20), ..slow });
    let end = tokio::time::Instant::now() + PATIENCE;
    while world.edge.call(get, "").await.status != 200 {
        assert!(tokio::time::Instant::now() < end, "nobody asks twice");
    }
    // It may not be repeated, as far as its contract says.
    world.edge.call("GET /v1/hang", "").await.refused(504);
    let mut heard = Vec::new();
    while let Ok(event) = server.events.try_recv() {
        heard.push(event);
    }
    let of = |event: &Event| heard.iter().filter(|heard| *heard == event).count();
    assert_eq!(of(&Event::Began("Hang".to_owned())), 1);
    let asked = of(&Event::Began("GetThing".to_owned()));
    assert!(asked >= 3, "once alone, and twice");
    server.stop().await;
}
