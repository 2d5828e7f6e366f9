//! Which nodes or edges come on the next page?

use std::{cmp::Ordering, collections::BinaryHeap};

use prost::Message;
use weft_proto::weft::graph::v1::{Edge, Node};

use super::Budget;
use crate::domain::{
    filter::{EdgeRecord, Filter, NodeRecord},
    memory::Memory,
    order::{SortKey, parse_order},
    page::{Cursor, CursorError, CursorReader},
};

/// A field that nodes can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeField {
    /// Key.
    Key,
    /// Type.
    Type,
    /// Edges either way.
    Degree,
    /// Edges that go to it.
    InDegree,
    /// Edges that come from it.
    OutDegree,
}

/// Reads an `order_by` for nodes.
///
/// # Errors
/// What is wrong with it.
pub fn parse_node_order(text: &str) -> Result<Vec<SortKey<NodeField>>, String> {
    let fields = [
        ("key", NodeField::Key),
        ("type", NodeField::Type),
        ("degree", NodeField::Degree),
        ("in_degree", NodeField::InDegree),
        ("out_degree", NodeField::OutDegree),
    ];
    parse_order(text, &fields)
}

/// One page of nodes.
#[derive(Debug, Default)]
pub struct NodePage {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The place after the last one, if more follow.
    pub next: Option<Cursor>,
}

/// One page of edges.
#[derive(Debug, Default)]
pub struct EdgePage {
    /// The edges.
    pub edges: Vec<Edge>,
    /// The place after the last one, if more follow.
    pub next: Option<Cursor>,
}

/// The nodes that match, sorted, after a place, at most `size` and at most as many as fit into a
/// message. Without an order: by ordinal, which is the order of creation.
///
/// # Errors
/// If the place is not one of this order.
pub fn list_nodes(
    memory: &Memory,
    filter: &Filter,
    order: &[SortKey<NodeField>],
    after: Option<CursorReader<'_>>,
    size: usize,
) -> Result<NodePage, CursorError> {
    let after =
        after.map(|mut cursor| read_place(&mut cursor, order).and_then(|place| cursor.end().map(|()| place)));
    let after = after.transpose()?;
    let table = memory.table();
    let matches = |ordinal: u32| {
        filter.is_empty()
            || table.node(ordinal).is_some_and(|node| filter.matches(&NodeRecord { node, memory }))
    };
    let mut ordinals: Vec<u32> = if order.is_empty() {
        let first = after.as_ref().map_or(0, |place| place.ordinal.saturating_add(1));
        table.ordinals(first).filter(|ordinal| matches(*ordinal)).take(size + 1).collect()
    } else {
        let mut best = BinaryHeap::with_capacity(size + 2);
        for ordinal in table.ordinals(0).filter(|ordinal| matches(*ordinal)) {
            let place = Place::of(memory, ordinal, order);
            if after.as_ref().is_some_and(|after| place <= *after) {
                continue;
            }
            best.push(place);
            if best.len() > size + 1 {
                best.pop();
            }
        }
        best.into_sorted_vec().into_iter().map(|place| place.ordinal).collect()
    };
    let mut more = ordinals.len() > size;
    ordinals.truncate(size);
    let mut page = NodePage::default();
    let mut budget = Budget::default();
    for node in ordinals.iter().filter_map(|ordinal| table.node(*ordinal)) {
        let node = node.to_message();
        if !budget.take(node.encoded_len()) {
            more = true;
            break;
        }
        page.nodes.push(node);
    }
    page.next =
        page.nodes.last().filter(|_| more).map(|last| Place::of(memory, last.ordinal, order).cursor());
    Ok(page)
}

/// Where a node stands in an order: by the values that it is sorted by, then by its ordinal.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    values: Vec<Value>,
    ordinal: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Value {
    key: ValueKey,
    descending: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ValueKey {
    Number(u32),
    Text(String),
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.key.cmp(&other.key);
        if self.descending { order.reverse() } else { order }
    }
}

impl Place {
    fn of(memory: &Memory, ordinal: u32, order: &[SortKey<NodeField>]) -> Self {
        let value = |sort: &SortKey<NodeField>| {
            let key = match sort.field {
                NodeField::Key => ValueKey::Text(memory.table().key(ordinal).to_owned()),
                NodeField::Type => ValueKey::Text(
                    memory.table().node(ordinal).map_or_else(String::new, |node| node.type_name().to_owned()),
                ),
                NodeField::Degree => ValueKey::Number(memory.degree(ordinal) as u32),
                NodeField::InDegree => ValueKey::Number(memory.incoming(ordinal).len() as u32),
                NodeField::OutDegree => ValueKey::Number(memory.outgoing(ordinal).len() as u32),
            };
            Value { key, descending: sort.descending }
        };
        Self { values: order.iter().map(value).collect(), ordinal }
    }

    fn cursor(&self) -> Cursor {
        let values = self.values.iter().fold(Cursor::default(), |cursor, value| match &value.key {
            ValueKey::Number(number) => cursor.number(*number),
            ValueKey::Text(text) => cursor.text(text),
        });
        values.number(self.ordinal)
    }
}

fn read_place(cursor: &mut CursorReader<'_>, order: &[SortKey<NodeField>]) -> Result<Place, CursorError> {
    let mut values = Vec::with_capacity(order.len());
    for sort in order {
        let key = match sort.field {
            NodeField::Key | NodeField::Type => ValueKey::Text(cursor.text()?.to_owned()),
            NodeField::Degree | NodeField::InDegree | NodeField::OutDegree => {
                ValueKey::Number(cursor.number()?)
            }
        };
        values.push(Value { key, descending: sort.descending });
    }
    Ok(Place { values, ordinal: cursor.number()? })
}

/// The edges that match, by source, target, type and key, after a place.
///
/// # Errors
/// If the place is not one of this order.
pub fn list_edges(
    memory: &Memory,
    filter: &Filter,
    after: Option<CursorReader<'_>>,
    size: usize,
) -> Result<EdgePage, CursorError> {
    let after = after.map(read_edge_place).transpose()?;
    let first_source = after.as_ref().map_or(0, |(source, ..)| *source);
    let table = memory.table();
    let mut page = EdgePage::default();
    let mut budget = Budget::default();
    let mut last = None;
    for source in table.ordinals(first_source) {
        let mut slots = memory.outgoing(source).to_vec();
        if source == first_source
            && let Some((_, target, type_name, key)) = &after
        {
            let place = (source, *target, type_name.as_str(), key.as_str());
            slots.retain(|slot| memory.edge_order(*slot) > place);
        }
        slots.sort_unstable_by(|a, b| memory.edge_order(*a).cmp(&memory.edge_order(*b)));
        for slot in slots {
            let Some(edge) = table.edge(slot) else { continue };
            if !(filter.is_empty() || filter.matches(&EdgeRecord { edge, memory })) {
                continue;
            }
            let message = table.edge_message(edge);
            if page.edges.len() == size || !budget.take(message.encoded_len()) {
                page.next = last.map(|slot| {
                    let (source, target, type_name, key) = memory.edge_order(slot);
                    Cursor::default().number(source).number(target).text(type_name).text(key)
                });
                return Ok(page);
            }
            last = Some(slot);
            page.edges.push(message);
        }
    }
    Ok(page)
}

fn read_edge_place(mut cursor: CursorReader<'_>) -> Result<(u32, u32, String, String), CursorError> {
    let place = (cursor.number()?, cursor.number()?, cursor.text()?.to_owned(), cursor.text()?.to_owned());
    cursor.end()?;
    Ok(place)
}
