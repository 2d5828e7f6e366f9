//! Asking a graph: search, neighbours, paths, filters, statistics.

use weft_proto::weft::graph::v1::{
    FindShortestPathRequest, GetNeighborhoodRequest, GetStatisticsRequest, ListEdgesRequest,
    ListNodesRequest, SearchNodesRequest,
};
use weft_tests::{
    client::Client,
    graphs::{self, edge},
};

pub(crate) async fn ask(client: &Client, graph: &str) {
    let mut service = client.graphs();
    let search = SearchNodesRequest { graph: graph.into(), query: "0ad dat".into(), ..Default::default() };
    let found = service.search_nodes(search).await.expect("a page").into_inner();
    let keys: Vec<_> =
        found.results.iter().filter_map(|result| result.node.as_ref()).map(|node| &node.key).collect();
    assert_eq!((keys.len(), found.total_size), (2, 2), "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("0ad-data")), "{keys:?}");

    let filter = ListNodesRequest {
        graph: graph.into(),
        filter: "key = \"0ad*\" AND out_degree > 0".into(),
        ..Default::default()
    };
    let listed = service.list_nodes(filter).await.expect("a page").into_inner().nodes;
    assert!(listed.iter().any(|node| node.key == "0ad") && listed.len() <= 3, "{listed:?}");

    // A chain of our own, because the packages' ways may change with the data.
    graphs::apply(
        client,
        graph,
        vec![edge("w0", "w1"), edge("w1", "w2"), edge("w2", "w3"), edge("w0", "w3")],
    )
    .await;
    let around = GetNeighborhoodRequest {
        graph: graph.into(),
        keys: vec!["w1".into()],
        depth: 2,
        ..Default::default()
    };
    let around = service.get_neighborhood(around).await.expect("it is there").into_inner();
    assert_eq!((around.nodes.len(), around.edges.len(), around.truncated), (4, 4, false));
    assert_eq!((around.nodes[0].key.as_str(), around.distances), ("w1", vec![0, 1, 1, 2]));

    let path = |source: &str, target: &str| FindShortestPathRequest {
        graph: graph.into(),
        source: source.into(),
        target: target.into(),
        ..Default::default()
    };
    let way = service.find_shortest_path(path("w1", "w3")).await.expect("both are there").into_inner();
    assert_eq!((way.found, way.nodes.len(), way.edges.len()), (true, 3, 2));
    let way = service.find_shortest_path(path("w1", "0ad")).await.expect("both are there").into_inner();
    assert!(!way.found && way.nodes.is_empty());

    let edges =
        ListEdgesRequest { graph: graph.into(), filter: "source = \"w0\"".into(), ..Default::default() };
    assert_eq!(service.list_edges(edges).await.expect("a page").into_inner().edges.len(), 2);
    let statistics =
        service.get_statistics(GetStatisticsRequest { graph: graph.into() }).await.expect("it is there");
    let own = graphs::get(client, graph).await;
    assert_eq!(
        (statistics.get_ref().node_count, statistics.get_ref().edge_count),
        (own.node_count, own.edge_count)
    );
}
