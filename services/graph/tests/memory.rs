//! How much memory does a graph take, measured where it is taken? At most 250 bytes for a node and
//! 40 for an edge, on top of keys, names and properties; and `memory_bytes` says what is true.

#![expect(clippy::print_stdout, reason = "the figure is what one wants to see")]

use std::alloc;

use cap::Cap;
use prost::Message;
use prost_types::{Struct, Value, value::Kind};
use weft_graph::{
    GraphLimits,
    domain::{
        change::{Import, plan_import},
        memory::Memory,
    },
};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

#[global_allocator]
static ALLOCATOR: Cap<alloc::System> = Cap::new(alloc::System, usize::MAX);

const NODES: usize = 63_436;
const EDGES: usize = 291_952;

/// As many nodes and edges as the Debian graph, with hubs.
fn synthetic() -> Import {
    let nodes = (0..NODES).map(|index| Node {
        key: format!("package-{index:07}"),
        r#type: format!("section{}", index % 58),
        labels: vec![format!("label{}", index % 12)],
        properties: Some(Lazy::from(Struct {
            fields: [("n".to_owned(), Value { kind: Some(Kind::NumberValue(index as f64)) })].into(),
        })),
        ..Node::default()
    });
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let edges = (0..EDGES).map(|index| {
        // The square of a fraction: few nodes have most of the edges.
        let fraction = (next() % 10_000) as f64 / 10_000.0;
        Edge {
            source: format!("package-{:07}", next() % NODES),
            target: format!("package-{:07}", (fraction * fraction * NODES as f64) as usize % NODES),
            r#type: if index % 10 == 0 { "recommends" } else { "depends" }.to_owned(),
            ..Edge::default()
        }
    });
    Import { nodes: nodes.collect(), edges: edges.collect(), ..Import::default() }
}

#[test]
fn a_graph_takes_what_is_promised() {
    let import = synthetic();
    let own: usize = import
        .nodes
        .iter()
        .map(|node| node.key.len() + node.properties.as_ref().map_or(0, Message::encoded_len))
        .sum();
    let mut memory = Memory::default();
    let before = ALLOCATOR.allocated();
    let planned = plan_import(&memory, import, &GraphLimits::default(), 0).expect("it fits");
    memory.apply(1, &planned.changes).expect("it was planned");
    drop(planned);
    // The import was there before and is gone now.
    let import_bytes = {
        let now = ALLOCATOR.allocated();
        let again = synthetic();
        let bytes = ALLOCATOR.allocated() - now;
        drop(again);
        bytes
    };
    let taken = ALLOCATOR.allocated() + import_bytes - before;
    let (nodes, edges) = (memory.table().node_count() as usize, memory.table().edge_count() as usize);
    assert_eq!(nodes, NODES);
    let allowed = nodes * 250 + edges * 40 + own;
    println!(
        "{taken} bytes for {nodes} nodes and {edges} edges: {:.1} bytes an element besides {own} bytes of texts; allowed {allowed}",
        (taken - own) as f64 / (nodes + edges) as f64
    );
    assert!(taken <= allowed, "{taken} bytes, {allowed} are allowed");
    let said = memory.memory_bytes();
    assert!(said.abs_diff(taken) < taken / 20, "it says {said} and takes {taken}");
}
