//! What each algorithm finds, against what can be seen or counted by hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use prost_types::{Struct, Value, value::Kind as ValueKind};
use tokio_stream::StreamExt;
use weft_proto::weft::compute::v1::{
    AnalysisState, Anomalies, Betweenness, BreadthFirst, Closeness, Communities, CommunityMethod,
    CoordinateProperties, Cores, Dbscan, EdgeDirection, KMeans, LabelPropagation, ListAnalysisValuesRequest,
    PageRank, Places, Precedence, ShortestPaths, StreamAnalysisValuesRequest, StrongComponents, Triangles,
    WeakComponents, algorithm::Kind, places::Origin,
};
use weft_proto::weft::graph::v1::{Node, NodeUpsert, change::Change};

use crate::world::{World, analysis, edge, failure, node};

/// Two rings of three with a bridge from c to d, a pair, and a node alone.
const EDGES: [(&str, &str, f64); 8] = [
    ("a", "b", 1.0),
    ("b", "c", 5.0),
    ("c", "a", 1.0),
    ("c", "d", 0.5),
    ("d", "e", 1.0),
    ("e", "f", 1.0),
    ("f", "d", 1.0),
    ("g", "h", 2.0),
];
const NODES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

async fn world() -> World {
    let world = World::start().await;
    world.apply(NODES.iter().map(|key| node(key)).collect()).await;
    world.link(&EDGES).await;
    world
}

/// Edges between nodes, one way and back.
fn distances(from: &str, both: bool) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::from([(from.to_owned(), 0)]);
    let mut waiting = VecDeque::from([from.to_owned()]);
    while let Some(at) = waiting.pop_front() {
        let depth = found[&at] + 1;
        for (source, target, _) in EDGES {
            for (here, there) in [(source, target), (target, source)].into_iter().take(1 + usize::from(both))
            {
                if here == at && !found.contains_key(there) {
                    found.insert(there.to_owned(), depth);
                    waiting.push_back(there.to_owned());
                }
            }
        }
    }
    found
}

/// The nodes that have the same value.
fn groups(values: &BTreeMap<String, Vec<f64>>) -> BTreeSet<String> {
    let mut groups: BTreeMap<u64, String> = BTreeMap::new();
    for (node, value) in values {
        *groups.entry(value[0].to_bits()).or_default() += node;
    }
    groups.into_values().collect()
}

