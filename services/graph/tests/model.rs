//! Does the memory do what a graph is? Against a model that is too simple to be wrong: two maps.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message;
use prost_types::{FieldMask, Struct, Value, value::Kind};
use weft_graph::{
    GraphLimits,
    domain::{
        change::{BatchHeader, PlanOptions, batch_parts, plan},
        memory::{CheckpointReader, Memory, checkpoint_parts},
    },
};
use weft_proto::{
    Lazy,
    weft::graph::v1::{
        Change, ChangeBatch, Edge, EdgeReference, EdgeUpsert, Node, NodeDelete, NodeUpsert, change,
    },
};

/// A graph as two maps. Edges are found by key, or by source, type and target.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    nodes: BTreeMap<String, Node>,
    edges: BTreeMap<(String, String, String, String), Edge>,
    next_ordinal: u32,
    revision: i64,
}

type EdgeId = (String, String, String, String);

fn id_of(key: &str, source: &str, kind: &str, target: &str) -> EdgeId {
    if key.is_empty() {
        (String::new(), source.into(), kind.into(), target.into())
    } else {
        (key.into(), String::new(), String::new(), String::new())
    }
}

impl Model {
    /// Applies a batch, or nothing of it.
    fn apply(&mut self, changes: &[Change], options: PlanOptions) -> Result<(), ()> {
        let mut next = self.clone();
        next.revision += 1;
        for change in changes {
            next.apply_one(change.change.as_ref().ok_or(())?, options)?;
        }
        *self = next;
        Ok(())
    }

    fn apply_one(&mut self, change: &change::Change, options: PlanOptions) -> Result<(), ()> {
        match change {
            change::Change::UpsertNode(NodeUpsert { node, update_mask }) => {
                let node = node.as_ref().ok_or(())?;
                self.put_node(node, update_mask.as_ref());
            }
            change::Change::DeleteNode(NodeDelete { key }) => match self.nodes.remove(key) {
                Some(_) => self.edges.retain(|_, edge| edge.source != *key && edge.target != *key),
                None if options.allow_missing => {}
                None => return Err(()),
            },
            change::Change::UpsertEdge(EdgeUpsert { edge, update_mask }) => {
                let edge = edge.as_ref().ok_or(())?;
                self.put_edge(edge, update_mask.as_ref(), options)?;
            }
            change::Change::DeleteEdge(EdgeReference { key, source, target, r#type }) => {
                let ends = self.nodes.contains_key(source) && self.nodes.contains_key(target);
                let id = id_of(key, source, r#type, target);
                let found = (!key.is_empty() || ends) && self.edges.remove(&id).is_some();
                if !found && !options.allow_missing {
                    return Err(());
                }
            }
        }
        Ok(())
    }

    fn put_node(&mut self, new: &Node, mask: Option<&FieldMask>) {
        let old = self.nodes.get(&new.key).cloned();
        let mut node = match mask {
            None => new.clone(),
            Some(mask) => {
                let mut node =
                    old.clone().unwrap_or_else(|| Node { key: new.key.clone(), ..Node::default() });
                for path in &mask.paths {
                    match path.as_str() {
                        "type" => node.r#type.clone_from(&new.r#type),
                        "labels" => node.labels.clone_from(&new.labels),
                        "properties.a" => set_a(&mut node.properties, new.properties.as_deref()),
                        other => panic!("{other} is not generated"),
                    }
                }
                node
            }
        };
        node.properties = node.properties.filter(|properties| !properties.fields.is_empty());
        node.revision = self.revision;
        node.ordinal = old.map_or(self.next_ordinal, |old| old.ordinal);
        self.next_ordinal = self.next_ordinal.max(node.ordinal + 1);
        self.nodes.insert(node.key.clone(), node);
    }

    fn put_edge(&mut self, new: &Edge, mask: Option<&FieldMask>, options: PlanOptions) -> Result<(), ()> {
        let id = id_of(&new.key, &new.source, &new.r#type, &new.target);
        let old = self.edges.get(&id).cloned();
        let mut edge = match (mask, old) {
            (None, _) | (Some(_), None) if mask.is_none() => new.clone(),
            (Some(_), Some(old)) => Edge { weight: new.weight, ..old },
            _ => Edge { properties: None, ..new.clone() },
        };
        edge.weight = edge.weight.filter(|weight| (*weight - 1.0).abs() > 0.0);
        edge.properties = edge.properties.filter(|properties| !properties.fields.is_empty());
        edge.revision = self.revision;
        for end in [edge.source.clone(), edge.target.clone()] {
            if !self.nodes.contains_key(&end) {
                if !options.create_missing_nodes {
                    return Err(());
                }
                self.put_node(&Node { key: end, ..Node::default() }, None);
            }
        }
        self.edges.insert(id, edge);
        Ok(())
    }
}

fn set_a(target: &mut Option<Lazy<Struct>>, new: Option<&Struct>) {
    let value = new.and_then(|new| new.fields.get("a")).cloned();
    let fields = &mut target.get_or_insert_default().fields;
    match value {
        Some(value) => fields.insert("a".into(), value),
        None => fields.remove("a"),
    };
}

fn key() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "d", "ключ", "e e"]).prop_map(str::to_owned)
}

