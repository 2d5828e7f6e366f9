//! Writes GraphML.

use prost_types::Struct;
use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::{ColumnKind, Columns, REST, Schema, cell_text};
use super::super::xml::escape;
use super::super::{FormatError, csv, value};

/// Writes one document.
#[derive(Default)]
pub(in super::super) struct GraphmlWriter {
    line: String,
}

impl FormatWriter for GraphmlWriter {
    fn begin(&mut self, graph: &Graph, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let line = &mut self.line;
        line.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        line.push_str("<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
        if !graph.display_name.is_empty() {
            line.push_str("<desc>");
            escape::push(line, &graph.display_name);
            line.push_str("</desc>\n");
        }
        declare(line, "node", &["type", "display_name", "labels"], &schema.nodes);
        declare(line, "edge", &["type"], &schema.edges);
        push_key(line, "edge", "weight", "weight", "double");
        line.push_str("<graph edgedefault=\"directed\">\n");
        self.flush(out);
        Ok(())
    }

    fn node(&mut self, node: &Node, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let line = &mut self.line;
        line.push_str("<node");
        escape::push_attribute(line, "id", &node.key);
        let begin = line.len();
        line.push('>');
        push_data(line, "node_type", &node.r#type);
        push_data(line, "node_display_name", &node.display_name);
        push_data(line, "node_labels", &csv::join(&node.labels));
        push_properties(line, "n", "node_properties", &schema.nodes, node.properties.as_deref());
        close(line, begin, "</node>\n");
        self.flush(out);
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let line = &mut self.line;
        line.push_str("<edge");
        if !edge.key.is_empty() {
            escape::push_attribute(line, "id", &edge.key);
        }
        escape::push_attribute(line, "source", &edge.source);
        escape::push_attribute(line, "target", &edge.target);
        let begin = line.len();
        line.push('>');
        push_data(line, "edge_type", &edge.r#type);
        if let Some(weight) = edge.weight {
            push_data(line, "weight", &value::number_text(weight));
        }
        push_properties(line, "e", "edge_properties", &schema.edges, edge.properties.as_deref());
        close(line, begin, "</edge>\n");
        self.flush(out);
        Ok(())
    }

    fn finish(&mut self, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.line.push_str("</graph>\n</graphml>\n");
        self.flush(out);
        Ok(())
    }
}

impl GraphmlWriter {
    fn flush(&mut self, out: &mut Chunks) {
        out.write(self.line.as_bytes());
        self.line.clear();
    }
}

fn declare(line: &mut String, domain: &str, names: &[&str], columns: &Columns) {
    for name in names.iter().chain([&REST]) {
        push_key(line, domain, &format!("{domain}_{name}"), name, "string");
    }
    for (at, column) in columns.list.iter().enumerate() {
        let kind = match column.kind {
            ColumnKind::Text => "string",
            ColumnKind::Number => "double",
            ColumnKind::Truth => "boolean",
        };
        push_key(line, domain, &format!("{}{at}", &domain[..1]), &column.name, kind);
    }
}

fn push_key(line: &mut String, domain: &str, id: &str, name: &str, kind: &str) {
    line.push_str("<key");
    for (attribute, value) in [("id", id), ("for", domain), ("attr.name", name), ("attr.type", kind)] {
        escape::push_attribute(line, attribute, value);
    }
    line.push_str("/>\n");
}

fn push_properties(
    line: &mut String,
    prefix: &str,
    rest_key: &str,
    columns: &Columns,
    properties: Option<&Struct>,
) {
    let (cells, rest) = columns.split(properties, |_, text| escape::fits(text));
    for (at, cell) in cells.into_iter().enumerate() {
        if let Some(cell) = cell {
            push_whole_data(line, &format!("{prefix}{at}"), &cell_text(cell));
        }
    }
    if let Some(rest) = rest {
        push_whole_data(line, rest_key, &escape::json(rest));
    }
}

fn push_data(line: &mut String, key: &str, text: &str) {
    if !text.is_empty() {
        push_whole_data(line, key, text);
    }
}

fn push_whole_data(line: &mut String, key: &str, text: &str) {
    line.push_str("<data");
    escape::push_attribute(line, "key", key);
    line.push('>');
    escape::push(line, text);
    line.push_str("</data>");
}

/// Closes an element whose content begins at `begin`; without content it is an empty one.
fn close(line: &mut String, begin: usize, end: &str) {
    if line.len() == begin + 1 {
        line.insert(begin, '/');
        line.push('\n');
    } else {
        line.push_str(end);
    }
}
