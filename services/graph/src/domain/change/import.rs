//! What does an import do to a graph? It is planned as one revision, with all its deletes first.

use std::collections::HashSet;

use weft_proto::weft::graph::v1::{Change, Edge, EdgeReference, Node, change};

use super::{
    Plan, PlanError,
    draft::Draft,
    plan::finish,
    text::{check_edge, check_node},
};
use crate::domain::{limits::GraphLimits, memory::Memory};

/// What was read from the files.
#[derive(Debug, Default)]
pub struct Import {
    /// Nodes; of several with the same key the last one counts.
    pub nodes: Vec<Node>,
    /// Nodes to be made if they are neither in the graph nor in the import.
    pub placeholders: Vec<Node>,
    /// Edges; of several of the same identity the last one counts.
    pub edges: Vec<Edge>,
    /// What becomes of the rest of the graph.
    pub scope: Scope,
    /// Type of the ends of edges that are nowhere declared.
    pub default_node_type: String,
}

impl Import {
    /// How much work it is to plan it, in changes.
    pub fn size(&self) -> usize {
        // Everything must be looked at to find what is to be deleted.
        let whole = if self.scope == Scope::Merge { 0 } else { 1 << 20 };
        self.nodes.len() + self.edges.len() + whole
    }
}

/// What of a graph an import stands for: what is in that scope and not in the import is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Only what it brings.
    #[default]
    Merge,
    /// The whole graph.
    Replace,
    /// What the source with this id has brought. Elements that are there just so are left alone.
    Refresh(String),
}

/// Plans an import on a graph that takes `graph_bytes` of memory.
///
/// # Errors
/// The first element that cannot be taken, or a limit that the import would pass.
pub fn plan_import(
    memory: &Memory,
    import: Import,
    limits: &GraphLimits,
    graph_bytes: u64,
) -> Result<Plan, PlanError> {
    let mut draft = match &import.scope {
        Scope::Refresh(source) => Draft::of_source(memory, source.clone()),
        Scope::Merge | Scope::Replace => Draft::new(memory, import.nodes.len() + import.edges.len()),
    };
    delete_the_rest(&mut draft, &import);
    let replaces = import.scope == Scope::Replace;
    let mut implied = Implied::new(&import);
    for mut node in import.nodes {
        check_node(&node, limits, &|field| element("node", &node.key, field))?;
        node.properties = node.properties.filter(|properties| !properties.fields.is_empty());
        draft.put_node(node);
    }
    for mut node in import.placeholders {
        if implied.ordinal(&draft, &node.key).is_none() {
            check_node(&node, limits, &|field| element("node", &node.key, field))?;
            node.properties = node.properties.filter(|properties| !properties.fields.is_empty());
            draft.put_node(node);
        }
    }
    for mut edge in import.edges {
        check_edge(&edge, limits, &|field| {
            element("edge", &format!("{} -> {}", edge.source, edge.target), field)
        })?;
        edge.properties = edge.properties.filter(|properties| !properties.fields.is_empty());
        edge.weight = edge.weight.filter(|weight| weight.to_bits() != 1.0_f64.to_bits());
        let mut end = |key: &str| -> Result<u32, PlanError> {
            if let Some(ordinal) = implied.ordinal(&draft, key) {
                return Ok(ordinal);
            }
            let node =
                Node { key: key.to_owned(), r#type: import.default_node_type.clone(), ..Node::default() };
            check_node(&node, limits, &|field| element("node", key, field))?;
            Ok(draft.put_node(node))
        };
        let ends = (end(&edge.source)?, end(&edge.target)?);
        draft.put_edge(edge, ends);
    }
    // Over the limits the files may bring more than one graph can hold; only the sum is known.
    finish(draft, limits, if replaces { 0 } else { graph_bytes })
}

/// Which nodes need not be written although the import names them without telling anything of them.
struct Implied {
    /// In a refresh: the source, the keys of the nodes that it tells of, and those that were asked for.
    refresh: Option<(String, HashSet<String>)>,
}

impl Implied {
    fn new(import: &Import) -> Self {
        let refresh = match &import.scope {
            Scope::Refresh(source) => {
                Some((source.clone(), import.nodes.iter().map(|node| node.key.clone()).collect()))
            }
            Scope::Merge | Scope::Replace => None,
        };
        Self { refresh }
    }

    /// The ordinal of the node, if it is there and stays as it is. What a source told of a node before
    /// and does not tell any more is not true any more: the node is then to be written anew.
    fn ordinal(&mut self, draft: &Draft<'_>, key: &str) -> Option<u32> {
        let ordinal = draft.find_node(key)?;
        let Some((source, settled)) = &mut self.refresh else { return Some(ordinal) };
        if settled.contains(key) {
            return Some(ordinal);
        }
        settled.insert(key.to_owned());
        let known = draft.memory.table().node(ordinal);
        known.is_none_or(|node| node.origin() != *source).then_some(ordinal)
    }
}

fn element(kind: &str, name: &str, field: &str) -> String {
    let name: String = name.chars().take(80).collect();
    format!("{kind} {name:?}.{field}")
}

/// Of what is in the import's scope, deletes the nodes that it does not have, and then, of the edges
/// that are left, those that it does not have.
fn delete_the_rest(draft: &mut Draft<'_>, import: &Import) {
    let memory = draft.memory;
    let table = memory.table();
    let in_scope: Box<dyn Fn(u32) -> bool> = match &import.scope {
        Scope::Merge => return,
        Scope::Replace => Box::new(|_| true),
        Scope::Refresh(source) => {
            // Nothing came from there yet.
            let Some(origin) = table.origins().find(source) else { return };
            Box::new(move |origin_id| origin_id == origin)
        }
    };
    let mut kept: HashSet<&str> =
        import.nodes.iter().chain(&import.placeholders).map(|node| node.key.as_str()).collect();
    for edge in &import.edges {
        kept.insert(&edge.source);
        kept.insert(&edge.target);
    }
    let mut kept_slots = HashSet::new();
    for edge in &import.edges {
        let slot = if edge.key.is_empty() {
            memory
                .find_node(&edge.source)
                .zip(memory.find_node(&edge.target))
                .and_then(|(source, target)| memory.find_edge_by_ends(source, &edge.r#type, target))
        } else {
            memory.find_edge_by_key(&edge.key)
        };
        kept_slots.extend(slot);
    }
    for node in table.nodes().filter(|node| in_scope(node.origin_id()) && !kept.contains(node.key())) {
        draft.delete_node(node.key().to_owned());
    }
    for ordinal in table.ordinals(0) {
        for slot in memory.outgoing(ordinal).iter().filter(|slot| !kept_slots.contains(*slot)) {
            let Some(edge) = table.edge(*slot).filter(|edge| in_scope(edge.origin_id)) else { continue };
            let type_name = table.edge_types().name(edge.type_id);
            let ends = (edge.source, edge.target);
            let Some(found) = draft.find_edge(edge.key, type_name, ends) else { continue };
            let reference = if edge.key.is_empty() {
                EdgeReference {
                    key: String::new(),
                    source: table.key(edge.source).to_owned(),
                    target: table.key(edge.target).to_owned(),
                    r#type: type_name.to_owned(),
                }
            } else {
                EdgeReference { key: edge.key.to_owned(), ..EdgeReference::default() }
            };
            let change = Change { change: Some(change::Change::DeleteEdge(reference)) };
            draft.delete_edge(&found, edge.key, type_name, ends, change);
        }
    }
}
