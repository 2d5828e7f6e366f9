//! The writer: elements go in, chunks of bytes come out.

use bytes::Bytes;
use weft_proto::weft::graph::v1::{Edge, Graph, GraphFormat, Node};

use super::chunks::Chunks;
use super::format_writer::FormatWriter;
use super::pages::write::PagesWriter;
use super::schema::Schema;
use super::{FormatError, Position, csv, edge_list, gexf, graphml, json_graph, logseq, markdown};

/// Writes one graph as one file.
///
/// ```text
/// let mut writer = Writer::new(GraphFormat::Graphml, true)?;
/// for … { writer.observe_node(&node) }      // if it can be afforded: gives properties columns
/// for … { writer.observe_edge(&edge) }
/// writer.begin(&graph)?;
/// for … { writer.node(&node)?; send(writer.drain()) }
/// for … { writer.edge(&edge)?; send(writer.drain()) }
/// writer.finish()?;
/// send(writer.drain())
/// ```
///
/// All nodes come before all edges. Reading what was written gives the same elements, except where
/// the format has no place for something; each format's module says what that is.
pub struct Writer {
    format: GraphFormat,
    gzip: bool,
    stem: String,
    schema: Schema,
    body: Box<dyn FormatWriter>,
    out: Chunks,
}

impl Writer {
    /// A writer of one file, compressed or not. [`FormatError::Unsupported`] where no format is named.
    pub fn new(format: GraphFormat, gzip: bool) -> Result<Self, FormatError> {
        let body: Box<dyn FormatWriter> = match format {
            GraphFormat::EdgeList => Box::new(edge_list::EdgeListWriter::default()),
            GraphFormat::Csv => Box::new(csv::CsvWriter::default()),
            GraphFormat::Graphml => Box::new(graphml::GraphmlWriter::default()),
            GraphFormat::Gexf => Box::new(gexf::GexfWriter::default()),
            GraphFormat::JsonGraph => Box::new(json_graph::JsonGraphWriter::default()),
            GraphFormat::Markdown => Box::new(PagesWriter::new(markdown::MarkdownStyle)),
            GraphFormat::Logseq => Box::new(PagesWriter::new(logseq::LogseqStyle)),
            GraphFormat::Unspecified => {
                let problem = "no format is named; name one to write".to_owned();
                return Err(FormatError::Unsupported { at: Position::default(), problem });
            }
        };
        let stem = "graph".to_owned();
        Ok(Self { format, gzip, stem, schema: Schema::default(), body, out: Chunks::new(gzip) })
    }

    /// Shows a node that will be written, before [`begin`](Self::begin). Properties that were shown
    /// become columns or attributes of their own in CSV, GraphML and GEXF; others share one, as JSON.
    pub fn observe_node(&mut self, node: &Node) {
        self.schema.observe_node(node);
    }

    /// Shows an edge that will be written, as [`observe_node`](Self::observe_node) does.
    pub fn observe_edge(&mut self, edge: &Edge) {
        self.schema.observe_edge(edge);
    }

    /// Begins the file. The graph's own name, display name and description are written where the
    /// format has a place for them.
    pub fn begin(&mut self, graph: &Graph) -> Result<(), FormatError> {
        if let Some((_, stem)) = graph.name.rsplit_once('/')
            && !stem.is_empty()
        {
            stem.clone_into(&mut self.stem);
        }
        self.body.begin(graph, &self.schema, &mut self.out)
    }

    /// Writes a node.
    pub fn node(&mut self, node: &Node) -> Result<(), FormatError> {
        self.body.node(node, &self.schema, &mut self.out)
    }

    /// Writes an edge.
    pub fn edge(&mut self, edge: &Edge) -> Result<(), FormatError> {
        self.body.edge(edge, &self.schema, &mut self.out)
    }

    /// Ends the file. What is left is in the next [`drain`](Self::drain).
    pub fn finish(&mut self) -> Result<(), FormatError> {
        self.body.finish(&self.schema, &mut self.out)?;
        self.out.finish();
        Ok(())
    }

    /// Takes the bytes that are ready, in chunks of at most [`MAX_CHUNK_BYTES`](super::MAX_CHUNK_BYTES); until the end a
    /// rest smaller than a chunk stays behind.
    pub fn drain(&mut self) -> Vec<Bytes> {
        self.out.drain()
    }

    /// Media type of the file.
    pub fn content_type(&self) -> &'static str {
        match self.format {
            _ if self.gzip => "application/gzip",
            GraphFormat::EdgeList => "text/tab-separated-values; charset=utf-8",
            GraphFormat::Graphml => "application/graphml+xml",
            GraphFormat::Gexf => "application/gexf+xml",
            GraphFormat::JsonGraph => "application/vnd.jgf+json",
            _ => "application/x-tar",
        }
    }

    /// Name for the file: the graph's id with the format's ending; `graph` before
    /// [`begin`](Self::begin).
    pub fn file_name(&self) -> String {
        let ending = match self.format {
            GraphFormat::EdgeList => "tsv",
            GraphFormat::Graphml => "graphml",
            GraphFormat::Gexf => "gexf",
            GraphFormat::JsonGraph => "json",
            _ => "tar",
        };
        format!("{}.{ending}{}", self.stem, if self.gzip { ".gz" } else { "" })
    }
}
