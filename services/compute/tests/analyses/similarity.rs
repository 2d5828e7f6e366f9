//! Pairs of nodes that are alike: as values, as a stream, and as edges of the graph.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::{Struct, Value, value::Kind as ValueKind};
use tokio_stream::StreamExt;
use tonic_types::StatusExt;
use weft_proto::weft::{
    compute::v1::{
        AnalysisState, ListAnalysisValuesRequest, NeighborSimilarity, Similarity,
        StreamAnalysisValuesRequest, TextSimilarity, algorithm::Kind, similarity::Measure,
    },
    graph::v1::{EdgeReference, ListEdgesRequest, Node, NodeUpsert, change::Change},
};

use crate::world::{GRAPH, World, analysis, edge, node, reason};

/// a and b know c, d and e; f knows c only.
const EDGES: [(&str, &str, f64); 7] = [
    ("a", "c", 1.0),
    ("a", "d", 1.0),
    ("a", "e", 1.0),
    ("b", "c", 1.0),
    ("b", "d", 1.0),
    ("b", "e", 1.0),
    ("f", "c", 1.0),
];

fn similarity(measure: Measure) -> Similarity {
    Similarity { measure: Some(measure), min_similarity: Some(0.3), ..Similarity::default() }
}

fn by_neighbors() -> Measure {
    Measure::Neighbors(NeighborSimilarity::default())
}

/// Pairs and their similarities, as a list gives them.
async fn pairs(world: &World, name: &str) -> BTreeMap<(String, String), f64> {
    let request = ListAnalysisValuesRequest { name: name.into(), ..ListAnalysisValuesRequest::default() };
    let values = world.client.clone().list_analysis_values(request).await.unwrap().into_inner().values;
    values.into_iter().map(|value| ((value.node, value.other_node), value.values[0])).collect()
}

/// The edges of a type: ends and weights.
async fn edges(world: &World, edge_type: &str) -> BTreeSet<(String, String, String)> {
    let request = ListEdgesRequest {
        graph: GRAPH.into(),
        filter: format!("type = \"{edge_type}\""),
        ..ListEdgesRequest::default()
    };
    let found = world.graphs.clone().list_edges(request).await.unwrap().into_inner().edges;
    found
        .into_iter()
        .map(|edge| (edge.source, edge.target, format!("{:.3}", edge.weight.unwrap_or(1.0))))
        .collect()
}

fn text(key: &str, words: &str) -> Change {
    let value = Value { kind: Some(ValueKind::StringValue(words.into())) };
    let properties = Some(Struct { fields: [("says".to_owned(), value)].into() }.into());
    Change::UpsertNode(NodeUpsert {
        node: Some(Node { key: key.into(), properties, ..Node::default() }),
        update_mask: None,
    })
}

#[tokio::test]
async fn whoever_knows_the_same_is_alike() {
    let world = World::start().await;
    world.link(&EDGES).await;
    let done = world.run(Kind::Similarity(similarity(by_neighbors()))).await;
    let result = done.result.clone().unwrap();
    assert_eq!(
        (done.state(), &result.columns[..]),
        (AnalysisState::Succeeded, &["similarity".to_owned()][..])
    );
    let found = pairs(&world, &done.name).await;
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    // c is known by three, d and e by two of these.
    let expected = BTreeMap::from([
        (pair("a", "b"), 1.0),
        (pair("a", "f"), 1.0 / 3.0),
        (pair("b", "f"), 1.0 / 3.0),
        (pair("c", "d"), 2.0 / 3.0),
        (pair("c", "e"), 2.0 / 3.0),
        (pair("d", "e"), 1.0),
    ]);
    assert_eq!(found, expected);
    assert_eq!((result.row_count, result.numbers["similar_node_count"]), (6, 6.0));
    assert_eq!((&*result.top[0].node, &*result.top[0].other_node), ("a", "b"));

    let request =
        StreamAnalysisValuesRequest { name: done.name.clone(), ..StreamAnalysisValuesRequest::default() };
    let mut stream = world.client.clone().stream_analysis_values(request).await.unwrap().into_inner();
    let columns = stream.next().await.unwrap().unwrap().columns.unwrap();
    let streamed: BTreeSet<(String, String)> = columns.nodes.into_iter().zip(columns.other_nodes).collect();
    assert_eq!(streamed, expected.into_keys().collect());
    assert_eq!(columns.other_ordinals.len(), 6);
}