fn parts(parts: &[&str]) -> BTreeSet<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_those_that_one_sees() {
    let world = world().await;
    let weak = world.values(Kind::WeakComponents(WeakComponents {})).await;
    assert_eq!(groups(&weak), parts(&["abcdef", "gh", "i"]));
    let strong = world.values(Kind::StrongComponents(StrongComponents {})).await;
    assert_eq!(groups(&strong), parts(&["abc", "def", "g", "h", "i"]));
    let labels = world.values(Kind::LabelPropagation(LabelPropagation::default())).await;
    assert_eq!(labels.len(), NODES.len());
    assert_ne!(labels["a"], labels["g"]);

    for method in [CommunityMethod::Leiden, CommunityMethod::Louvain] {
        let kind = Kind::Communities(Communities { method: method.into(), ..Communities::default() });
        let done = world.run(kind).await;
        let result = done.result.unwrap();
        let values = world.page(&done.name, "node").await;
        let values = values.into_iter().map(|value| (value.node, value.values)).collect();
        // The edge from b to c weighs more than all others of them together.
        let found = groups(&values);
        assert!(found.contains("gh") && found.contains("i") && found.contains("abc"), "{found:?}");
        let total: f64 = EDGES.iter().map(|edge| edge.2).sum();
        let modularity: f64 = found
            .iter()
            .map(|group| {
                let has = |key: &str| group.contains(key);
                let inside: f64 =
                    EDGES.iter().filter(|edge| has(edge.0) && has(edge.1)).map(|edge| edge.2).sum();
                let ends: f64 = EDGES
                    .iter()
                    .map(|edge| {
                        edge.2 * (f64::from(u8::from(has(edge.0))) + f64::from(u8::from(has(edge.1))))
                    })
                    .sum();
                inside / total - (ends / (2.0 * total)).powi(2)
            })
            .sum();
        assert!((result.numbers["modularity"] - modularity).abs() < 1e-9, "{:?}", result.numbers);
        assert_eq!(result.numbers["community_count"] as usize, found.len());
        assert_eq!((result.groups[0].node_count, result.groups.len()), (3, found.len()));
        assert_eq!(result.row_count, 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_are_as_long_as_they_are() {
    let world = world().await;
    for (direction, both) in [(EdgeDirection::Unspecified, false), (EdgeDirection::Both, true)] {
        let asked = BreadthFirst { source: "a".into(), direction: direction.into() };
        let found = world.values(Kind::BreadthFirst(asked)).await;
        let expected = distances("a", both);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().all(|(node, depth)| depth == &[f64::from(expected[node])]), "{found:?}");
    }
    let asked = ShortestPaths { source: "a".into(), direction: EdgeDirection::Both.into() };
    let found = world.values(Kind::ShortestPaths(asked)).await;
    let lengths: Vec<f64> = found.values().map(|value| value[0]).collect();
    assert_eq!(lengths, [0.0, 1.0, 1.0, 1.5, 2.5, 2.5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_are_where_a_walk_comes_to_rest() {
    let world = world().await;
    let found = world.values(Kind::PageRank(PageRank::default())).await;
    let n = NODES.len() as f64;
    let out = |node: &str| EDGES.iter().filter(|edge| edge.0 == node).map(|edge| edge.2).sum::<f64>();
    let mut ranks: BTreeMap<&str, f64> = NODES.iter().map(|node| (*node, 1.0 / n)).collect();
    for _ in 0..500 {
        let loose: f64 = NODES.iter().filter(|node| out(node) <= 0.0).map(|node| ranks[node]).sum();
        let mut next: BTreeMap<&str, f64> =
            NODES.iter().map(|node| (*node, 0.15 / n + 0.85 * loose / n)).collect();
        for (source, target, weight) in EDGES {
            *next.get_mut(target).unwrap() += 0.85 * ranks[source] * weight / out(source);
        }
        ranks = next;
    }
    for node in NODES {
        assert!(
            (found[node][0] - ranks[node]).abs() < 1e-7,
            "{node}: {:?} is not {}",
            found[node],
            ranks[node]
        );
    }
    let from_a = PageRank { sources: vec!["g".into()], ..PageRank::default() };
    let seen = world.values(Kind::PageRank(from_a)).await;
    assert!(seen["a"][0] <= 0.0 && seen["g"][0] > seen["h"][0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn centrality_is_counted_over_all_pairs() {
    let world = world().await;
    let kind = Betweenness { direction: EdgeDirection::Both.into(), ..Betweenness::default() };
    let found = world.values(Kind::Betweenness(kind)).await;
    let all: BTreeMap<&str, BTreeMap<String, u32>> =
        NODES.iter().map(|node| (*node, distances(node, true))).collect();
    // No two nodes of this graph have more than one shortest way: who lies on it has both parts of its length.
    for middle in NODES {
        let mut count = 0.0;
        for (at, from) in NODES.iter().enumerate() {
            for to in &NODES[at + 1..] {
                let between = *from != middle && *to != middle;
                let parts = (all[from].get(middle), all[middle].get(*to), all[from].get(*to));
                if let (true, (Some(one), Some(other), Some(whole))) = (between, parts)
                    && one + other == *whole
                {
                    count += 1.0;
                }
            }
        }
        assert!((found[middle][0] - count).abs() < 1e-9, "{middle}: {:?} is not {count}", found[middle]);
    }
    let kind = Closeness { direction: EdgeDirection::Both.into(), ..Closeness::default() };
    let found = world.values(Kind::Closeness(kind)).await;
    for node in NODES {
        let reached = (all[node].len() - 1) as f64;
        let far: u32 = all[node].values().sum();
        let near = if far == 0 { 0.0 } else { reached / 8.0 * (reached / f64::from(far)) };
        let harmonic: f64 =
            all[node].values().filter(|depth| **depth > 0).map(|depth| 1.0 / f64::from(*depth)).sum::<f64>()
                / 8.0;
        assert!((found[node][0] - near).abs() < 1e-12 && (found[node][1] - harmonic).abs() < 1e-12);
    }
    let some = Closeness { sources: vec!["c".into(), "a".into()], ..Closeness::default() };
    assert_eq!(world.values(Kind::Closeness(some)).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn density_is_counted() {
    let world = world().await;
    let cores = world.values(Kind::Cores(Cores {})).await;
    let cores: Vec<f64> = cores.values().map(|value| value[0]).collect();
    assert_eq!(cores, [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 0.0]);
    let done = world.run(Kind::Triangles(Triangles {})).await;
    let numbers = done.result.unwrap().numbers;
    assert!((numbers["triangle_count"] - 2.0).abs() < 1e-12);
    // Two triangles, and ways over two edges: one at a, b, e and f, three at c and d.
    assert!((numbers["transitivity"] - 6.0 / 10.0).abs() < 1e-12);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_together_is_found_by_properties_and_by_layout() {
    let world = World::start().await;
    let spots = [
        ("a", 0.0, 0.0),
        ("b", 1.0, 0.0),
        ("c", 0.0, 1.0),
        ("d", 50.0, 50.0),
        ("e", 51.0, 50.0),
        ("far", 0.0, 900.0),
    ];
    let mut changes: Vec<_> = spots.iter().map(|(key, x, y)| placed(key, *x, *y)).collect();
    changes.push(node("nowhere"));
    world.apply(changes).await;
    let places = || {
        let names = vec!["x".to_owned(), "y".to_owned()];
        Some(Places { origin: Some(Origin::Properties(CoordinateProperties { names })) })
    };
    let dense = Dbscan { places: places(), distance: 1.5, min_points: 2 };
    let dense = world.values(Kind::Dbscan(dense)).await;
    assert_eq!(groups(&dense), parts(&["abc", "de"]));
    let around = KMeans { places: places(), groups: 3, ..KMeans::default() };
    let around = world.values(Kind::KMeans(around)).await;
    assert_eq!(groups(&around), parts(&["abc", "de", "far"]));

    // A layout that nobody has made, one of this graph that has put its nodes, and what it does not know.
    let layout = |id: &str| Some(Places { origin: Some(Origin::Layout(id.into())) });
    let missing = world.run(Kind::KMeans(KMeans { places: layout("none"), ..KMeans::default() })).await;
    assert_eq!(failure(&missing), (tonic::Code::NotFound, "LAYOUT_NOT_FOUND".into()));
    world.settle("l").await;
    world.apply(vec![node("late")]).await;
    let found =
        world.values(Kind::KMeans(KMeans { places: layout("l"), groups: 2, ..KMeans::default() })).await;
    assert_eq!(found.len(), spots.len() + 1);
    assert_eq!(groups(&found).len(), 2);
}

fn placed(key: &str, x: f64, y: f64) -> Change {
    let number = |value| Value { kind: Some(ValueKind::NumberValue(value)) };
    let fields = [("x".to_owned(), number(x)), ("y".to_owned(), number(y))].into();
    let node = Node { key: key.into(), properties: Some(Struct { fields }.into()), ..Node::default() };
    Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_clique_around_it_is_odd() {
    let world = World::start().await;
    let mut edges = Vec::new();
    for hub in 0..6 {
        for leaf in 0..4 + hub {
            edges.push((format!("hub{hub}"), format!("leaf{hub}-{leaf}")));
        }
    }
    for a in 0..8 {
        edges.extend((a + 1..8).map(|b| (format!("clique{a}"), format!("clique{b}"))));
    }
    world.apply(edges.iter().map(|(source, target)| edge(source, target, 1.0)).collect()).await;
    let done = world.run(Kind::Anomalies(Anomalies {})).await;
    let result = done.result.unwrap();
    assert_eq!(result.columns, ["anomaly", "egonet_nodes", "egonet_edges"]);
    assert!(result.top[0].node.starts_with("clique"), "{:?}", result.top);
    assert_eq!(result.top[0].values[1..], [8.0, 28.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_come_first_comes_first() {
    let world = world().await;
    let done = world.run(Kind::Precedence(Precedence::default())).await;
    assert_eq!(failure(&done), (tonic::Code::FailedPrecondition, "GRAPH_HAS_CYCLE".into()));
    assert!(done.error.unwrap().message.contains("a → b → c"));

    let world = World::start().await;
    world
        .link(&[
            ("in", "left", 1.0),
            ("in", "right", 1.0),
            ("left", "out", 1.0),
            ("right", "more", 1.0),
            ("more", "out", 1.0),
        ])
        .await;
    let done = world.run(Kind::Precedence(Precedence::default())).await;
    let result = done.result.unwrap();
    assert_eq!(result.columns, ["position", "level", "earliest", "slack", "critical"]);
    assert!((result.numbers["length"] - 4.0).abs() < 1e-12);
    let critical: Vec<String> = world
        .page(&done.name, "node")
        .await
        .into_iter()
        .filter(|value| value.values[4] > 0.0)
        .map(|value| value.node)
        .collect();
    assert_eq!(critical, ["in", "more", "out", "right"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_graph_and_one_node_have_results() {
    let world = World::start().await;
    let kinds = || {
        [
            Kind::WeakComponents(WeakComponents {}),
            Kind::StrongComponents(StrongComponents {}),
            Kind::PageRank(PageRank::default()),
            Kind::Betweenness(Betweenness::default()),
            Kind::Closeness(Closeness::default()),
            Kind::Cores(Cores {}),
            Kind::Triangles(Triangles {}),
            Kind::LabelPropagation(LabelPropagation::default()),
            Kind::Communities(Communities::default()),
            Kind::Precedence(Precedence::default()),
            Kind::Anomalies(Anomalies {}),
        ]
    };
    for kind in kinds() {
        assert!(world.values(kind).await.is_empty());
    }
    world.apply(vec![node("only")]).await;
    for kind in kinds() {
        let values = world.values(kind).await;
        assert!(values["only"].iter().all(|value| value.is_finite()));
    }
    let from = BreadthFirst { source: "only".into(), ..BreadthFirst::default() };
    assert_eq!(world.values(Kind::BreadthFirst(from)).await["only"], [0.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_in_pages_and_as_a_stream() {
    let world = world().await;
    let done = world.run_analysis(analysis(Kind::PageRank(PageRank::default()))).await;
    assert_eq!(done.state(), AnalysisState::Succeeded);
    let result = done.result.unwrap();
    let first = world.page(&done.name, "value desc").await;
    assert_eq!(result.top, first);
    assert_eq!(result.histogram.unwrap().counts.iter().sum::<i64>(), 9);

    for order_by in ["", "node", "node desc", "value", "value desc", "ordinal desc"] {
        let whole = world.page(&done.name, order_by).await;
        let (mut pages, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListAnalysisValuesRequest {
                name: done.name.clone(),
                order_by: order_by.into(),
                page_size: 2,
                page_token,
            };
            let page = world.client.clone().list_analysis_values(request).await.unwrap().into_inner();
            pages.extend(page.values);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(pages, whole, "{order_by}");
    }

    let stream = |after_ordinal| StreamAnalysisValuesRequest {
        name: done.name.clone(),
        ordinals_only: false,
        after_ordinal,
    };
    let pieces = world.client.clone().stream_analysis_values(stream(None)).await.unwrap().into_inner();
    let pieces: Vec<_> = pieces.collect().await;
    let columns = pieces[0].as_ref().unwrap().columns.clone().unwrap();
    let by_ordinal = world.page(&done.name, "ordinal").await;
    assert_eq!(columns.nodes, by_ordinal.iter().map(|value| value.node.clone()).collect::<Vec<_>>());
    assert_eq!(columns.columns[0].values, by_ordinal.iter().map(|value| value.values[0]).collect::<Vec<_>>());
    let rest = world.client.clone().stream_analysis_values(stream(Some(columns.ordinals[6]))).await.unwrap();
    let rest: Vec<_> = rest.into_inner().collect().await;
    assert_eq!(rest[0].as_ref().unwrap().columns.clone().unwrap().ordinals, columns.ordinals[7..]);
}
