//! A part of the graph that ships with the program: the first packages of Debian's list, and which of
//! them need each other.

use std::{fmt::Write, fs::File, io::Read};

use flate2::read::GzDecoder;

/// How many packages.
pub(crate) const PACKAGES: usize = 3_000;

/// A nodes file and an edges file, as they are imported.
pub(crate) struct Files {
    pub(crate) nodes: String,
    pub(crate) edges: String,
    pub(crate) edge_count: i64,
}

impl Files {
    pub(crate) fn read() -> Self {
        let nodes: String = text("debian.nodes.tsv.gz").split_inclusive('\n').take(PACKAGES).collect();
        let mut edges = String::new();
        let mut edge_count = 0;
        for line in text("debian.edges.tsv.gz").lines() {
            // An edge names its ends by their lines in the nodes file.
            let mut ends = line.split('\t').map(|end| end.parse::<usize>().ok());
            if ends.next().flatten().is_some_and(|end| end < PACKAGES)
                && ends.next().flatten().is_some_and(|end| end < PACKAGES)
            {
                writeln!(edges, "{line}").expect("a string grows");
                edge_count += 1;
            }
        }
        assert!(edge_count > 500, "the data has changed");
        Self { nodes, edges, edge_count }
    }

    /// Names and contents.
    pub(crate) fn parts(&self) -> [(&'static str, &[u8]); 2] {
        [("debian.nodes.tsv", self.nodes.as_bytes()), ("debian.edges.tsv", self.edges.as_bytes())]
    }
}

fn text(name: &str) -> String {
    let path = format!("{}/../crates/weft/demo/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    GzDecoder::new(File::open(path).expect("it ships with the program"))
        .read_to_string(&mut text)
        .expect("it is text");
    text
}
