//! A random graph comes back as it was, whatever strings are in it.

use std::io::Read as _;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use prost_types::value::Kind;
use serde_json::{Value as Json, json};
use weft_graph::formats::{ReadOptions, Writer};
use weft_proto::weft::graph::v1::{Edge, GraphFormat, Node};

use crate::support::{Found, edge, node, properties, read_in_steps, write, write_with};

/// Pieces of text that break careless writers.
const PIECES: [&str; 42] = [
    "a", "Z", "7", "0", " ", "  ", "é", "漢字", "🦀", "\"", "'", "<", ">", "&", "&amp;", "]]>", "-->",
    "<!--", "\\", "\\n", "/", "..", ".", ":", "::", ";", ",", "|", "#", "%", "[[", "]]", "{", "}", "- ",
    "---", "true", "null", "1e5", "`", "~~~", "\u{fffe}",
];
/// Further ones for texts that are not keys.
const CONTROLS: [&str; 7] = ["\n", "\t", "\r\n", "\r", "\u{1}", "\n---\n", "\n- x:: [[y]]\n"];

fn key() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..41]), 1..5).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    let pieces: Vec<&'static str> = PIECES.into_iter().chain(CONTROLS).collect();
    vec(select(pieces), 0..6).prop_map(|pieces| pieces.concat())
}

/// Types and labels: text that XML can hold.
fn name() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..41]), 0..3).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Json> {
    let number = prop_oneof![any::<i32>().prop_map(f64::from), -1e9..1e9, Just(1e300), Just(-0.0)];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(|number| json!(number)),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::Array),
            btree_map(text(), inner, 0..3).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn property_map() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        select(vec!["type", "key", "label", "weight", "properties", "text", "tags", "a", "b", "id", "title"])
            .prop_map(str::to_owned),
        text(),
    ];
    btree_map(name, json_value(), 0..4).prop_map(|members| Json::Object(members.into_iter().collect()))
}

fn graph() -> impl Strategy<Value = (Vec<Node>, Vec<Edge>)> {
    let one_node = (key(), name(), text(), vec(name(), 0..3), property_map());
    let nodes = vec(one_node, 1..5).prop_map(|nodes| {
        let mut made: Vec<Node> = Vec::new();
        for (key, kind, display_name, labels, map) in nodes {
            if made.iter().any(|other| other.key.to_lowercase() == key.to_lowercase()) {
                continue;
            }
            let mut node = Node { display_name, ..node(&key, &kind) };
            for label in labels {
                // Tables trim them.
                if !label.trim().is_empty() && !node.labels.contains(&label) {
                    node.labels.push(label);
                }
            }
            if map != json!({}) {
                node.properties = properties(map);
            }
            made.push(node);
        }
        made
    });
    let one_edge =
        (any::<usize>(), any::<usize>(), name(), prop::option::of(0.0..10.0), key(), property_map());
    (nodes, vec((one_edge, any::<bool>()), 0..5)).prop_map(|(nodes, edges)| {
        let edges =
            edges.into_iter().enumerate().map(|(at, ((source, target, kind, weight, key, map), keyed))| {
                let (source, target) = (&nodes[source % nodes.len()].key, &nodes[target % nodes.len()].key);
                let mut edge = Edge { weight, ..edge(source, &kind, target) };
                if keyed {
                    edge.key = format!("{at}{key}");
                }
                if map != json!({}) {
                    edge.properties = properties(map);
                }
                edge
            });
        let mut edges: Vec<Edge> = edges.collect();
        // Without a key there is at most one edge of a type between two nodes.
        let mut known = std::collections::HashSet::new();
        edges.retain(|edge| {
            !edge.key.is_empty()
                || known.insert((edge.source.clone(), edge.r#type.clone(), edge.target.clone()))
        });
        (nodes, edges)
    })
}

fn read_back(name: &str, content: &[u8], step: usize) -> Found {
    let (found, done) = read_in_steps(ReadOptions::default(), &[(name, content)], step);
    done.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(content)));
    found
}

/// XML cannot hold all characters; GEXF does not tell a name that repeats the key from none.
fn with_xml_name(node: Node) -> Node {
    let name = node.display_name.replace(['\u{1}', '\u{fffe}'], "");
    Node { display_name: if name == node.key { String::new() } else { name }, ..node }
}

