//! Writes GEXF 1.3.

use prost_types::Struct;
use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::{ColumnKind, Columns, REST, Schema, cell_text};
use super::super::xml::escape;
use super::super::{FormatError, csv, value};

/// Writes one document.
#[derive(Default)]
pub(in super::super) struct GexfWriter {
    line: String,
    in_edges: bool,
}

impl FormatWriter for GexfWriter {
    fn begin(&mut self, graph: &Graph, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let line = &mut self.line;
        line.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        line.push_str("<gexf xmlns=\"http://gexf.net/1.3\" version=\"1.3\">\n");
        if !graph.display_name.is_empty() {
            line.push_str("<meta><description>");
            escape::push(line, &graph.display_name);
            line.push_str("</description></meta>\n");
        }
        line.push_str("<graph mode=\"static\" defaultedgetype=\"directed\">\n");
        declare(line, "node", &["type", "labels"], &schema.nodes);
        declare(line, "edge", &["type"], &schema.edges);
        line.push_str("<nodes>\n");
        self.flush(out);
        Ok(())
    }

    fn node(&mut self, node: &Node, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let line = &mut self.line;
        line.push_str("<node");
        escape::push_attribute(line, "id", &node.key);
        let name = if node.display_name.is_empty() { &node.key } else { &node.display_name };
        escape::push_attribute(line, "label", name);
        let mut values = String::new();
        push_text(&mut values, "type", &node.r#type);
        push_text(&mut values, "labels", &csv::join(&node.labels));
        push_properties(&mut values, &schema.nodes, node.properties.as_deref());
        close(line, &values, "node");
        self.flush(out);
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, schema: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.end_nodes();
        let line = &mut self.line;
        line.push_str("<edge");
        if !edge.key.is_empty() {
            escape::push_attribute(line, "id", &edge.key);
        }
        escape::push_attribute(line, "source", &edge.source);
        escape::push_attribute(line, "target", &edge.target);
        if let Some(weight) = edge.weight {
            escape::push_attribute(line, "weight", &value::number_text(weight));
        }
        let mut values = String::new();
        push_text(&mut values, "type", &edge.r#type);
        push_properties(&mut values, &schema.edges, edge.properties.as_deref());
        close(line, &values, "edge");
        self.flush(out);
        Ok(())
    }

    fn finish(&mut self, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.end_nodes();
        self.line.push_str("</edges>\n</graph>\n</gexf>\n");
        self.flush(out);
        Ok(())
    }
}

impl GexfWriter {
    fn end_nodes(&mut self) {
        if !std::mem::replace(&mut self.in_edges, true) {
            self.line.push_str("</nodes>\n<edges>\n");
        }
    }

    fn flush(&mut self, out: &mut Chunks) {
        out.write(self.line.as_bytes());
        self.line.clear();
    }
}

fn declare(line: &mut String, class: &str, names: &[&str], columns: &Columns) {
    line.push_str("<attributes");
    escape::push_attribute(line, "class", class);
    line.push_str(">\n");
    for name in names.iter().chain([&REST]) {
        push_declaration(line, name, name, "string");
    }
    for (at, column) in columns.list.iter().enumerate() {
        let kind = match column.kind {
            ColumnKind::Text => "string",
            ColumnKind::Number => "double",
            ColumnKind::Truth => "boolean",
        };
        push_declaration(line, &at.to_string(), &column.name, kind);
    }
    line.push_str("</attributes>\n");
}

fn push_declaration(line: &mut String, id: &str, title: &str, kind: &str) {
    line.push_str("<attribute");
    for (attribute, value) in [("id", id), ("title", title), ("type", kind)] {
        escape::push_attribute(line, attribute, value);
    }
    line.push_str("/>\n");
}

fn push_properties(values: &mut String, columns: &Columns, properties: Option<&Struct>) {
    let (cells, rest) = columns.split(properties, |_, text| escape::fits(text));
    for (at, cell) in cells.into_iter().enumerate() {
        if let Some(cell) = cell {
            push_value(values, &at.to_string(), &cell_text(cell));
        }
    }
    if let Some(rest) = rest {
        push_value(values, REST, &escape::json(rest));
    }
}

fn push_text(values: &mut String, id: &str, text: &str) {
    if !text.is_empty() {
        push_value(values, id, text);
    }
}

fn push_value(values: &mut String, id: &str, text: &str) {
    values.push_str("<attvalue");
    escape::push_attribute(values, "for", id);
    escape::push_attribute(values, "value", text);
    values.push_str("/>");
}

fn close(line: &mut String, values: &str, name: &str) {
    if values.is_empty() {
        line.push_str("/>\n");
        return;
    }
    line.push_str("><attvalues>");
    line.push_str(values);
    line.push_str("</attvalues></");
    line.push_str(name);
    line.push_str(">\n");
}
