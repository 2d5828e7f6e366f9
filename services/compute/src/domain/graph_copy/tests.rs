//! Whether the copy stays true while the graph changes.

use bytes::Bytes;
use prost::Message;
use prost_types::{Struct, value::Kind as Value};
use weft_proto::weft::graph::v1::{Edge as GraphEdge, Graph, Node, NodeDelete, NodeUpsert};

use super::*;

const LIMITS: Limits = Limits { nodes: 4, edges: 5 };

fn header() -> SnapshotHeader {
    let graph = Graph { revision: 3, node_count: 3, edge_count: 2, ..Graph::default() };
    SnapshotHeader { graph: Some(graph), node_types: vec![], edge_types: vec!["links".into()] }
}

fn properties(team: &str) -> Struct {
    let kind = Some(Value::StringValue(team.into()));
    Struct { fields: [("team".to_owned(), prost_types::Value { kind })].into() }
}

/// Nodes a, b, c with ordinals 1, 4, 5; edges a→b without a key and b→c with key "k".
fn copy() -> GraphCopy {
    let mut copy = GraphCopy::begin(&header(), LIMITS, vec!["team".into()]).unwrap();
    copy.add_nodes(NodeColumns {
        ordinals: vec![1, 4, 5],
        keys: ["a", "b", "c"].map(String::from).into(),
        properties: [properties("x").encode_to_vec().into(), Bytes::new(), Bytes::new()].into(),
        ..NodeColumns::default()
    })
    .unwrap();
    copy.add_edges(EdgeColumns {
        sources: vec![1, 4],
        targets: vec![4, 5],
        types: vec![0, 0],
        weights: vec![1.0, 2.5],
        keys: vec![String::new(), "k".into()],
        ..EdgeColumns::default()
    })
    .unwrap();
    copy.end(3).unwrap();
    copy
}

fn node(key: &str, ordinal: u32) -> Kind {
    Kind::UpsertNode(NodeUpsert {
        node: Some(Node { key: key.into(), ordinal, ..Node::default() }),
        update_mask: None,
    })
}

fn no_node(key: &str) -> Kind {
    Kind::DeleteNode(NodeDelete { key: key.into() })
}

fn edge(source: &str, target: &str, key: &str, weight: f64) -> Kind {
    let edge = GraphEdge {
        key: key.into(),
        source: source.into(),
        target: target.into(),
        r#type: "links".into(),
        weight: Some(weight),
        ..GraphEdge::default()
    };
    Kind::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
}

fn no_edge(source: &str, target: &str) -> Kind {
    Kind::DeleteEdge(EdgeReference {
        source: source.into(),
        target: target.into(),
        r#type: "links".into(),
        ..EdgeReference::default()
    })
}

fn batch(revision: i64, last_part: bool, changes: Vec<Kind>) -> ChangeBatch {
    let changes = changes.into_iter().map(|change| Change { change: Some(change) }).collect();
    ChangeBatch { revision, last_part, changes, ..ChangeBatch::default() }
}

/// Nodes and sorted edges as (source, target, weight).
fn whole(copy: &GraphCopy) -> (Vec<u32>, Vec<(u32, u32, f32)>) {
    let topology = copy.whole();
    let mut edges: Vec<_> =
        topology.edges.unwrap().into_iter().map(|edge| (edge.source, edge.target, edge.weight)).collect();
    edges.sort_by_key(|edge| (edge.0, edge.1));
    (topology.nodes.unwrap(), edges)
}

#[test]
fn a_snapshot_is_taken_once() {
    let mut copy = copy();
    assert_eq!(copy.counts(), (3, 2));
    assert_eq!(copy.ordinal("b"), Some(4));
    let first = copy.take().unwrap();
    assert_eq!(first.nodes, Some(vec![1, 4, 5]));
    assert_eq!(first.revision, 3);
    let second = copy.take().unwrap();
    assert_eq!((second.nodes, second.edges), (None, None));
}

#[test]
fn changes_are_followed() {
    let mut copy = copy();
    copy.take();
    copy.apply(batch(4, true, vec![node("d", 9), edge("d", "a", "", 3.0), no_edge("a", "b")])).unwrap();
    assert_eq!(whole(&copy), (vec![1, 4, 5, 9], vec![(4, 5, 2.5), (9, 1, 3.0)]));

    copy.take();
    copy.apply(batch(5, true, vec![node("a", 1)])).unwrap();
    let topology = copy.take().unwrap();
    assert_eq!(
        (topology.nodes, topology.edges, topology.revision),
        (None, None, 5),
        "only properties changed"
    );

    copy.apply(batch(6, true, vec![edge("b", "c", "k", 2.0)])).unwrap();
    let topology = copy.take().unwrap();
    assert_eq!(
        (topology.nodes, topology.edges.map(|edges| edges.len())),
        (None, Some(2)),
        "a weight changed"
    );
}

