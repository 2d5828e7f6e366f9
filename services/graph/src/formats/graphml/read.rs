//! Reads GraphML.

use weft_proto::weft::graph::v1::{Edge, Node};

use super::super::FormatError;
use super::super::format_reader::FormatReader;
use super::super::out::Out;
use super::super::xml::attributes::{Attribute, Declared, Kind};
use super::super::xml::{Attributes, Handler, XmlParser};

/// Reads the GraphML files of one import, one after another.
#[derive(Default)]
pub(in super::super) struct GraphmlReader {
    parser: XmlParser,
    document: Document,
}

impl FormatReader for GraphmlReader {
    fn begin(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        *self = Self::default();
        Ok(())
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.parser.push(text, &mut self.document, out)
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        self.parser.finish(&mut self.document, out)
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
    /// The key that is being declared, and what it is for.
    key: Option<(Attribute, For)>,
    /// Whether edges of each open graph are undirected unless they say otherwise.
    graphs: Vec<bool>,
    /// The open nodes, outermost first, each with the keys with defaults that it has a value of.
    open_nodes: Vec<(Node, Vec<String>)>,
    open_edge: Option<(Edge, Vec<String>)>,
    /// The key whose value is being read.
    data: Option<String>,
    root_seen: bool,
    warned_nested: bool,
    warned_undirected: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Node,
    Edge,
    All,
    Other,
}

impl Handler for Document {
    fn start(
        &mut self,
        name: &str,
        mut attributes: Attributes,
        line: u64,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        if !std::mem::replace(&mut self.root_seen, true) && name != "graphml" {
            return Err(out.syntax(line, format!("the document is <{name}>, not <graphml>")));
        }
        match name {
            "key" => self.key = Some(declaration(&mut attributes)),
            "graph" => {
                if !self.graphs.is_empty() && !std::mem::replace(&mut self.warned_nested, true) {
                    out.warn(line, "nested graphs are flattened");
                }
                self.graphs.push(attributes.take("edgedefault").as_deref() == Some("undirected"));
            }
            "node" => {
                let key = attributes.take("id").ok_or_else(|| out.syntax(line, "a node has no id"))?;
                self.open_nodes.push((Node { key, ..Node::default() }, Vec::new()));
            }
            "edge" => self.edge(attributes, line, out)?,
            "hyperedge" => out.warn(line, "a hyperedge is left out: an edge joins two nodes here"),
            "data" => self.data = attributes.take("key"),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, text: &str, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        match name {
            "default" => {
                if let Some((attribute, _)) = &mut self.key {
                    attribute.default = Some(text.to_owned());
                }
            }
            "key" => self.declare(line, out)?,
            "data" => self.data_ended(text, line, out)?,
            "NodeLabel" => {
                if let Some((node, _)) = self.open_nodes.last_mut()
                    && node.display_name.is_empty()
                {
                    text.trim().clone_into(&mut node.display_name);
                }
            }
            "edge" => {
                if let Some((mut edge, said)) = self.open_edge.take() {
                    self.edges.complete_edge(&mut edge, &said, line, out)?;
                    out.edge(edge, line)?;
                }
            }
            "node" => {
                if let Some((mut node, said)) = self.open_nodes.pop() {
                    self.nodes.complete_node(&mut node, &said, line, out)?;
                    out.node(node, line)?;
                }
            }
            "graph" => {
                self.graphs.pop();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Document {
    fn edge(&mut self, mut attributes: Attributes, line: u64, out: &mut Out<'_>) -> Result<(), FormatError> {
        let mut end = |name: &str| {
            attributes.take(name).ok_or_else(|| out.syntax(line, format!("an edge has no {name}")))
        };
        let (source, target) = (end("source")?, end("target")?);
        let key = attributes.take("id").unwrap_or_default();
        let undirected = match attributes.take("directed").as_deref() {
            Some("true" | "1") => false,
            Some("false" | "0") => true,
            _ => self.graphs.last() == Some(&true),
        };
        if undirected && !std::mem::replace(&mut self.warned_undirected, true) {
            out.warn(line, "undirected edges are kept as edges from source to target");
        }
        self.open_edge = Some((Edge { key, source, target, ..Edge::default() }, Vec::new()));
        Ok(())
    }

    fn declare(&mut self, line: u64, out: &Out<'_>) -> Result<(), FormatError> {
        let Some((attribute, domain)) = self.key.take() else { return Ok(()) };
        if matches!(domain, For::Node | For::All) {
            let copy = Attribute {
                id: attribute.id.clone(),
                name: attribute.name.clone(),
                kind: attribute.kind,
                default: attribute.default.clone(),
            };
            self.nodes.declare(copy, line, out)?;
        }
        if matches!(domain, For::Edge | For::All) {
            self.edges.declare(attribute, line, out)?;
        }
        Ok(())
    }

    fn data_ended(&mut self, text: &str, line: u64, out: &Out<'_>) -> Result<(), FormatError> {
        let Some(key) = self.data.take() else { return Ok(()) };
        if let Some((edge, said)) = &mut self.open_edge {
            self.edges.set_on_edge(edge, &key, text, line, out)?;
            if self.edges.has_default(&key) && !said.contains(&key) {
                said.push(key);
            }
        } else if let Some((node, said)) = self.open_nodes.last_mut()
            // Between a node and its nested graph's nodes, data belongs to the graph.
            && !self.graphs.is_empty()
        {
            self.nodes.set_on_node(node, &key, text, line, out)?;
            if self.nodes.has_default(&key) && !said.contains(&key) {
                said.push(key);
            }
        }
        Ok(())
    }
}

fn declaration(attributes: &mut Attributes) -> (Attribute, For) {
    let id = attributes.take("id").unwrap_or_default();
    let name = attributes.take("attr.name").unwrap_or_else(|| id.clone());
    let kind = Kind::named(&attributes.take("attr.type").unwrap_or_default());
    let domain = match attributes.take("for").as_deref() {
        Some("node") => For::Node,
        Some("edge") => For::Edge,
        None | Some("all") => For::All,
        Some(_) => For::Other,
    };
    (Attribute { id, name, kind, default: None }, domain)
}
