//! Whether layouts follow the real graph service, over the same database.

use std::time::Duration;

use weft_graph::GraphService;
use weft_kit::{Clock, Ids, Lifecycle, Peer, metrics::Metrics};
use weft_proto::weft::{
    compute::v1::{LayoutState, WatchPositionsRequest, layout_event::Event},
    graph::v1::{
        ApplyChangesRequest, Change, CreateGraphRequest, DeleteGraphRequest, Edge, EdgeReference, EdgeUpsert,
        Graph, Node, NodeDelete, NodeUpsert, change::Change as Kind,
        graph_service_client::GraphServiceClient,
    },
};
use weft_store::objects::Objects;

use crate::{
    graph::GRAPH,
    mesh::{Eyes, create, open, quick},
};

fn node(key: &str) -> Kind {
    Kind::UpsertNode(NodeUpsert {
        node: Some(Node { key: key.into(), ..Node::default() }),
        update_mask: None,
    })
}

fn edge(source: &str, target: &str, key: &str) -> Kind {
    let edge = Edge { source: source.into(), target: target.into(), key: key.into(), ..Edge::default() };
    Kind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
}

async fn apply(client: &GraphServiceClient<Peer>, changes: Vec<Kind>) {
    let changes = changes.into_iter().map(|change| Change { change: Some(change) }).collect();
    let request = ApplyChangesRequest { graph: GRAPH.into(), changes, ..ApplyChangesRequest::default() };
    client.clone().apply_changes(request).await.unwrap();
}

async fn until(eyes: &mut Eyes, nodes: i64, edges: i64) {
    while eyes.layout.state() != LayoutState::Settled
        || (eyes.layout.node_count, eyes.layout.edge_count) != (nodes, edges)
    {
        eyes.next().await.expect("the stream goes on").unwrap();
    }
}

#[tokio::test]
async fn a_layout_follows_the_real_graph_service() {
    let folder = tempfile::tempdir().unwrap();
    let stores =
        weft_store_sqlite::open(&format!("sqlite:{}", folder.path().join("weft.db").display())).await;
    let stores = stores.unwrap();
    let objects = Objects::open(&format!("file://{}", folder.path().join("o").display()), None).unwrap();
    let graph_life = Lifecycle::new();
    let deps = weft_graph::Deps {
        store: stores.graph.clone(),
        bus: weft_bus::open("memory:").await.unwrap().bus,
        clock: Clock::system(),
        ids: Ids::system(),
        lifecycle: graph_life.clone(),
        metrics: Metrics::new(),
    };
    let service = GraphService::open(weft_graph::Options::default(), deps).unwrap();
    let graph = Peer::new(service.into_server());
    let graphs = GraphServiceClient::new(graph.clone());
    let new = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: "g".into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    graphs.clone().create_graph(new).await.unwrap();
    apply(&graphs, vec![node("a"), node("b"), node("c"), edge("a", "b", ""), edge("b", "c", "k")]).await;

    let (mut client, life, _) = open(graph.clone(), &stores, &objects, &quick());
    let layout = client.create_layout(create("l")).await.unwrap().into_inner();
    let look = WatchPositionsRequest { name: layout.name.clone(), options: None };
    let mut eyes = Eyes::new(client.watch_positions(look.clone()).await.unwrap().into_inner());
    until(&mut eyes, 3, 2).await;

    apply(&graphs, vec![node("d"), edge("d", "a", ""), edge("d", "b", "second")]).await;
    until(&mut eyes, 4, 4).await;
    let plain = EdgeReference { source: "a".into(), target: "b".into(), ..EdgeReference::default() };
    apply(&graphs, vec![Kind::DeleteEdge(plain)]).await;
    until(&mut eyes, 4, 3).await;
    apply(&graphs, vec![Kind::DeleteNode(NodeDelete { key: "b".into() }), node("b")]).await;
    until(&mut eyes, 4, 1).await;
    eyes.until_frame(|eyes| eyes.frame.as_ref().unwrap().header.revision == 5).await;
    let ids = eyes.ids.clone();
    assert_eq!(ids.len(), 4);

    // Both services end and begin again.
    life.shut_down(Duration::from_secs(20)).await;
    let (mut client, life, _) = open(graph, &stores, &objects, &quick());
    let mut eyes = Eyes::new(client.watch_positions(look).await.unwrap().into_inner());
    until(&mut eyes, 4, 1).await;
    eyes.until_frame(|_| true).await;
    assert_eq!(eyes.ids, ids);

    graphs
        .clone()
        .delete_graph(DeleteGraphRequest { name: GRAPH.into(), ..Default::default() })
        .await
        .unwrap();
    let mut last = None;
    while let Some(event) = eyes.next().await {
        last = event.unwrap().event;
    }
    let Some(Event::Failed(failed)) = last else { panic!("the last event is the end: {last:?}") };
    assert_eq!(failed.failure_message, "the graph was deleted");
    life.shut_down(Duration::from_secs(20)).await;
    graph_life.shut_down(Duration::from_secs(20)).await;
}
