//! What has become of a graph between two revisions, as far as it is told.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use weft_proto::weft::{
    graph::v1::{ChangeBatch, change::Change},
    trigger::v1::GraphChangeSource,
};

/// Keys of a list, and types, that are told at most.
const TOLD: usize = 100;
/// Changes after which it is enough for one delivery.
const ENOUGH: u64 = 10_000;

/// How many there were, and the first of them.
#[derive(Debug, Default)]
struct Many {
    count: u64,
    first: BTreeSet<String>,
}

impl Many {
    fn add(&mut self, text: &str) {
        self.count += 1;
        if self.first.len() < TOLD && !self.first.contains(text) {
            self.first.insert(text.to_owned());
        }
    }
}

/// Changes of a graph.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The first revision, and the last that is here as a whole.
    pub(crate) first: i64,
    pub(crate) last: i64,
    written: Many,
    deleted: Many,
    edges_written: u64,
    edges_deleted: u64,
    node_types: BTreeSet<String>,
    edge_types: BTreeSet<String>,
    actors: Many,
    matched: bool,
}

impl Changes {
    /// Takes a part of a revision in.
    pub(crate) fn add(&mut self, batch: &ChangeBatch, wanted: &GraphChangeSource) {
        if self.first == 0 {
            self.first = batch.revision;
        }
        if batch.last_part {
            self.last = batch.revision;
        }
        if batch.part == 0 {
            self.actors.add(&batch.actor);
        }
        for change in batch.changes.iter().filter_map(|change| change.change.as_ref()) {
            self.matched |= is_wanted(change, wanted);
            match change {
                Change::UpsertNode(upsert) => {
                    let node = upsert.node.as_ref();
                    self.written.add(node.map_or("", |node| &node.key));
                    note(&mut self.node_types, node.map_or("", |node| &node.r#type));
                }
                Change::DeleteNode(delete) => self.deleted.add(&delete.key),
                Change::UpsertEdge(upsert) => {
                    self.edges_written += 1;
                    note(&mut self.edge_types, upsert.edge.as_ref().map_or("", |edge| &edge.r#type));
                }
                Change::DeleteEdge(edge) => {
                    self.edges_deleted += 1;
                    note(&mut self.edge_types, &edge.r#type);
                }
            }
        }
    }

    /// Whether it is enough for one delivery: the rest is of the next one.
    pub(crate) fn is_enough(&self) -> bool {
        self.written.count + self.deleted.count + self.edges_written + self.edges_deleted >= ENOUGH
    }

    /// Whether somebody wants to know of it.
    pub(crate) fn is_wanted(&self, wanted: &GraphChangeSource) -> bool {
        self.last > 0 && (self.matched || (wanted.node_types.is_empty() && wanted.edge_types.is_empty()))
    }

    /// As an event has it.
    pub(crate) fn as_json(&self, graph: &str) -> Json {
        json!({
            "graph": graph,
            "first_revision": self.first,
            "last_revision": self.last,
            "nodes": {
                "written_count": self.written.count,
                "deleted_count": self.deleted.count,
                "written": self.written.first,
                "deleted": self.deleted.first,
                "types": self.node_types,
            },
            "edges": {
                "written_count": self.edges_written,
                "deleted_count": self.edges_deleted,
                "types": self.edge_types,
            },
            "actors": self.actors.first,
        })
    }
}

fn note(types: &mut BTreeSet<String>, name: &str) {
    if !name.is_empty() && types.len() < TOLD && !types.contains(name) {
        types.insert(name.to_owned());
    }
}

fn is_wanted(change: &Change, wanted: &GraphChangeSource) -> bool {
    let GraphChangeSource { node_types, edge_types, .. } = wanted;
    match change {
        Change::UpsertNode(upsert) => {
            upsert.node.as_ref().is_some_and(|node| node_types.contains(&node.r#type))
        }
        // The journal does not say what type it had, and its edges went with it.
        Change::DeleteNode(_) => !node_types.is_empty() || !edge_types.is_empty(),
        Change::UpsertEdge(upsert) => {
            upsert.edge.as_ref().is_some_and(|edge| edge_types.contains(&edge.r#type))
        }
        // One that is named by its key alone may have had any type.
        Change::DeleteEdge(edge) => {
            !edge_types.is_empty() && (edge.r#type.is_empty() || edge_types.contains(&edge.r#type))
        }
    }
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::graph::v1::{
        Change as Changed, Edge, EdgeReference, EdgeUpsert, Node, NodeDelete, NodeUpsert,
    };

    use super::*;

    fn node(key: &str, kind: &str) -> Change {
        let node = Node { key: key.into(), r#type: kind.into(), ..Node::default() };
        Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })
    }

    fn edge(kind: &str) -> Change {
        let edge = Edge { source: "a".into(), target: "b".into(), r#type: kind.into(), ..Edge::default() };
        Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
    }

    fn batch(revision: i64, changes: Vec<Change>) -> ChangeBatch {
        ChangeBatch {
            revision,
            last_part: true,
            changes: changes.into_iter().map(|change| Changed { change: Some(change) }).collect(),
            actor: "projects/p/apiKeys/ada".into(),
            ..ChangeBatch::default()
        }
    }

    fn wanted(nodes: &[&str], edges: &[&str]) -> GraphChangeSource {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        GraphChangeSource {
            node_types: texts(nodes),
            edge_types: texts(edges),
            ..GraphChangeSource::default()
        }
    }

    fn is_wanted_of(change: Change, wanted: &GraphChangeSource) -> bool {
        let mut changes = Changes::default();
        changes.add(&batch(2, vec![change]), wanted);
        changes.is_wanted(wanted)
    }

    #[test]
    fn types_say_what_is_wanted() {
        let (any, pages, links) = (wanted(&[], &[]), wanted(&["page"], &[]), wanted(&[], &["link"]));
        let gone = || Change::DeleteNode(NodeDelete { key: "a".into() });
        let cut = |kind: &str| {
            Change::DeleteEdge(EdgeReference { r#type: kind.into(), ..EdgeReference::default() })
        };
        let rows = [
            (node("a", "page"), [true, true, false]),
            (node("a", "tag"), [true, false, false]),
            (gone(), [true, true, true]),
            (edge("link"), [true, false, true]),
            (edge("tag"), [true, false, false]),
            (cut("link"), [true, false, true]),
            (cut("tag"), [true, false, false]),
            (cut(""), [true, false, true]),
        ];
        for (change, expected) in rows {
            let found = [&any, &pages, &links].map(|wanted| is_wanted_of(change.clone(), wanted));
            assert_eq!(found, expected, "{change:?}");
        }
        assert!(!Changes::default().is_wanted(&any));
    }

    #[test]
    fn revisions_become_one_event() {
        let any = wanted(&[], &[]);
        let mut changes = Changes::default();
        changes.add(&batch(5, vec![node("a", "page"), node("b", "page")]), &any);
        changes.add(&batch(6, vec![node("a", "page"), edge("link")]), &any);
        let half = ChangeBatch { last_part: false, ..batch(7, vec![node("c", "page")]) };
        changes.add(&half, &any);
        let event = changes.as_json("projects/p/graphs/g");
        assert_eq!((changes.first, changes.last), (5, 6));
        assert_eq!(event["nodes"]["written_count"], 4);
        assert_eq!(event["nodes"]["written"], json!(["a", "b", "c"]));
        assert_eq!(event["edges"], json!({"written_count": 1, "deleted_count": 0, "types": ["link"]}));
        assert_eq!(event["actors"], json!(["projects/p/apiKeys/ada"]));
        assert!(!changes.is_enough());
        changes.add(&batch(8, (0..10_000).map(|n| node(&n.to_string(), "page")).collect()), &any);
        assert!(changes.is_enough());
        assert_eq!(changes.as_json("g")["nodes"]["written"].as_array().map(Vec::len), Some(100));
    }
}
