//! Questions about a graph: neighbours, paths, search, relations, statistics, snapshots.

use std::collections::BTreeMap;

use prost_types::{Struct, Value, value::Kind};
use tonic::Code;
use weft_proto::weft::graph::v1::{
    Direction, Edge, FindShortestPathRequest, GetNeighborhoodRequest, GetStatisticsRequest,
    ListRelatedNodesRequest, Node, SearchNodesRequest, StreamSnapshotRequest,
    stream_snapshot_response::Piece,
};

use super::support::{Client, GRAPH, World, apply, delete, edge, node, put_edge, put_node, refused};

fn weighted(source: &str, target: &str, kind: &str, weight: f64) -> weft_proto::weft::graph::v1::Change {
    put_edge(Edge {
        source: source.into(),
        target: target.into(),
        r#type: kind.into(),
        weight: Some(weight),
        ..Edge::default()
    })
}

/// A chain a → b → c → d, a dear short cut a → d, and an island.
async fn chain() -> (World, Client) {
    let (world, mut client) = World::with_graph().await;
    let list = vec![
        weighted("a", "b", "road", 1.0),
        weighted("b", "c", "road", 1.0),
        weighted("c", "d", "road", 1.0),
        weighted("a", "d", "flight", 10.0),
        node("island"),
    ];
    apply(&mut client, list).await;
    (world, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shortest_paths() {
    let (_world, mut client) = chain().await;
    let base = FindShortestPathRequest {
        graph: GRAPH.into(),
        source: "a".into(),
        target: "d".into(),
        ..Default::default()
    };
    let cases = [
        (base.clone(), Some(("a d", 1.0))),
        (FindShortestPathRequest { weighted: true, ..base.clone() }, Some(("a b c d", 3.0))),
        (FindShortestPathRequest { edge_types: vec!["road".into()], ..base.clone() }, Some(("a b c d", 3.0))),
        (FindShortestPathRequest { edge_types: vec!["none".into()], ..base.clone() }, None),
        (FindShortestPathRequest { direction: Direction::In.into(), ..base.clone() }, None),
        (
            FindShortestPathRequest { source: "d".into(), target: "b".into(), ..base.clone() },
            Some(("d a b", 2.0)),
        ),
        (
            FindShortestPathRequest {
                source: "d".into(),
                target: "b".into(),
                direction: Direction::In.into(),
                ..base.clone()
            },
            Some(("d c b", 2.0)),
        ),
        (FindShortestPathRequest { target: "a".into(), ..base.clone() }, Some(("a", 0.0))),
        (FindShortestPathRequest { target: "island".into(), ..base.clone() }, None),
    ];
    for (request, expected) in cases {
        let path = client.find_shortest_path(request.clone()).await.expect("an answer").into_inner();
        let keys: Vec<_> = path.nodes.iter().map(|node| node.key.as_str()).collect();
        let found = path.found.then(|| (keys.join(" "), path.length));
        assert_eq!(found, expected.map(|(keys, length)| (keys.to_owned(), length)), "{request:?}");
        assert_eq!(path.edges.len(), path.nodes.len().saturating_sub(1));
        for (edge, ends) in path.edges.iter().zip(path.nodes.windows(2)) {
            let ends = [ends[0].key.as_str(), ends[1].key.as_str()];
            assert!([[&*edge.source, &*edge.target], [&*edge.target, &*edge.source]].contains(&ends));
        }
    }
    let nobody = FindShortestPathRequest { target: "nobody".into(), ..base };
    refused(client.find_shortest_path(nobody).await, Code::NotFound, "NODE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighborhoods() {
    let (_world, mut client) = chain().await;
    let base = GetNeighborhoodRequest { graph: GRAPH.into(), keys: vec!["b".into()], ..Default::default() };
    let cases = [
        (base.clone(), "b0 a1 c1", 2, false),
        (GetNeighborhoodRequest { depth: 2, ..base.clone() }, "b0 a1 c1 d2", 4, false),
        (
            GetNeighborhoodRequest { depth: 2, direction: Direction::Out.into(), ..base.clone() },
            "b0 c1 d2",
            2,
            false,
        ),
        (
            GetNeighborhoodRequest {
                depth: 9,
                edge_types: vec!["flight".into()],
                keys: vec!["d".into()],
                ..base.clone()
            },
            "d0 a1",
            1,
            false,
        ),
        (GetNeighborhoodRequest { max_nodes: 2, ..base.clone() }, "b0 a1", 1, true),
        (
            GetNeighborhoodRequest { keys: vec!["c".into(), "island".into(), "c".into()], ..base.clone() },
            "c0 island0 b1 d1",
            2,
            false,
        ),
    ];
    for (request, expected, edges, truncated) in cases {
        let found = client.get_neighborhood(request.clone()).await.expect("an answer").into_inner();
        let nodes = found
            .nodes
            .iter()
            .zip(&found.distances)
            .map(|(node, distance)| format!("{}{distance}", node.key));
        assert_eq!(nodes.collect::<Vec<_>>().join(" "), expected, "{request:?}");
        assert_eq!((found.edges.len(), found.truncated), (edges, truncated), "{request:?}");
    }
    let status = refused(
        client
            .get_neighborhood(GetNeighborhoodRequest { keys: vec!["a".into(), "nobody".into()], ..base })
            .await,
        Code::NotFound,
        "NODE_NOT_FOUND",
    );
    assert!(status.message().contains("nobody"));
}

fn described(key: &str, text: &str) -> weft_proto::weft::graph::v1::Change {
    let value = Value { kind: Some(Kind::StringValue(text.into())) };
    let properties = Some(Struct { fields: [("description".to_owned(), value)].into() }.into());
    put_node(Node { key: key.into(), properties, ..Node::default() })
}

async fn found(client: &mut Client, query: &str, filter: &str) -> Vec<String> {
    let request = SearchNodesRequest {
        graph: GRAPH.into(),
        query: query.into(),
        filter: filter.into(),
        ..Default::default()
    };
    let results = client.search_nodes(request).await.expect("an answer").into_inner().results;
    results.into_iter().map(|result| result.node.expect("it is set").key).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_finds_and_keeps_up() {
    let (_world, mut client) = World::with_graph().await;
    let list = vec![
        described("libc6", "GNU C Library: shared libraries"),
        described("libc6-dev", "GNU C Library: development libraries"),
        described("bash", "GNU Bourne Again SHell, links against libc6"),
        described("zlib1g", "compression library - runtime"),
    ];
    apply(&mut client, list).await;
    assert_eq!(found(&mut client, "libc6", "").await, ["libc6", "libc6-dev", "bash"]);
    assert_eq!(found(&mut client, "gnu lib", "key = \"*dev\"").await, ["libc6-dev"]);
    assert_eq!(found(&mut client, "LIBRARY comp", "").await, ["zlib1g"]);
    assert_eq!(found(&mut client, "comp library", "").await, [""; 0], "only the last word may go on");
    assert_eq!(found(&mut client, "!?", "").await, [""; 0]);
    // Changes, deletes and new nodes, with the index there already.
    apply(
        &mut client,
        vec![described("bash", "a shell"), delete("zlib1g"), described("zsh", "Shell with compression")],
    )
    .await;
    assert_eq!(found(&mut client, "shell", "").await, ["bash", "zsh"]);
    assert_eq!(found(&mut client, "compression", "").await, ["zsh"]);
    assert_eq!(found(&mut client, "bourne", "").await, [""; 0]);
    // So many that the index is made anew.
    apply(&mut client, (0..500).map(|index| described(&format!("n{index}"), "bulk")).collect()).await;
    assert_eq!(found(&mut client, "n499", "").await, ["n499"]);
    let request = SearchNodesRequest { graph: GRAPH.into(), query: "compress".into(), ..Default::default() };
    let answer = client.search_nodes(request).await.expect("an answer").into_inner();
    assert_eq!(answer.results[0].snippet, "Shell with \u{2}compression\u{3}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn related_nodes_say_why() {
    let (_world, mut client) = World::with_graph().await;
    let list = vec![
        described("python", "interpreter for a dynamic language"),
        described("ruby", "interpreter for another dynamic language"),
        described("soup", "tomatoes and water"),
        edge("python", "libc"),
        edge("perl", "libc"),
        edge("perl", "libssl"),
        edge("python", "libssl"),
        edge("python", "pip"),
    ];
    apply(&mut client, list).await;
    let request = ListRelatedNodesRequest { graph: GRAPH.into(), key: "python".into(), ..Default::default() };
    let related = client.list_related_nodes(request).await.expect("an answer").into_inner().related;
    let by_key: BTreeMap<_, _> =
        related.into_iter().map(|related| (related.node.clone().expect("it is set").key, related)).collect();
    let ruby = &by_key["ruby"];
    assert!(ruby.text_similarity > 0.2 && ruby.link_similarity == 0.0 && !ruby.linked, "{ruby:?}");
    let perl = &by_key["perl"];
    assert_eq!(
        (perl.link_similarity, perl.shared_neighbors.as_slice()),
        (1.0, &["libc".to_owned(), "libssl".into()][..])
    );
    assert!((perl.score - f64::midpoint(perl.text_similarity, perl.link_similarity)).abs() < 1e-12);
    assert!(!by_key.contains_key("soup") && !by_key.contains_key("python"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_count() {
    let (_world, mut client) = chain().await;
    let request = GetStatisticsRequest { graph: GRAPH.into() };
    let counted = client.get_statistics(request.clone()).await.expect("an answer").into_inner();
    assert_eq!((counted.revision, counted.node_count, counted.edge_count), (2, 5, 4));
    assert_eq!(
        (counted.component_count, counted.largest_component_node_count, counted.isolated_node_count),
        (2, 4, 1)
    );
    assert_eq!(counted.degree_histogram, [1, 0, 4]);
    let types: Vec<_> = counted.edge_types.iter().map(|count| (count.name.as_str(), count.count)).collect();
    assert_eq!(types, [("road", 3), ("flight", 1)]);
    assert_eq!(counted.hubs.len(), 4);
    assert!((counted.mean_degree - 1.6).abs() < 1e-12 && counted.memory_bytes > 0);
    apply(&mut client, vec![edge("island", "a")]).await;
    let counted = client.get_statistics(request).await.expect("an answer").into_inner();
    assert_eq!((counted.revision, counted.component_count, counted.hubs[0].name.as_str()), (3, 1, "a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_the_graph_at_one_revision() {
    let (_world, mut client) = chain().await;
    let mut bulk: Vec<_> = (0..9_000).map(|index| described(&format!("n{index}"), &"x".repeat(50))).collect();
    bulk.extend((0..1_000).map(|index| edge(&format!("n{index}"), "a")));
    apply(&mut client, bulk).await;
    let request =
        StreamSnapshotRequest { graph: GRAPH.into(), include_properties: true, ..Default::default() };
    let mut pieces = client.stream_snapshot(request).await.expect("it begins").into_inner();
    let first = pieces.message().await.expect("a piece").expect("not the end").piece;
    let Some(Piece::Header(header)) = first else { panic!("the header comes first") };
    // The graph goes on; the snapshot does not.
    apply(&mut client, vec![delete("a"), node("late")]).await;
    let (mut keys, mut ordinals, mut edges, mut count, mut end) =
        (Vec::new(), Vec::new(), Vec::new(), 0, None);
    while let Some(piece) = pieces.message().await.expect("a piece") {
        count += 1;
        match piece.piece.expect("it is set") {
            Piece::Nodes(nodes) => {
                assert_eq!(
                    (nodes.keys.len(), nodes.properties.len()),
                    (nodes.ordinals.len(), nodes.ordinals.len())
                );
                ordinals.extend(nodes.ordinals);
                keys.extend(nodes.keys);
            }
            Piece::Edges(columns) => {
                let types = columns.types.iter().map(|kind| header.edge_types[*kind as usize].clone());
                edges.extend(columns.sources.into_iter().zip(columns.targets).zip(types));
            }
            Piece::End(done) => end = Some(done.revision),
            Piece::Header(_) => panic!("only one header"),
        }
    }
    assert_eq!((end, header.graph.expect("it is set").revision), (Some(3), 3));
    assert!(count > 3, "a large graph comes in several pieces");
    assert_eq!((keys.len(), edges.len()), (9_005, 1_004));
    assert!(ordinals.is_sorted() && keys.contains(&"a".to_owned()) && !keys.contains(&"late".to_owned()));
    assert!(edges.contains(&((0, 1), "road".to_owned())));

    let topology = StreamSnapshotRequest { graph: GRAPH.into(), topology_only: true, ..Default::default() };
    let mut pieces = client.stream_snapshot(topology).await.expect("it begins").into_inner();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        if let Some(Piece::Nodes(nodes)) = piece.piece {
            assert!(nodes.keys.is_empty() && nodes.properties.is_empty() && !nodes.ordinals.is_empty());
        }
    }
}
