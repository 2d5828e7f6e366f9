//! What an analysis changes in its graph: a property of each node, or the edges of a type.

use prost_types::{FieldMask, Struct, Value, value::Kind};
use weft_proto::weft::graph::v1::{Change, Edge, EdgeReference, EdgeUpsert, Node, NodeUpsert, change};

use super::{reading::SetAside, table::Table};

/// Changes that do not depend on each other, by number.
pub(super) trait Changes: Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// One of them.
    fn change(&self, at: usize) -> Change;

    /// The nodes without which it is nothing to be done: keys and ordinals.
    fn nodes(&self, at: usize) -> [(&str, u32); 2];

    /// Whether something is missing in the graph when it is not done.
    fn adds(&self, at: usize) -> bool;

    /// The key of the edge that it deletes, if that is named by its key alone: it must be the same edge still.
    fn deletes(&self, _at: usize) -> Option<&str> {
        None
    }
}

/// The first column as a property of the nodes.
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) table: &'a Table,
}

impl Changes for Property<'_> {
    fn count(&self) -> usize {
        self.table.len()
    }

    fn change(&self, at: usize) -> Change {
        let value = Value { kind: Some(Kind::NumberValue(self.table.columns[0][at])) };
        let properties = Struct { fields: [(self.name.to_owned(), value)].into() };
        let key = self.table.nodes[at].as_ref().to_owned();
        let node = Node { key, properties: Some(properties.into()), ..Node::default() };
        let update_mask = FieldMask { paths: vec![format!("properties.{}", self.name)] };
        let upsert = NodeUpsert { node: Some(node), update_mask: Some(update_mask) };
        Change { change: Some(change::Change::UpsertNode(upsert)) }
    }

    fn nodes(&self, at: usize) -> [(&str, u32); 2] {
        [(&*self.table.nodes[at], self.table.ordinals[at]); 2]
    }

    fn adds(&self, _at: usize) -> bool {
        true
    }
}

/// Pairs as edges of a type, each from the smaller ordinal to the larger one, in place of those that were there.
pub(super) struct Edges<'a> {
    edge_type: &'a str,
    table: &'a Table,
    outdated: Vec<Outdated<'a>>,
}

/// An edge that is no longer right, with the keys of its ends.
struct Outdated<'a> {
    edge: &'a SetAside,
    source: &'a str,
    target: &'a str,
}

impl<'a> Edges<'a> {
    /// `before` are the edges of the type, `key` the key of an ordinal.
    pub(super) fn new(
        edge_type: &'a str,
        table: &'a Table,
        before: &'a [SetAside],
        key: &dyn Fn(u32) -> Option<&'a str>,
    ) -> Self {
        let ends = |row: usize| {
            let (a, b) = (table.ordinals[row], table.others.ordinals[row]);
            (a.min(b), a.max(b))
        };
        let mut now: Vec<(u32, u32)> = (0..table.others.ordinals.len()).map(ends).collect();
        now.sort_unstable();
        let outdated = before
            .iter()
            // One with a key of its own is another one than that of the pair.
            .filter(|edge| !edge.key.is_empty() || now.binary_search(&edge.ends).is_err())
            .filter_map(|edge| Some(Outdated { edge, source: key(edge.ends.0)?, target: key(edge.ends.1)? }));
        Self { edge_type, outdated: outdated.collect(), table }
    }

    fn upsert(&self, row: usize) -> change::Change {
        let [(source, first), (target, second)] = self.pair(row);
        let (source, target) = if first < second { (source, target) } else { (target, source) };
        let edge = Edge {
            source: source.to_owned(),
            target: target.to_owned(),
            r#type: self.edge_type.to_owned(),
            weight: Some(self.table.columns[0][row]),
            ..Edge::default()
        };
        // What else somebody has said of it stays.
        let update_mask = FieldMask { paths: vec!["weight".to_owned()] };
        change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: Some(update_mask) })
    }

    fn delete(&self, outdated: &Outdated<'_>) -> change::Change {
        let key = outdated.edge.key.to_string();
        let reference = if key.is_empty() {
            EdgeReference {
                source: outdated.source.to_owned(),
                target: outdated.target.to_owned(),
                r#type: self.edge_type.to_owned(),
                ..EdgeReference::default()
            }
        } else {
            EdgeReference { key, ..EdgeReference::default() }
        };
        change::Change::DeleteEdge(reference)
    }

    fn pair(&self, row: usize) -> [(&str, u32); 2] {
        let Table { nodes, ordinals, others, .. } = self.table;
        [(&*nodes[row], ordinals[row]), (&*others.nodes[row], others.ordinals[row])]
    }
}

// What is outdated comes first, so that there is room for what comes.
impl Changes for Edges<'_> {
    fn count(&self) -> usize {
        self.outdated.len() + self.table.len()
    }

    fn change(&self, at: usize) -> Change {
        let change = match at.checked_sub(self.outdated.len()) {
            None => self.delete(&self.outdated[at]),
            Some(row) => self.upsert(row),
        };
        Change { change: Some(change) }
    }

    fn nodes(&self, at: usize) -> [(&str, u32); 2] {
        match at.checked_sub(self.outdated.len()) {
            None => {
                let Outdated { edge, source, target } = &self.outdated[at];
                [(source, edge.ends.0), (target, edge.ends.1)]
            }
            Some(row) => self.pair(row),
        }
    }

    fn adds(&self, at: usize) -> bool {
        at >= self.outdated.len()
    }

    fn deletes(&self, at: usize) -> Option<&str> {
        self.outdated.get(at).map(|outdated| &*outdated.edge.key).filter(|key| !key.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::analysis::table::Others;

    #[test]
    fn what_is_outdated_goes_first_and_what_is_right_stays() {
        let key = |name: &str| Arc::<str>::from(name);
        let others = Others { ordinals: vec![1, 3], nodes: vec![key("a"), key("c")] };
        let table = Table::new(vec![2, 2], vec![key("b"), key("b")], vec![vec![0.5, 0.25]]).with(others);
        let edge = |ends, key: &str| SetAside { ends, key: key.into() };
        // The first is found again; the second has a key of its own; the third is no longer found.
        let before = [edge((1, 2), ""), edge((1, 2), "k"), edge((1, 3), "")];
        let name = |ordinal: u32| Some(["", "a", "b", "c"][ordinal as usize]);
        let edges = Edges::new("alike", &table, &before, &name);
        assert_eq!((edges.count(), edges.adds(1), edges.adds(2)), (4, false, true));
        // Who has made another edge of the key meanwhile keeps it: it is asked before.
        assert_eq!([0, 1, 2, 3].map(|at| edges.deletes(at)), [Some("k"), None, None, None]);
        let deleted = |at| match edges.change(at).change {
            Some(change::Change::DeleteEdge(edge)) => (edge.key, edge.source, edge.target, edge.r#type),
            other => panic!("{other:?}"),
        };
        assert_eq!(deleted(0), ("k".into(), String::new(), String::new(), String::new()));
        assert_eq!(deleted(1), (String::new(), "a".into(), "c".into(), "alike".into()));
        let written = |at| match edges.change(at).change {
            Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), .. })) => {
                (edge.source, edge.target, edge.weight)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(written(2), ("a".into(), "b".into(), Some(0.5)));
        assert_eq!(written(3), ("b".into(), "c".into(), Some(0.25)));
        assert_eq!(edges.nodes(1), [("a", 1), ("c", 3)]);
    }
}
