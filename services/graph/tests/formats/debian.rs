//! The real graph that ships with the program: all of it is read. How fast, `weft-load graph` says.

use weft_graph::formats::ReadOptions;
use weft_proto::weft::graph::v1::Edge;

use crate::support::{edge, read_in_steps};

const NODES: &[u8] = include_bytes!("../../../../crates/weft/demo/debian.nodes.tsv.gz");
const EDGES: &[u8] = include_bytes!("../../../../crates/weft/demo/debian.edges.tsv.gz");

#[test]
fn the_graph_of_debian_is_read_whole() {
    let files = [("debian.edges.tsv.gz", EDGES), ("debian.nodes.tsv.gz", NODES)];
    let (found, done) = read_in_steps(ReadOptions::default(), &files, 64 << 10);
    done.unwrap();
    assert!(found.nodes.len() > 60_000 && found.edges.len() > 280_000, "{}", found.nodes.len());
    assert!(found.warnings.is_empty(), "{:?}", found.warnings[0]);
    let keys: std::collections::HashSet<&str> = found.keys().into_iter().collect();
    assert!(
        found
            .edges
            .iter()
            .all(|edge| keys.contains(edge.source.as_str()) && keys.contains(edge.target.as_str()))
    );
    let plain = |edge: &Edge| Edge { r#type: String::new(), weight: None, ..edge.clone() };
    assert!(found.edges.iter().any(|found| plain(found) == edge("0ad", "", "0ad-data")));
}
