//! Writes JSON Graph Format, version 2.

use prost_types::Struct;
use serde_json::{Map, Value as Json, json};
use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::FormatError;
use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::Schema;
use super::super::value;

/// Members of `metadata` that are not properties.
const TAKEN: [&str; 4] = ["type", "labels", "weight", "properties"];

/// Writes one document.
#[derive(Default)]
pub(in super::super) struct JsonGraphWriter {
    in_edges: bool,
    /// Whether a comma is needed.
    more: bool,
}

impl FormatWriter for JsonGraphWriter {
    fn begin(&mut self, graph: &Graph, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let mut about = Map::new();
        about.insert("id".to_owned(), json!(graph.name));
        if !graph.display_name.is_empty() {
            about.insert("label".to_owned(), json!(graph.display_name));
        }
        about.insert("directed".to_owned(), json!(true));
        if !graph.description.is_empty() {
            about.insert("metadata".to_owned(), json!({"description": graph.description}));
        }
        let about = Json::Object(about).to_string();
        out.write(b"{\"graph\":");
        out.write(&about.as_bytes()[..about.len() - 1]);
        out.write(b",\"nodes\":{");
        Ok(())
    }

    fn node(&mut self, node: &Node, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let mut metadata = metadata(node.properties.as_deref());
        if !node.r#type.is_empty() {
            metadata.insert("type".to_owned(), json!(node.r#type));
        }
        if !node.labels.is_empty() {
            metadata.insert("labels".to_owned(), json!(node.labels));
        }
        let mut members = Map::new();
        if !node.display_name.is_empty() {
            members.insert("label".to_owned(), json!(node.display_name));
        }
        self.separate(out);
        out.write(Json::from(node.key.as_str()).to_string().as_bytes());
        out.write(b":");
        write_with_metadata(members, metadata, out);
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.end_nodes(out);
        let mut metadata = metadata(edge.properties.as_deref());
        if let Some(weight) = edge.weight {
            metadata.insert("weight".to_owned(), value::number_json(weight));
        }
        let mut members = Map::new();
        if !edge.key.is_empty() {
            members.insert("id".to_owned(), json!(edge.key));
        }
        members.insert("source".to_owned(), json!(edge.source));
        members.insert("target".to_owned(), json!(edge.target));
        if !edge.r#type.is_empty() {
            members.insert("relation".to_owned(), json!(edge.r#type));
        }
        self.separate(out);
        write_with_metadata(members, metadata, out);
        Ok(())
    }

    fn finish(&mut self, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        self.end_nodes(out);
        out.write(b"\n]}}\n");
        Ok(())
    }
}

impl JsonGraphWriter {
    fn end_nodes(&mut self, out: &mut Chunks) {
        if !std::mem::replace(&mut self.in_edges, true) {
            out.write(b"\n},\"edges\":[");
            self.more = false;
        }
    }

    fn separate(&mut self, out: &mut Chunks) {
        out.write(if std::mem::replace(&mut self.more, true) { b",\n" } else { b"\n" });
    }
}

fn write_with_metadata(mut members: Map<String, Json>, metadata: Map<String, Json>, out: &mut Chunks) {
    if !metadata.is_empty() {
        members.insert("metadata".to_owned(), Json::Object(metadata));
    }
    out.write(Json::Object(members).to_string().as_bytes());
}

/// The properties, those with a name that is taken one level deeper.
fn metadata(properties: Option<&Struct>) -> Map<String, Json> {
    let (mut flat, mut nested) = (Map::new(), Map::new());
    for (name, value) in properties.iter().flat_map(|properties| &properties.fields) {
        let members = if TAKEN.contains(&name.as_str()) { &mut nested } else { &mut flat };
        members.insert(name.clone(), value::to_json(value));
    }
    if !nested.is_empty() {
        flat.insert("properties".to_owned(), Json::Object(nested));
    }
    flat
}