fn kind() -> impl Strategy<Value = String> {
    select(vec!["", "x", "y"]).prop_map(str::to_owned)
}

fn edge_key() -> impl Strategy<Value = String> {
    select(vec!["", "", "", "k1", "k2"]).prop_map(str::to_owned)
}

fn properties() -> impl Strategy<Value = Option<Lazy<Struct>>> {
    let value = prop_oneof![
        any::<bool>().prop_map(Kind::BoolValue),
        (-9_i32..9).prop_map(|number| Kind::NumberValue(number.into())),
        "[a-zé]{0,40}".prop_map(Kind::StringValue),
    ];
    let fields = vec((select(vec!["a", "b"]), value), 0..3);
    let value = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
    option::of(
        fields.prop_map(move |fields| Struct { fields: fields.into_iter().map(value).collect() }.into()),
    )
}

fn node_upsert() -> impl Strategy<Value = change::Change> {
    let labels = vec(select(vec!["l1", "l2", "l3"]).prop_map(str::to_owned), 0..3);
    let mask = option::weighted(
        0.3,
        vec(select(vec!["type", "labels", "properties.a"]).prop_map(str::to_owned), 1..3),
    );
    (key(), kind(), "[a-z]{0,8}", labels, properties(), mask).prop_map(
        |(key, kind, display_name, labels, properties, mask)| {
            let node = Node { key, r#type: kind, display_name, labels, properties, ..Node::default() };
            let update_mask = mask.map(|paths| FieldMask { paths });
            change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask })
        },
    )
}

fn edge_upsert() -> impl Strategy<Value = change::Change> {
    let weight = option::of(select(vec![0.0, 1.0, 2.5]));
    (edge_key(), key(), key(), kind(), weight, properties(), prop::bool::weighted(0.2)).prop_map(
        |(key, source, target, kind, weight, properties, masked)| {
            let edge = Edge { key, source, target, r#type: kind, weight, properties, ..Edge::default() };
            let update_mask = masked.then(|| FieldMask { paths: vec!["weight".into()] });
            change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask })
        },
    )
}

