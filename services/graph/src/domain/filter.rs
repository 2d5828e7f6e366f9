//! What can nodes, edges and graphs be filtered by?

use weft_proto::weft::graph::v1::{Graph, GraphKind};

pub use weft_kit::filter::{Filter, FilterError, Found, Kind, Record, Schema, wildcard};

use crate::domain::{
    memory::{EdgeParts, Memory, NodeRef},
    properties::{Properties, Property},
};

/// Fields of a node.
pub static NODE: Schema = Schema {
    fields: &[
        ("key", Kind::Text),
        ("type", Kind::Text),
        ("display_name", Kind::Text),
        ("labels", Kind::Texts),
        ("origin", Kind::Text),
        ("properties", Kind::Object),
        ("degree", Kind::Number),
        ("in_degree", Kind::Number),
        ("out_degree", Kind::Number),
    ],
};

/// Fields of an edge.
pub static EDGE: Schema = Schema {
    fields: &[
        ("key", Kind::Text),
        ("source", Kind::Text),
        ("target", Kind::Text),
        ("type", Kind::Text),
        ("weight", Kind::Number),
        ("origin", Kind::Text),
        ("properties", Kind::Object),
    ],
};

/// Fields of a graph.
pub static GRAPH: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("display_name", Kind::Text),
        ("kind", Kind::Name),
        ("labels", Kind::Map),
        ("node_count", Kind::Number),
        ("edge_count", Kind::Number),
        ("create_time", Kind::Time),
        ("update_time", Kind::Time),
    ],
};

/// A node, and the memory that knows its edges.
#[derive(Clone, Copy)]
pub struct NodeRecord<'a> {
    /// The node.
    pub node: NodeRef<'a>,
    /// Its graph.
    pub memory: &'a Memory,
}

impl Record for NodeRecord<'_> {
    fn visit(&self, field: usize, path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let ordinal = self.node.ordinal();
        match NODE.fields[field].0 {
            "key" => test(Found::Text(self.node.key())),
            "type" => test(Found::Text(self.node.type_name())),
            "display_name" => test(Found::Text(self.node.display_name())),
            "labels" => visit_all(self.node.labels(), test),
            "origin" => test(Found::Text(self.node.origin())),
            "properties" => visit_property(self.node.properties(), path, test),
            "degree" => test(Found::Number(self.memory.degree(ordinal) as f64)),
            "in_degree" => test(Found::Number(self.memory.incoming(ordinal).len() as f64)),
            _ => test(Found::Number(self.memory.outgoing(ordinal).len() as f64)),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(self.node.key()) || test(self.node.display_name())
    }
}

/// An edge, and the memory that knows its ends.
#[derive(Clone, Copy)]
pub struct EdgeRecord<'a> {
    /// The edge.
    pub edge: EdgeParts<'a>,
    /// Its graph.
    pub memory: &'a Memory,
}

impl Record for EdgeRecord<'_> {
    fn visit(&self, field: usize, path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let table = self.memory.table();
        match EDGE.fields[field].0 {
            "key" => test(Found::Text(self.edge.key)),
            "source" => test(Found::Text(table.key(self.edge.source))),
            "target" => test(Found::Text(table.key(self.edge.target))),
            "type" => test(Found::Text(table.edge_types().name(self.edge.type_id))),
            "weight" => test(Found::Number(self.edge.weight)),
            "origin" => test(Found::Text(table.origins().name(self.edge.origin_id))),
            _ => visit_property(self.edge.properties, path, test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let table = self.memory.table();
        test(self.edge.key) || test(table.key(self.edge.source)) || test(table.key(self.edge.target))
    }
}

/// A graph's own fields.
#[derive(Clone, Copy)]
pub struct GraphRecord<'a>(pub &'a Graph);

impl Record for GraphRecord<'_> {
    fn visit(&self, field: usize, path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let graph = self.0;
        let mut time = |time: Option<prost_types::Timestamp>| {
            time.is_some_and(|time| {
                test(Found::Number(time.seconds as f64 * 1e6 + f64::from(time.nanos / 1000)))
            })
        };
        match GRAPH.fields[field].0 {
            "create_time" => time(graph.create_time),
            "update_time" => time(graph.update_time),
            "name" => test(Found::Text(&graph.name)),
            "display_name" => test(Found::Text(&graph.display_name)),
            "kind" => test(Found::Text(match graph.kind() {
                GraphKind::Workflow => "workflow",
                GraphKind::Knowledge | GraphKind::Unspecified => "knowledge",
            })),
            "labels" => path
                .first()
                .and_then(|key| graph.labels.get(key))
                .is_some_and(|label| test(Found::Text(label))),
            "node_count" => test(Found::Number(graph.node_count as f64)),
            _ => test(Found::Number(graph.edge_count as f64)),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.name) || test(&self.0.display_name)
    }
}

fn visit_all<'a>(mut texts: impl Iterator<Item = &'a str>, test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
    texts.any(|text| test(Found::Element(text)))
}

fn visit_property(encoded: &[u8], path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
    match Properties(encoded).at(path) {
        None => false,
        Some(Property::List(list)) => {
            test(Found::There) || list.iter().any(|element| visit_value(element, true, test))
        }
        Some(Property::Object(object)) => {
            test(Found::There) || object.iter().any(|(name, _)| test(Found::Member(name)))
        }
        Some(value) => visit_value(value, false, test),
    }
}

/// Shows a value alone; lists and objects inside of lists are not looked into.
fn visit_value(value: Property<'_>, in_list: bool, test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
    match value {
        Property::Text(text) if in_list => test(Found::Element(text)),
        Property::Text(text) => test(Found::Text(text)),
        Property::Number(number) => test(Found::Number(number)),
        Property::Bool(truth) => test(Found::Bool(truth)),
        Property::Null => test(Found::Null),
        Property::List(_) | Property::Object(_) => false,
    }
}