#[test]
fn a_node_takes_its_edges_along_and_may_come_again() {
    let mut copy = copy();
    copy.apply(batch(4, true, vec![no_node("b"), node("b", 7), edge("a", "b", "", 1.0)])).unwrap();
    assert_eq!(whole(&copy), (vec![1, 5, 7], vec![(1, 7, 1.0)]));
}

#[test]
fn wanted_properties_and_types_of_edges_are_followed() {
    let mut copy = copy();
    copy.take();
    let team = |copy: &GraphCopy| {
        let mut nodes: Vec<_> = copy.with_property("team").map(|(node, _)| node).collect();
        nodes.sort_unstable();
        nodes
    };
    assert_eq!(team(&copy), [1]);
    assert_eq!(copy.with_property("other").count(), 0);
    let joined = |properties| {
        let node = Node { key: "b".into(), ordinal: 4, properties, ..Node::default() };
        Kind::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
    };
    copy.apply(batch(4, true, vec![joined(Some(properties("x").into()))])).unwrap();
    let topology = copy.take().unwrap();
    assert!(topology.regrouped && topology.edges.is_none());
    assert_eq!(team(&copy), [1, 4]);
    copy.apply(batch(5, true, vec![joined(Some(properties("x").into()))])).unwrap();
    assert!(!copy.take().unwrap().regrouped, "nothing has changed");
    copy.apply(batch(6, true, vec![joined(None), no_node("a")])).unwrap();
    assert!(team(&copy).is_empty());

    let mut above = edge("c", "b", "", 1.0);
    let Kind::UpsertEdge(upsert) = &mut above else { unreachable!() };
    upsert.edge.as_mut().unwrap().r#type = "above".into();
    copy.apply(batch(7, true, vec![above])).unwrap();
    assert_eq!((copy.edges_of("above"), copy.edges_of("links")), (vec![(5, 4)], vec![(4, 5)]));
    assert_eq!((copy.edges_of("").len(), copy.edges_of("below").len()), (2, 0));
}

#[test]
fn a_revision_counts_when_it_is_whole_and_may_come_twice() {
    let mut copy = copy();
    copy.take();
    copy.apply(batch(4, false, vec![node("d", 9)])).unwrap();
    assert_eq!(copy.revision(), 3);
    assert_eq!(copy.take(), None);
    // The stream broke off; everything after revision 3 comes again.
    copy.apply(batch(4, false, vec![node("d", 9)])).unwrap();
    copy.apply(batch(4, true, vec![edge("d", "a", "", 3.0)])).unwrap();
    assert_eq!(copy.revision(), 4);
    assert_eq!(whole(&copy).0, [1, 4, 5, 9]);
    copy.apply(batch(4, true, vec![no_node("a")])).unwrap();
    assert_eq!(whole(&copy).0, [1, 4, 5, 9], "an old revision is passed over");
}

#[test]
fn a_graph_that_is_too_large_is_told() {
    let mut large = header();
    large.graph.as_mut().unwrap().node_count = 5;
    let error = GraphCopy::begin(&large, LIMITS, Vec::new()).unwrap_err();
    assert_eq!(error, CopyError::TooLarge { limit: 4, what: "nodes" });
    let error = copy().apply(batch(4, true, vec![node("d", 8), node("e", 9)])).unwrap_err();
    assert_eq!(error, CopyError::TooLarge { limit: 4, what: "nodes" });
    let edges = (0..4).map(|at| edge("a", "b", &format!("k{at}"), 1.0)).collect();
    let error = copy().apply(batch(4, true, edges)).unwrap_err();
    assert_eq!(error, CopyError::TooLarge { limit: 5, what: "edges" });
}

#[test]
fn what_does_not_fit_asks_for_a_new_snapshot() {
    let error = copy().apply(batch(4, true, vec![edge("a", "nobody", "", 1.0)])).unwrap_err();
    assert_eq!(error, CopyError::Inconsistent("nodes and edges"));
    assert_eq!(
        copy().apply(batch(5, true, vec![])),
        Err(CopyError::Inconsistent("revisions")),
        "one is missing"
    );
    let mut copy = GraphCopy::begin(&header(), LIMITS, vec!["team".into()]).unwrap();
    let columns =
        EdgeColumns { sources: vec![1], targets: vec![4], types: vec![7], ..EdgeColumns::default() };
    assert_eq!(copy.add_edges(columns), Err(CopyError::Inconsistent("edge types")));
    let columns =
        EdgeColumns { sources: vec![1], targets: vec![4], types: vec![0], ..EdgeColumns::default() };
    copy.add_edges(columns).unwrap();
    assert_eq!(copy.end(3), Err(CopyError::Inconsistent("nodes and edges")));
}

#[test]
fn weights_are_numbers_that_the_kernels_take() {
    assert_eq!(
        [1e300, -1.0, f64::NAN].map(|weight| finite(weight).to_bits()),
        [f32::MAX, 0.0, 1.0].map(f32::to_bits)
    );
}