#[tokio::test]
async fn whoever_says_the_same_is_alike() {
    let world = World::start().await;
    let said = [("a", "red apple pie"), ("b", "apple pie, red"), ("c", "a blue moon"), ("d", "")];
    world.apply(said.iter().map(|(key, words)| text(key, words)).collect()).await;
    let measure = Measure::Text(TextSimilarity { properties: vec!["says".into()] });
    let done = world.run(Kind::Similarity(similarity(measure))).await;
    let found = pairs(&world, &done.name).await;
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), [("a".to_owned(), "b".to_owned())]);
    assert!((found.into_values().next().unwrap() - 1.0).abs() < 1e-5);
    // With everything that a search looks through the keys tell them apart.
    let measure = Some(Measure::Text(TextSimilarity::default()));
    let asked = Similarity { measure, min_similarity: Some(0.2), ..Similarity::default() };
    let done = world.run(Kind::Similarity(asked)).await;
    let found = pairs(&world, &done.name).await;
    let [(ends, similarity)] = &found.iter().collect::<Vec<_>>()[..] else { panic!("{found:?}") };
    assert_eq!((&*ends.0, &*ends.1), ("a", "b"));
    assert!(**similarity < 0.9, "{similarity}");
}

#[tokio::test]
async fn edges_of_the_last_time_are_replaced_and_not_looked_at() {
    let world = World::start().await;
    world.link(&EDGES).await;
    let writing =
        || Kind::Similarity(Similarity { write_edge_type: "alike".into(), ..similarity(by_neighbors()) });
    let first = world.run(writing()).await.result.unwrap();
    assert_eq!(first.written_revision, world.graph().await.revision);
    let before = edges(&world, "alike").await;
    let row = |a: &str, b: &str, weight: &str| (a.to_owned(), b.to_owned(), weight.to_owned());
    let expected = [
        row("a", "b", "1.000"),
        row("a", "f", "0.333"),
        row("b", "f", "0.333"),
        row("c", "d", "0.667"),
        row("c", "e", "0.667"),
        row("d", "e", "1.000"),
    ];
    assert_eq!(before, BTreeSet::from(expected));
    // Neighbours by the edges that it wrote do not count, or more and more would be alike.
    let again = world.run(writing()).await.result.unwrap();
    assert_eq!((again.row_count, again.edge_count), (6, 7));
    assert_eq!(edges(&world, "alike").await, before);
    // f knows nobody any more.
    let reference = EdgeReference { source: "f".into(), target: "c".into(), ..EdgeReference::default() };
    world.apply(vec![Change::DeleteEdge(reference)]).await;
    world.run(writing()).await;
    let after = edges(&world, "alike").await;
    assert!(!after.iter().any(|(_, target, _)| target == "f"), "{after:?}");
    assert!(after.contains(&row("c", "d", "1.000")), "{after:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_field() {
    let world = World::start().await;
    world.apply(vec![node("a"), edge("a", "a", 1.0)]).await;
    let refused = async |similarity: Similarity, write_property: &str| {
        let mut wanted = analysis(Kind::Similarity(similarity));
        wanted.write_property = write_property.to_owned();
        let status = world.create_analysis("", wanted).await.unwrap_err();
        let field = status.get_details_bad_request().unwrap().field_violations[0].field.clone();
        (reason(&status).1, field)
    };
    let good = similarity(by_neighbors());
    let (reason, field) = refused(Similarity { max_sharing: 1, ..good.clone() }, "").await;
    assert_eq!((&*reason, &*field), ("INVALID_FIELD", "analysis.algorithm.similarity.max_sharing"));
    let (reason, field) = refused(good, "score").await;
    assert_eq!((&*reason, &*field), ("INVALID_FIELD", "analysis.write_property"));
}
