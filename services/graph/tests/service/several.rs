//! Several processes over one database: each sees what the others write.

use weft_graph::Options;
use weft_proto::weft::graph::v1::{
    DeleteGraphRequest, GetNodeRequest, WatchGraphRequest, watch_graph_response::Event,
};

use super::support::{Client, GRAPH, World, apply, bus, changes, create, node, soon};

/// Waits until a process has come to a revision, as a watcher of it is told.
async fn reaches(client: &mut Client, revision: i64) {
    let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
    let mut events = client.watch_graph(request).await.expect("it can be watched").into_inner();
    soon(async {
        loop {
            let event = events.message().await.expect("it goes on").expect("no end").event;
            match event.expect("it tells something") {
                Event::CaughtUpRevision(at) if at >= revision => return,
                Event::Changes(changes) => {
                    if changes.last_part && changes.revision >= revision {
                        return;
                    }
                }
                Event::CaughtUpRevision(_) => {}
            }
        }
    })
    .await;
}

async fn has(client: &mut Client, key: &str) -> bool {
    client.get_node(GetNodeRequest { graph: GRAPH.into(), key: key.into() }).await.is_ok()
}

/// With a bus that both share, and with one each: then every notification is lost.
async fn two(shared: bool) -> (World, Client, Client) {
    let world = World::new().await;
    let first_bus = bus().await;
    let second_bus = if shared { first_bus.clone() } else { bus().await };
    // Lost notifications are healed soon; with the bus they need not be.
    let heal_interval = std::time::Duration::from_millis(if shared { 3_600_000 } else { 20 });
    let options = Options { heal_interval, ..Options::default() };
    let mut first = world.process_on(options.clone(), first_bus);
    let second = world.process_on(options, second_bus);
    create(&mut first, "g").await;
    (world, first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_learns_what_another_one_writes() {
    for shared in [true, false] {
        let (_world, mut first, mut second) = two(shared).await;
        assert!(!has(&mut second, "a").await);
        assert_eq!(apply(&mut first, vec![node("a")]).await, 2);
        reaches(&mut second, 2).await;
        assert!(has(&mut second, "a").await);
        // The other way round, on what was learned.
        assert_eq!(apply(&mut second, vec![node("b")]).await, 3);
        reaches(&mut first, 3).await;
        assert!(has(&mut first, "b").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_learns_that_a_graph_was_deleted() {
    for shared in [true, false] {
        let (_world, mut first, mut second) = two(shared).await;
        let request = WatchGraphRequest { graph: GRAPH.into(), ..WatchGraphRequest::default() };
        let mut events = second.watch_graph(request).await.expect("it can be watched").into_inner();
        first
            .delete_graph(DeleteGraphRequest { name: GRAPH.into(), etag: String::new() })
            .await
            .expect("it is there");
        let end = soon(async {
            loop {
                if let Err(status) = events.message().await {
                    return status;
                }
            }
        })
        .await;
        assert_eq!(end.code(), tonic::Code::NotFound);
        assert!(!has(&mut second, "a").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_two_processes_lose_nothing() {
    for shared in [true, false] {
        let (world, first, second) = two(shared).await;
        let write = |mut client: Client, name: &'static str| async move {
            let mut revisions = Vec::new();
            for round in 0..25 {
                let request = changes(vec![node(&format!("{name}{round}"))]);
                revisions.push(
                    client.apply_changes(request).await.expect("it is tried again").into_inner().revision,
                );
            }
            revisions
        };
        let (a, b) = tokio::join!(write(first, "a"), write(second, "b"));
        let mut all = [a, b].concat();
        all.sort_unstable();
        assert_eq!(all, (2..=51).collect::<Vec<_>>());
        let mut third = world.process(Options::default()).await;
        assert!(has(&mut third, "a24").await && has(&mut third, "b24").await);
    }
}
