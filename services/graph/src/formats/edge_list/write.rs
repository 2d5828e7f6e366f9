//! Writes edge lists.

use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::FormatError;
use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::Schema;
use super::super::value;
use super::{HEADER, NODE};

/// Writes one edge list.
#[derive(Default)]
pub(in super::super) struct EdgeListWriter {
    line: String,
}

impl FormatWriter for EdgeListWriter {
    fn begin(&mut self, _: &Graph, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        out.write(HEADER.as_bytes());
        out.write(b"\n");
        Ok(())
    }

    fn node(&mut self, node: &Node, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.line.clear();
        self.line.push_str(NODE);
        escape(&node.key, &mut self.line);
        if !node.r#type.is_empty() || !node.display_name.is_empty() {
            self.line.push('\t');
            escape(&node.r#type, &mut self.line);
        }
        if !node.display_name.is_empty() {
            self.line.push('\t');
            escape(&node.display_name, &mut self.line);
        }
        self.line.push('\n');
        out.write(self.line.as_bytes());
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.line.clear();
        escape(&edge.source, &mut self.line);
        self.line.push('\t');
        escape(&edge.target, &mut self.line);
        if edge.weight.is_some() || !edge.r#type.is_empty() {
            self.line.push('\t');
            // Other programs read a number here, so that it is not left empty; 1 is what none means.
            self.line.push_str(&value::number_text(edge.weight.unwrap_or(1.0)));
        }
        if !edge.r#type.is_empty() {
            self.line.push('\t');
            escape(&edge.r#type, &mut self.line);
        }
        self.line.push('\n');
        out.write(self.line.as_bytes());
        Ok(())
    }

    fn finish(&mut self, _: &Schema, _: &mut Chunks) -> Result<(), FormatError> {
        Ok(())
    }
}

fn escape(text: &str, line: &mut String) {
    if text.starts_with(['#', '%']) {
        line.push('\\');
    }
    if !text.contains(['\t', '\n', '\r', '\\']) {
        line.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\\' => line.push_str("\\\\"),
            other => line.push(other),
        }
    }
}
