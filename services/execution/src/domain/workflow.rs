//! A workflow as it is kept: the nodes and edges of its graph, and of the graphs that it runs as sub-graphs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Where a value leaves a node, unless an edge says otherwise.
pub(crate) const OUT: &str = "out";
/// Where a value enters a node, unless an edge says otherwise.
pub(crate) const IN: &str = "in";
/// Where a failure leaves a node.
pub(crate) const ERROR: &str = "error";
/// What leaves a `try` whatever happened in it.
pub(crate) const FINALLY: &str = "finally";
/// The property of a node that says whose body it is in.
const PARENT: &str = "parent";
/// The property of an edge that says at which port it enters.
const TO: &str = "to";

/// A workflow with everything that it needs to be run: it does not change while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The workflow, and then its sub-graphs, each once.
    pub(crate) graphs: Vec<Graph>,
}

/// One graph at one revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Graph {
    /// Resource name.
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) revision: i64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) key: String,
    /// The node's type.
    pub(crate) kind: String,
    /// Key of the node whose body it is in; empty: of none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) parent: String,
    /// Its other properties.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) settings: Map<String, Json>,
}

/// An edge between nodes, by their places in the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Edge {
    pub(crate) source: u32,
    pub(crate) target: u32,
    /// Where it leaves its source: the edge's type.
    pub(crate) port: String,
    /// Where it enters its target.
    pub(crate) to: String,
}

impl Node {
    /// Of a graph's node.
    pub(crate) fn new(key: String, kind: String, properties: Json) -> Self {
        let mut settings = match properties {
            Json::Object(settings) => settings,
            _ => Map::new(),
        };
        let parent = match settings.remove(PARENT) {
            Some(Json::String(parent)) => parent,
            _ => String::new(),
        };
        Self { key, kind, parent, settings }
    }
}

impl Edge {
    /// Of a graph's edge.
    pub(crate) fn new(source: u32, target: u32, kind: &str, properties: &Json) -> Self {
        let to = properties.get(TO).and_then(Json::as_str).unwrap_or(IN);
        let port = if kind.is_empty() { OUT } else { kind };
        Self { source, target, port: port.to_owned(), to: to.to_owned() }
    }
}