fn sorted(mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort_by(|a, b| {
        (&a.source, &a.target, &a.r#type, &a.key).cmp(&(&b.source, &b.target, &b.r#type, &b.key))
    });
    edges
}

fn comes_back_whole(format: GraphFormat, nodes: &[Node], edges: &[Edge], step: usize) {
    for gzip in [false, true] {
        let (name, content) = write(format, gzip, nodes, edges);
        let found = read_back(&name, &content, step);
        assert_eq!(found.nodes, nodes, "{}", String::from_utf8_lossy(&content));
        assert_eq!(found.edges, edges, "{}", String::from_utf8_lossy(&content));
    }
    let (name, content) = write_with(Writer::new(format, false).unwrap(), nodes, edges);
    let found = read_back(&name, &content, step);
    assert_eq!(
        (found.nodes.as_slice(), found.edges.as_slice()),
        (nodes, edges),
        "without a look at it before"
    );
}

/// Links and tags in the text of a page would be found again, so that the text has none here.
fn pages_come_back(format: GraphFormat, mut nodes: Vec<Node>, edges: &[Edge], step: usize) {
    for node in &mut nodes {
        let fields = node.properties.iter_mut().flat_map(|properties| &mut properties.fields);
        for (_, value) in fields.filter(|(name, _)| *name == "text") {
            if let Some(Kind::StringValue(text)) = &mut value.kind {
                *text = text.replace(['[', '#'], "");
            }
        }
    }
    let (name, content) = write(format, true, &nodes, edges);
    let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
    let (found, done) = read_in_steps(options, &[(&name, &content)], step);
    let shown = || {
        let mut plain = String::new();
        flate2::read::GzDecoder::new(content.as_slice()).read_to_string(&mut plain).unwrap();
        plain
    };
    done.unwrap_or_else(|error| panic!("{error}\n{}", shown()));
    assert_eq!(found.nodes, nodes, "{}\n{:?}", shown(), found.warnings);
    assert_eq!(sorted(found.edges), sorted(edges.to_vec()), "{}", shown());
    assert_eq!((found.placeholders, found.warnings), (vec![], vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edge_lists((nodes, edges) in graph(), step in 1_usize..200) {
        let (name, content) = write(GraphFormat::EdgeList, false, &nodes, &edges);
        let found = read_back(&name, &content, step);
        let nodes: Vec<Node> = nodes
            .into_iter()
            .map(|node| Node { labels: Vec::new(), properties: None, ..node })
            .collect();
        prop_assert_eq!(found.nodes, nodes);
        let edges: Vec<Edge> = edges
            .into_iter()
            .map(|edge| Edge { key: String::new(), properties: None, ..edge })
            .collect();
        let weight = |edge: &Edge| edge.weight.unwrap_or(1.0).to_bits();
        prop_assert!(found.edges.iter().map(weight).eq(edges.iter().map(weight)));
        let plain = |edge: Edge| Edge { weight: None, ..edge };
        let found: Vec<Edge> = found.edges.into_iter().map(plain).collect();
        prop_assert_eq!(found, edges.into_iter().map(plain).collect::<Vec<_>>());
    }

    #[test]
    fn json_graph((nodes, edges) in graph(), step in 1_usize..200) {
        comes_back_whole(GraphFormat::JsonGraph, &nodes, &edges, step);
    }

    #[test]
    fn graphml((nodes, edges) in graph(), step in 1_usize..200) {
        let nodes: Vec<Node> = nodes.into_iter().map(with_xml_name).collect();
        comes_back_whole(GraphFormat::Graphml, &nodes, &edges, step);
    }

    #[test]
    fn gexf((nodes, edges) in graph(), step in 1_usize..200) {
        let nodes: Vec<Node> = nodes.into_iter().map(with_xml_name).collect();
        comes_back_whole(GraphFormat::Gexf, &nodes, &edges, step);
    }

    #[test]
    fn markdown((nodes, edges) in graph(), step in 1_usize..200) {
        pages_come_back(GraphFormat::Markdown, nodes, &edges, step);
    }

    #[test]
    fn logseq((nodes, edges) in graph(), step in 1_usize..200) {
        pages_come_back(GraphFormat::Logseq, nodes, &edges, step);
    }

    #[test]
    fn csv((nodes, edges) in graph(), step in 1_usize..200) {
        comes_back_whole(GraphFormat::Csv, &nodes, &edges, step);
    }
}

#[test]
fn pages_whose_paths_collide_come_back() {
    let long = |end: &str| format!("{}{end}", "/<".repeat(250));
    let keys = ["page", "Page", "PAGE", "page (2)", "/", "//", "..", "a/", "a", &long("x"), &long("y")];
    let nodes: Vec<Node> = keys.iter().map(|key| node(key, "page")).collect();
    for format in [GraphFormat::Markdown, GraphFormat::Logseq] {
        let (name, content) = write(format, false, &nodes, &[]);
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let (found, done) = read_in_steps(options, &[(&name, &content)], 1000);
        done.unwrap();
        assert_eq!(found.keys(), keys);
    }
}

#[test]
fn readers_and_writers_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<weft_graph::formats::Reader>();
    is_send::<Writer>();
}

#[test]
fn a_large_table_comes_in_parts() {
    let nodes: Vec<Node> = (0..60_000)
        .map(|at| Node {
            display_name: format!("a name that takes room, number {at}"),
            ..node(&format!("key{at}"), "t")
        })
        .map(|node| Node { properties: properties(json!({"filler": "x".repeat(40)})), ..node })
        .collect();
    let (name, content) = write(GraphFormat::Csv, false, &nodes, &[]);
    assert!(content.windows(11).any(|window| window == b"nodes-2.csv"), "a second part");
    assert!(read_back(&name, &content, 100_000).nodes == nodes);
}
