//! The files of a real graph: how fast each format is read and written, and how much memory the graph
//! takes once it is there. In this process, without a network and a disk.

use std::io::Read;

use anyhow::{Context, Result};
use prost::Message;
use weft_graph::{
    GraphLimits,
    domain::{
        change::{Import, plan_import},
        memory::Memory,
    },
    formats::{FormatError, ReadOptions, Reader, Sink, Writer},
};
use weft_proto::weft::graph::v1::{Edge, Graph, GraphFormat, ImportWarning, Node};

use crate::{
    report::{Better, Report, median},
    rpc::now,
};

const NODES: &[u8] = include_bytes!("../../../crates/weft/demo/debian.nodes.tsv.gz");
const EDGES: &[u8] = include_bytes!("../../../crates/weft/demo/debian.edges.tsv.gz");

/// Which package of Debian 12 needs which.
pub(crate) const DEBIAN: [(&str, &[u8]); 2] =
    [("debian.nodes.tsv.gz", NODES), ("debian.edges.tsv.gz", EDGES)];

/// Formats, and the MB that each is to read in a second.
const FORMATS: [(GraphFormat, &str, f64); 7] = [
    (GraphFormat::EdgeList, "edge list", 50.0),
    (GraphFormat::Csv, "CSV", 50.0),
    (GraphFormat::Graphml, "GraphML", 50.0),
    (GraphFormat::Gexf, "GEXF", 50.0),
    (GraphFormat::JsonGraph, "JSON graph", 50.0),
    (GraphFormat::Markdown, "Markdown", 25.0),
    (GraphFormat::Logseq, "Logseq", 25.0),
];

/// The keys of all its nodes.
pub(crate) fn keys() -> Result<Vec<String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(NODES).read_to_string(&mut text)?;
    Ok(text.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
}

/// Keeps what a reader found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

impl Sink for Found {
    fn node(&mut self, node: Node) -> Result<(), FormatError> {
        self.nodes.push(node);
        Ok(())
    }

    fn edge(&mut self, edge: Edge) -> Result<(), FormatError> {
        self.edges.push(edge);
        Ok(())
    }

    fn placeholder(&mut self, _: Node) -> Result<(), FormatError> {
        Ok(())
    }

    fn warn(&mut self, _: ImportWarning) {}
}

/// Adds what is measured to the report.
pub(crate) fn measure(rounds: u32, report: &mut Report) -> Result<()> {
    let (shipped, found) = timed(rounds, || read(None, &DEBIAN))?;
    report.add("reading the edge list with nodes file, gzip", shipped * 1e3, "ms", 300.0, Better::Lower);
    for (format, name, goal) in FORMATS {
        let (writing, (path, content)) = timed(rounds, || write(format, &found))?;
        let (reading, again) = timed(rounds, || read(Some(format), &[(&path, &content)]))?;
        anyhow::ensure!(
            (again.nodes.len(), again.edges.len()) == (found.nodes.len(), found.edges.len()),
            "{name}: what was written is not what was read"
        );
        let megabytes = content.len() as f64 / 1e6;
        report.add(format!("reading {name}"), megabytes / reading, "MB/s", goal, Better::Higher);
        report.add(format!("writing {name}"), megabytes / writing, "MB/s", goal, Better::Higher);
    }
    memory(found, report)
}

/// Does something several times: how long it took, in seconds, and what it made.
fn timed<T>(rounds: u32, mut work: impl FnMut() -> Result<T>) -> Result<(f64, T)> {
    let mut times = Vec::new();
    let mut made = None;
    for _ in 0..rounds {
        // What the last round made goes before the clock starts.
        drop(made.take());
        let began = now();
        made = Some(work()?);
        times.push(began.elapsed().as_secs_f64());
    }
    Ok((median(times), made.context("there is at least one round")?))
}

pub(crate) fn read(format: Option<GraphFormat>, files: &[(&str, &[u8])]) -> Result<Found> {
    let mut found = Found::default();
    let mut reader = Reader::new(ReadOptions { format, ..ReadOptions::default() });
    for (path, content) in files {
        reader.begin_file(path, Some(content.len() as u64), &mut found)?;
        for piece in content.chunks(256 * 1024) {
            reader.data(piece, &mut found)?;
        }
    }
    reader.finish(&mut found)?;
    Ok(found)
}

fn write(format: GraphFormat, found: &Found) -> Result<(String, Vec<u8>)> {
    let mut writer = Writer::new(format, false)?;
    found.nodes.iter().for_each(|node| writer.observe_node(node));
    found.edges.iter().for_each(|edge| writer.observe_edge(edge));
    writer.begin(&Graph { name: "projects/p/graphs/debian".into(), ..Graph::default() })?;
    let mut content = Vec::new();
    let mut drain = |writer: &mut Writer| {
        for chunk in writer.drain() {
            content.extend_from_slice(&chunk);
        }
    };
    for node in &found.nodes {
        writer.node(node)?;
        drain(&mut writer);
    }
    for edge in &found.edges {
        writer.edge(edge)?;
        drain(&mut writer);
    }
    writer.finish()?;
    drain(&mut writer);
    Ok((writer.file_name(), content))
}

/// The bytes that the service itself counts; `cargo test -p weft-graph --test memory` shows that it counts
/// right. What is promised: 250 bytes a node and 40 an edge, beside keys, names and properties.
fn memory(found: Found, report: &mut Report) -> Result<()> {
    let (nodes, edges) = (found.nodes.len(), found.edges.len());
    let text = |node: &Node| {
        let properties = node.properties.as_ref().map_or(0, Message::encoded_len);
        node.key.len() + node.display_name.len() + properties
    };
    let texts: usize = found.nodes.iter().map(text).sum();
    let import = Import { nodes: found.nodes, edges: found.edges, ..Import::default() };
    let mut memory = Memory::default();
    let planned = plan_import(&memory, import, &GraphLimits::default(), 0)?;
    memory.apply(1, &planned.changes)?;
    let allowed = nodes * 250 + edges * 40;
    let taken = memory.memory_bytes().saturating_sub(texts);
    report.add("memory beside texts", taken as f64 / 1e6, "MB", allowed as f64 / 1e6, Better::Lower);
    report.add(
        "memory beside texts, each node and edge",
        taken as f64 / (nodes + edges) as f64,
        "bytes",
        allowed as f64 / (nodes + edges) as f64,
        Better::Lower,
    );
    Ok(())
}
