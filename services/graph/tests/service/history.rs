//! What is kept: a restart finds everything, the journal is trimmed behind checkpoints.

use tonic::Code;
use weft_graph::Options;
use weft_proto::weft::graph::v1::{GetStatisticsRequest, ListNodesRequest, Node, WatchGraphRequest};

use super::support::{Client, GRAPH, World, apply, create, delete, edge, put_node, refused, soon};

/// Checkpoints all the time, and a short history.
fn forgetful() -> Options {
    Options { checkpoint_bytes: 1_000, history_revisions: 5, ..Options::default() }
}

async fn nodes(client: &mut Client) -> Vec<Node> {
    let request = ListNodesRequest { graph: GRAPH.into(), page_size: 1_000, ..ListNodesRequest::default() };
    client.list_nodes(request).await.expect("it is there").into_inner().nodes
}

async fn write(client: &mut Client, rounds: std::ops::Range<usize>) {
    for round in rounds {
        let node = Node { key: format!("n{round}"), display_name: "x".repeat(200), ..Node::default() };
        let key = format!("n{}", round / 2);
        let changes = vec![put_node(node), edge(&format!("n{round}"), &key), edge(&key, "hub")];
        apply(client, changes).await;
        if round % 3 == 2 {
            apply(client, vec![delete(&format!("n{}", round / 3))]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_what_was_acknowledged() {
    for options in [Options::default(), forgetful()] {
        let world = World::new().await;
        let mut client = world.process(options.clone()).await;
        create(&mut client, "g").await;
        write(&mut client, 0..40).await;
        let before = nodes(&mut client).await;
        let statistics = GetStatisticsRequest { graph: GRAPH.into() };
        let counted = client.get_statistics(statistics.clone()).await.expect("it is there").into_inner();
        let mut again = world.process(options).await;
        assert_eq!(nodes(&mut again).await, before);
        let recounted = again.get_statistics(statistics).await.expect("it is there").into_inner();
        assert_eq!((recounted.revision, recounted.edge_count), (counted.revision, counted.edge_count));
        // New ordinals go on where the old ones ended.
        write(&mut again, 100..101).await;
        let new = nodes(&mut again).await.into_iter().find(|node| node.key == "n100").expect("it is new");
        assert!(before.iter().all(|old| old.ordinal < new.ordinal));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_that_are_not_kept_are_refused_by_name() {
    let world = World::new().await;
    let mut client = world.process(forgetful()).await;
    create(&mut client, "g").await;
    let watch = |after: i64| WatchGraphRequest {
        graph: GRAPH.into(),
        after_revision: Some(after),
        ..WatchGraphRequest::default()
    };
    // The checkpoint is written beside the revisions: go on until it has been.
    let refusal = soon(async {
        let mut round = 0;
        loop {
            write(&mut client, round..round + 20).await;
            round += 20;
            match client.watch_graph(watch(0)).await {
                Err(status) => break status,
                Ok(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let status = refused::<()>(Err(refusal), Code::OutOfRange, "REVISION_COMPACTED");
    let details = tonic_types::StatusExt::get_error_details(&status);
    let oldest: i64 =
        details.error_info().expect("it is set").metadata["oldest_revision"].parse().expect("a number");
    let mut events = client.watch_graph(watch(oldest - 1)).await.expect("so far it is kept").into_inner();
    assert!(soon(events.message()).await.is_ok());
    // A new process starts from the checkpoint.
    let before = nodes(&mut client).await;
    let mut again = world.process(forgetful()).await;
    assert_eq!(nodes(&mut again).await, before);
}
