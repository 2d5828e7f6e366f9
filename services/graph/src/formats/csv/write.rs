//! Writes tables of nodes and edges into an archive.

use prost_types::Struct;
use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::FormatError;
use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::{Column, ColumnKind, Columns, REST, Schema, cell_text};
use super::super::value;
use super::labels;

/// A part is complete when it has this many bytes: an archive tells the size of a file before it.
const PART_BYTES: usize = 4 << 20;

/// Writes `nodes.csv` and `edges.csv`.
#[derive(Default)]
pub(in super::super) struct CsvWriter {
    nodes: Part,
    edges: Part,
}

/// The part of a table that is being filled.
#[derive(Default)]
struct Part {
    rows: String,
    /// Parts that were written.
    written: usize,
}

impl FormatWriter for CsvWriter {
    fn begin(&mut self, _: &Graph, schema: &Schema, _: &mut Chunks) -> Result<(), FormatError> {
        self.begin_nodes(schema);
        self.begin_edges(schema);
        Ok(())
    }

    fn node(&mut self, node: &Node, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        if self.nodes.rows.len() >= PART_BYTES {
            self.nodes.write("nodes", out);
            self.begin_nodes(schema);
        }
        let rows = &mut self.nodes.rows;
        let labels = labels::join(&node.labels);
        for cell in [&node.key, &node.r#type, &node.display_name, &labels] {
            push_cell(rows, cell);
        }
        push_properties(rows, &schema.nodes, node.properties.as_deref());
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        if self.edges.rows.len() >= PART_BYTES {
            self.edges.write("edges", out);
            self.begin_edges(schema);
        }
        let rows = &mut self.edges.rows;
        let weight = edge.weight.map(value::number_text).unwrap_or_default();
        for cell in [&edge.source, &edge.target, &edge.r#type, &weight, &edge.key] {
            push_cell(rows, cell);
        }
        push_properties(rows, &schema.edges, edge.properties.as_deref());
        Ok(())
    }

    fn finish(&mut self, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.nodes.write("nodes", out);
        self.edges.write("edges", out);
        out.end_archive();
        Ok(())
    }
}

impl CsvWriter {
    fn begin_nodes(&mut self, schema: &Schema) {
        self.nodes.begin(&["key", "type", "display_name", "labels"], &schema.nodes);
    }

    fn begin_edges(&mut self, schema: &Schema) {
        self.edges.begin(&["source", "target", "type", "weight", "key"], &schema.edges);
    }
}

impl Part {
    fn begin(&mut self, names: &[&str], columns: &Columns) {
        for name in names {
            push_cell(&mut self.rows, name);
        }
        for column in &columns.list {
            let typed = column.kind == ColumnKind::Text && column.ambiguous;
            let name = if typed { format!("{}:string", column.name) } else { column.name.clone() };
            push_cell(&mut self.rows, &name);
        }
        push_last_cell(&mut self.rows, REST);
    }

    fn write(&mut self, name: &str, out: &mut Chunks) {
        self.written += 1;
        let number = if self.written > 1 { format!("-{}", self.written) } else { String::new() };
        out.write_file(&format!("{name}{number}.csv"), self.rows.as_bytes());
        self.rows.clear();
    }
}

fn push_properties(rows: &mut String, columns: &Columns, properties: Option<&Struct>) {
    let (cells, rest) = columns.split(properties, fits);
    for cell in cells {
        push_cell(rows, &cell.map(cell_text).unwrap_or_default());
    }
    push_last_cell(rows, rest.as_deref().unwrap_or_default());
}

/// Whether a text comes back as it is: an empty cell is none, and one that looks like a number
/// would become one.
fn fits(column: &Column, text: &str) -> bool {
    !text.is_empty() && (column.ambiguous || value::infer(text) == value::string(text))
}

fn push_cell(rows: &mut String, cell: &str) {
    push_quoted(rows, cell);
    rows.push(',');
}

fn push_last_cell(rows: &mut String, cell: &str) {
    push_quoted(rows, cell);
    rows.push_str("\r\n");
}

/// Quotes a cell where RFC 4180 asks for it, and where its ends are white space that others trim.
fn push_quoted(rows: &mut String, cell: &str) {
    if cell.contains(['"', ',', '\n', '\r']) || cell.trim() != cell {
        rows.push('"');
        rows.push_str(&cell.replace('"', "\"\""));
        rows.push('"');
    } else {
        rows.push_str(cell);
    }
}
