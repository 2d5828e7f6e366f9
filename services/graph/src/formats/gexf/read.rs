//! Reads GEXF.

use weft_proto::weft::graph::v1::{Edge, Node};

use super::super::format_reader::FormatReader;
use super::super::out::Out;
use super::super::xml::attributes::{Attribute, Declared, Kind};
use super::super::xml::{Attributes, Handler, XmlParser};
use super::super::{FormatError, value};

/// Reads the GEXF files of one import, one after another.
#[derive(Default)]
pub(in super::super) struct GexfReader {
    parser: XmlParser,
    document: Document,
}

impl FormatReader for GexfReader {
    fn begin(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        *self = Self::default();
        Ok(())
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.parser.push(text, &mut self.document, out)
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.parser.finish(&mut self.document, out)?;
        let Document { drawn, timed, .. } = self.document;
        if drawn > 0 {
            out.warn(0, format!("{drawn} elements of drawing (viz) are ignored"));
        }
        if timed > 0 {
            out.warn(0, format!("{timed} elements of time (spells, dynamic values) are ignored"));
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        Ok(())
    }
}

/// What is known of a document so far.
#[derive(Default)]
struct Document {
    nodes: Declared,
    edges: Declared,
    /// Whether the attributes that are being declared are of edges.
    of_edges: bool,
    attribute: Option<Attribute>,
    undirected: bool,
    open_nodes: Vec<(Node, Vec<String>)>,
    open_edge: Option<(Edge, Vec<String>)>,
    root_seen: bool,
    warned_nested: bool,
    warned_undirected: bool,
    drawn: u64,
    timed: u64,
}

impl Handler for Document {
    fn start(
        &mut self,
        name: &str,
        mut attributes: Attributes,
        line: u64,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        if !std::mem::replace(&mut self.root_seen, true) && name != "gexf" {
            return Err(out.syntax(line, format!("the document is <{name}>, not <gexf>")));
        }
        match name {
            "graph" => self.undirected = attributes.take("defaultedgetype").as_deref() == Some("undirected"),
            "attributes" => self.of_edges = attributes.take("class").as_deref() == Some("edge"),
            "attribute" => self.attribute = Some(declaration(&mut attributes)),
            "node" => self.node(&mut attributes, line, out)?,
            "edge" => self.edge(&mut attributes, line, out)?,
            "attvalue" => self.value(&mut attributes, line, out)?,
            "color" | "position" | "size" | "shape" | "thickness" => self.drawn += 1,
            "spell" | "slice" => self.timed += 1,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, text: &str, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        match name {
            "default" => {
                if let Some(attribute) = &mut self.attribute {
                    attribute.default = Some(text.to_owned());
                }
            }
            "attribute" => {
                if let Some(attribute) = self.attribute.take() {
                    let declared = if self.of_edges { &mut self.edges } else { &mut self.nodes };
                    declared.declare(attribute, line, out)?;
                }
            }
            "node" => {
                if let Some((mut node, said)) = self.open_nodes.pop() {
                    self.nodes.complete_node(&mut node, &said, line, out)?;
                    out.node(node, line)?;
                }
            }
            "edge" => {
                if let Some((mut edge, said)) = self.open_edge.take() {
                    self.edges.complete_edge(&mut edge, &said, line, out)?;
                    out.edge(edge, line)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Document {
    fn node(&mut self, attributes: &mut Attributes, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        let key = attributes.take("id").ok_or_else(|| out.syntax(line, "a node has no id"))?;
        let nested = !self.open_nodes.is_empty() || attributes.take("pid").is_some();
        if nested && !std::mem::replace(&mut self.warned_nested, true) {
            out.warn(line, "hierarchies of nodes are flattened");
        }
        let display_name = attributes.take("label").filter(|label| *label != key).unwrap_or_default();
        self.open_nodes.push((Node { key, display_name, ..Node::default() }, Vec::new()));
        Ok(())
    }

    fn edge(&mut self, attributes: &mut Attributes, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        let mut edge = Edge {
            key: attributes.take("id").unwrap_or_default(),
            r#type: attributes.take("kind").unwrap_or_default(),
            ..Edge::default()
        };
        for (end, name) in [(&mut edge.source, "source"), (&mut edge.target, "target")] {
            *end = attributes.take(name).ok_or_else(|| out.syntax(line, format!("an edge has no {name}")))?;
        }
        if let Some(weight) = attributes.take("weight") {
            let parsed = weight.trim().parse();
            edge.weight =
                Some(parsed.map_err(|_| out.syntax(line, format!("weight {weight:?} is not a number")))?);
        }
        if let Some(label) = attributes.take("label").filter(|label| !label.is_empty()) {
            let properties = edge.properties.get_or_insert_default();
            properties.fields.insert("label".to_owned(), value::string(label));
        }
        let undirected = match attributes.take("type").as_deref() {
            Some("directed") => false,
            Some(_) => true,
            None => self.undirected,
        };
        if undirected && !std::mem::replace(&mut self.warned_undirected, true) {
            out.warn(line, "undirected edges are kept as edges from source to target");
        }
        self.open_edge = Some((edge, Vec::new()));
        Ok(())
    }

    fn value(
        &mut self,
        attributes: &mut Attributes,
        line: u64,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        let id = attributes.take("for").or_else(|| attributes.take("id"));
        let id = id.ok_or_else(|| out.syntax(line, "a value does not say what it is for"))?;
        let text = attributes.take("value").unwrap_or_default();
        self.timed += u64::from(attributes.take("start").or_else(|| attributes.take("end")).is_some());
        if let Some((edge, said)) = &mut self.open_edge {
            self.edges.set_on_edge(edge, &id, &text, line, out)?;
            if self.edges.has_default(&id) && !said.contains(&id) {
                said.push(id);
            }
        } else if let Some((node, said)) = self.open_nodes.last_mut() {
            let label = std::mem::take(&mut node.display_name);
            self.nodes.set_on_node(node, &id, &text, line, out)?;
            // The label of the node itself is a better name than an attribute.
            if !label.is_empty() {
                node.display_name = label;
            }
            if self.nodes.has_default(&id) && !said.contains(&id) {
                said.push(id);
            }
        }
        Ok(())
    }
}

fn declaration(attributes: &mut Attributes) -> Attribute {
    let id = attributes.take("id").unwrap_or_default();
    let name = attributes.take("title").unwrap_or_else(|| id.clone());
    let kind = Kind::named(&attributes.take("type").unwrap_or_default());
    Attribute { id, name, kind, default: None }
}