fn edge_delete() -> impl Strategy<Value = change::Change> {
    (edge_key(), key(), key(), kind()).prop_map(|(key, source, target, kind)| {
        change::Change::DeleteEdge(if key.is_empty() {
            EdgeReference { key, source, target, r#type: kind }
        } else {
            EdgeReference { key, ..EdgeReference::default() }
        })
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => node_upsert(),
        2 => key().prop_map(|key| change::Change::DeleteNode(NodeDelete { key })),
        6 => edge_upsert(),
        2 => edge_delete(),
    ]
    .prop_map(|change| Change { change: Some(change) })
}

type Batch = (Vec<Change>, PlanOptions);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let options = (prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(
        |(allow_missing, create_missing_nodes)| PlanOptions { allow_missing, create_missing_nodes },
    );
    vec((vec(any_change(), 1..20), options), 1..12)
}

/// Nodes, edges, names with the number of their uses, revision.
type Seen = (Vec<Node>, Vec<Edge>, Vec<(String, u64)>, i64);

/// Everything that can be seen of a memory, in one order.
fn seen(memory: &Memory) -> Seen {
    let table = memory.table();
    let mut edges: Vec<Edge> = table.edges().map(|edge| table.edge_message(edge)).collect();
    edges.sort_by(|a, b| edge_order(a).cmp(&edge_order(b)));
    let names = [table.node_types(), table.edge_types(), table.labels()];
    let mut counts: Vec<(String, u64)> =
        names.iter().flat_map(|names| names.counts()).map(|(name, count)| (name.to_owned(), count)).collect();
    counts.sort();
    (
        table.nodes().map(weft_graph::domain::memory::NodeRef::to_message).collect(),
        edges,
        counts,
        table.revision(),
    )
}

fn edge_order(edge: &Edge) -> (&str, &str, &str, &str) {
    (&edge.key, &edge.source, &edge.r#type, &edge.target)
}

fn check(memory: &Memory, model: &Model) {
    let (nodes, edges, _, revision) = seen(memory);
    let mut expected: Vec<Node> = model.nodes.values().cloned().collect();
    expected.sort_by_key(|node| node.ordinal);
    assert_eq!(nodes, expected);
    let mut expected: Vec<Edge> = model.edges.values().cloned().collect();
    expected.sort_by(|a, b| edge_order(a).cmp(&edge_order(b)));
    assert_eq!(edges, expected);
    assert_eq!(revision, model.revision);
    let table = memory.table();
    assert_eq!((table.node_count(), table.edge_count()), (nodes.len() as u64, model.edges.len() as u64));
    assert_eq!(table.next_ordinal(), model.next_ordinal);
    for node in &nodes {
        let ordinal = memory.find_node(&node.key).expect("it is there");
        assert_eq!(ordinal, node.ordinal);
        let out = model.edges.values().filter(|edge| edge.source == node.key).count();
        let into = model.edges.values().filter(|edge| edge.target == node.key).count();
        assert_eq!((memory.outgoing(ordinal).len(), memory.incoming(ordinal).len()), (out, into));
    }
    for edge in model.edges.values() {
        let ends = (model.nodes[&edge.source].ordinal, model.nodes[&edge.target].ordinal);
        let slot = if edge.key.is_empty() {
            memory.find_edge_by_ends(ends.0, &edge.r#type, ends.1)
        } else {
            memory.find_edge_by_key(&edge.key)
        };
        assert_eq!(memory.ends(slot.expect("it is there")), ends);
    }
}

fn replay(memory: &mut Memory, journal: &[Vec<bytes::Bytes>]) {
    for part in journal.iter().flatten() {
        let batch = ChangeBatch::decode(part.as_ref()).expect("it was encoded");
        memory.apply(batch.revision, &batch.changes).expect("it was applied before");
    }
}

fn read_checkpoint(parts: impl Iterator<Item = Vec<u8>>) -> Memory {
    let mut reader = CheckpointReader::default();
    parts.for_each(|part| reader.part(&part).expect("it was written"));
    reader.finish().expect("it is whole")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn memory_model_journal_and_checkpoint_agree(batches in batches(), cut in 0_usize..12) {
        let mut memory = Memory::default();
        let mut model = Model::default();
        let mut journal = Vec::new();
        // A checkpoint, a snapshot that is held, and how long the journal was then.
        let mut kept = None;
        for (changes, options) in batches {
            if journal.len() == cut && kept.is_none() {
                let parts: Vec<_> = checkpoint_parts(memory.table()).collect();
                kept = Some((parts, memory.table().clone(), model.clone(), journal.len()));
            }
            let planned = plan(&memory, changes.clone(), options, &GraphLimits::default(), 0);
            prop_assert_eq!(planned.is_ok(), model.apply(&changes, options).is_ok(), "{:?}", planned);
            let Ok(planned) = planned else { continue };
            prop_assert_eq!(planned.node_count, model.nodes.len() as u64);
            prop_assert_eq!(planned.edge_count, model.edges.len() as u64);
            memory.apply(planned.revision, &planned.changes).expect("it was planned");
            prop_assert_eq!(planned.next_ordinal, memory.table().next_ordinal());
            journal.push(batch_parts(&BatchHeader { revision: planned.revision, ..BatchHeader::default() }, &planned.changes));
            // An ordinal is given once, even to a node that does not live to see the end of its batch.
            model.next_ordinal = planned.next_ordinal;
            check(&memory, &model);
        }
        let mut again = Memory::default();
        replay(&mut again, &journal);
        check_equal(&again, &memory)?;
        if let Some((parts, table, model, length)) = kept {
            let mut from_checkpoint = read_checkpoint(parts.into_iter());
            check(&from_checkpoint, &model);
            // The snapshot is as it was, whatever happened to the graph since.
            let held = read_checkpoint(checkpoint_parts(&table));
            check(&held, &model);
            replay(&mut from_checkpoint, &journal[length..]);
            check_equal(&from_checkpoint, &memory)?;
        }
    }
}

fn check_equal(a: &Memory, b: &Memory) -> Result<(), TestCaseError> {
    prop_assert_eq!(seen(a), seen(b));
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_an_error() {
    let mut memory = Memory::default();
    let changes: Vec<Change> = (0..100)
        .map(|index| Node { key: format!("node {index}"), ..Node::default() })
        .map(|node| Change {
            change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })),
        })
        .collect();
    let planned =
        plan(&memory, changes, PlanOptions::default(), &GraphLimits::default(), 0).expect("it fits");
    memory.apply(1, &planned.changes).expect("it was planned");
    let parts: Vec<Vec<u8>> = checkpoint_parts(memory.table()).collect();
    let read = |parts: &[Vec<u8>]| {
        let mut reader = CheckpointReader::default();
        parts.iter().try_for_each(|part| reader.part(part)).and_then(|()| reader.finish()).map(|_| ())
    };
    assert!(read(&parts).is_ok());
    assert!(read(&parts[..parts.len() - 1]).is_err(), "a part is missing");
    assert!(read(&parts[1..]).is_err(), "the header is missing");
    assert!(read(&[parts.clone(), parts.clone()].concat()).is_err(), "everything twice");
    for cut in 0..parts[1].len() {
        assert!(read(&[parts[0].clone(), parts[1][..cut].to_vec()]).is_err(), "cut at {cut}");
    }
}
