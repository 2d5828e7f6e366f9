//! What the format tests share: a sink that keeps everything, and whole files in and out.

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use weft_graph::formats::{FormatError, MAX_CHUNK_BYTES, ReadOptions, Reader, Sink, Writer};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Graph, GraphFormat, ImportWarning, Node},
};

/// All formats.
pub(crate) const FORMATS: [GraphFormat; 7] = [
    GraphFormat::EdgeList,
    GraphFormat::Csv,
    GraphFormat::Graphml,
    GraphFormat::Gexf,
    GraphFormat::JsonGraph,
    GraphFormat::Markdown,
    GraphFormat::Logseq,
];

/// Keeps what a reader found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) placeholders: Vec<Node>,
    pub(crate) warnings: Vec<ImportWarning>,
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

    fn placeholder(&mut self, node: Node) -> Result<(), FormatError> {
        self.placeholders.push(node);
        Ok(())
    }

    fn warn(&mut self, warning: ImportWarning) {
        self.warnings.push(warning);
    }
}

impl Found {
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.nodes.iter().map(|node| node.key.as_str()).collect()
    }

    /// Edges as `source -type-> target`.
    pub(crate) fn arrows(&self) -> Vec<String> {
        self.edges.iter().map(|edge| format!("{} -{}-> {}", edge.source, edge.r#type, edge.target)).collect()
    }

    pub(crate) fn node_of(&self, key: &str) -> &Node {
        self.nodes.iter().find(|node| node.key == key).unwrap_or_else(|| panic!("no node {key:?}: {self:#?}"))
    }

    pub(crate) fn warning_texts(&self) -> Vec<String> {
        self.warnings
            .iter()
            .map(|warning| format!("{}:{} {}", warning.path, warning.line, warning.message))
            .collect()
    }
}

/// Reads files that come in pieces of `step` bytes.
pub(crate) fn read_in_steps(
    options: ReadOptions,
    files: &[(&str, &[u8])],
    step: usize,
) -> (Found, Result<(), FormatError>) {
    let mut found = Found::default();
    let mut reader = Reader::new(options);
    let mut read = || {
        for (path, content) in files {
            reader.begin_file(path, None, &mut found)?;
            for piece in content.chunks(step.max(1)) {
                reader.data(piece, &mut found)?;
            }
        }
        Ok(())
    };
    let done = read();
    let done = done.and_then(|()| reader.finish(&mut found));
    (found, done)
}

/// Reads whole files, without naming the format.
pub(crate) fn read(files: &[(&str, &str)]) -> Found {
    try_read(GraphFormat::Unspecified, files).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads whole files of a format.
pub(crate) fn try_read(format: GraphFormat, files: &[(&str, &str)]) -> Result<Found, FormatError> {
    let files: Vec<_> = files.iter().map(|(path, content)| (*path, content.as_bytes())).collect();
    let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
    let (found, done) = read_in_steps(options, &files, 1 << 20);
    done.map(|()| found)
}

/// Writes a graph and gives the file's name and content.
pub(crate) fn write(format: GraphFormat, gzip: bool, nodes: &[Node], edges: &[Edge]) -> (String, Vec<u8>) {
    let mut writer = Writer::new(format, gzip).unwrap();
    for node in nodes {
        writer.observe_node(node);
    }
    for edge in edges {
        writer.observe_edge(edge);
    }
    write_with(writer, nodes, edges)
}

/// Writes a graph with a writer that has or has not seen it before.
pub(crate) fn write_with(mut writer: Writer, nodes: &[Node], edges: &[Edge]) -> (String, Vec<u8>) {
    let graph = Graph {
        name: "projects/p/graphs/example".to_owned(),
        display_name: "An <example> & \"more\"".to_owned(),
        description: "with ]]> and -->".to_owned(),
        ..Graph::default()
    };
    writer.begin(&graph).unwrap();
    let mut content = Vec::new();
    let mut drain = |writer: &mut Writer| {
        for chunk in writer.drain() {
            assert!(!chunk.is_empty() && chunk.len() <= MAX_CHUNK_BYTES);
            content.extend_from_slice(&chunk);
        }
    };
    for node in nodes {
        writer.node(node).unwrap();
        drain(&mut writer);
    }
    for edge in edges {
        writer.edge(edge).unwrap();
        drain(&mut writer);
    }
    writer.finish().unwrap();
    drain(&mut writer);
    (writer.file_name(), content)
}

/// A node with a key and a type.
pub(crate) fn node(key: &str, kind: &str) -> Node {
    Node { key: key.to_owned(), r#type: kind.to_owned(), ..Node::default() }
}

/// An edge with a type.
pub(crate) fn edge(source: &str, kind: &str, target: &str) -> Edge {
    Edge { source: source.to_owned(), target: target.to_owned(), r#type: kind.to_owned(), ..Edge::default() }
}

/// Properties from JSON, as an element holds them.
#[expect(clippy::unnecessary_wraps, reason = "elements hold an option")]
pub(crate) fn properties(json: serde_json::Value) -> Option<Lazy<Struct>> {
    match value(json).kind {
        Some(Kind::StructValue(object)) => Some(object.into()),
        other => panic!("{other:?} is no object"),
    }
}

/// A property value from JSON.
pub(crate) fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(truth) => Kind::BoolValue(truth),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(values) => {
            Kind::ListValue(prost_types::ListValue { values: values.into_iter().map(value).collect() })
        }
        Json::Object(members) => Kind::StructValue(Struct {
            fields: members.into_iter().map(|(name, member)| (name, value(member))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}
