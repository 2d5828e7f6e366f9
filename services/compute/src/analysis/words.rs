//! What nodes say, as words and how much each counts.

use std::collections::HashMap;

use prost_types::{Struct, Value, value::Kind};
use weft_kernels::analytics::Features;
use weft_kit::words::{DISPLAY_NAME_WEIGHT, KEY_WEIGHT, LABEL_WEIGHT, MAX_WORDS, PROPERTY_WEIGHT, terms};
use weft_proto::weft::graph::v1::NodeColumns;

/// Words of a node, on average, that there is memory for.
pub(super) const WORDS: usize = 64;
/// Different words, for each node, that there is memory for.
pub(super) const DIFFERENT_WORDS: usize = 8;
/// As many of both again, for small graphs.
pub(super) const FEW_WORDS: usize = 1_000_000;

/// Between the labels of a node in a snapshot.
const LABEL_BORDER: char = '\u{1f}';

/// The words of nodes, in the order in which the nodes were added.
#[derive(Debug, Default)]
pub(super) struct Words {
    numbers: HashMap<Box<str>, u32>,
    /// For each node its words, each once, and how much they count.
    rows: Vec<Vec<(u32, f32)>>,
    count: usize,
}

impl Words {
    /// Adds the node at a place of some columns, with these properties or, where none are named, with everything that a
    /// search looks through.
    pub(super) fn add(&mut self, nodes: &NodeColumns, at: usize, properties: &Struct, names: &[String]) {
        let mut row = Vec::new();
        let mut add = |text: &str, weight: f32| {
            terms(text, &mut |term| {
                if row.len() < MAX_WORDS {
                    row.push((number(&mut self.numbers, term), weight));
                }
            });
        };
        if names.is_empty() {
            let text = |column: &'_ Vec<String>| column.get(at).cloned().unwrap_or_default();
            add(&text(&nodes.keys), KEY_WEIGHT);
            add(&text(&nodes.display_names), DISPLAY_NAME_WEIGHT);
            text(&nodes.labels).split(LABEL_BORDER).for_each(|label| add(label, LABEL_WEIGHT));
            properties.fields.values().for_each(|value| texts(value, &mut |text| add(text, PROPERTY_WEIGHT)));
        } else {
            for value in names.iter().filter_map(|name| properties.fields.get(name)) {
                texts(value, &mut |text| add(text, PROPERTY_WEIGHT));
            }
        }
        row.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        row.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        row.shrink_to_fit();
        self.count += row.len();
        self.rows.push(row);
    }

    /// Whether so many nodes have more words than there is memory for.
    pub(super) fn are_too_many(&self, nodes: usize) -> bool {
        let most = |words: usize| nodes.saturating_mul(words).saturating_add(FEW_WORDS);
        self.count > most(WORDS) || self.numbers.len() > most(DIFFERENT_WORDS)
    }

    /// As the kernel takes them.
    pub(super) fn features(&self) -> Features {
        Features::counted(self.rows.iter().cloned(), self.numbers.len())
    }
}

/// The number of a word, in the order in which they are met.
fn number(numbers: &mut HashMap<Box<str>, u32>, term: &str) -> u32 {
    if let Some(number) = numbers.get(term) {
        return *number;
    }
    let next = numbers.len() as u32;
    numbers.insert(term.into(), next);
    next
}

/// Every text within a value; how deep values lie in each other is bounded by who stores them.
fn texts(value: &Value, visit: &mut dyn FnMut(&str)) {
    match &value.kind {
        Some(Kind::StringValue(text)) => visit(text),
        Some(Kind::StructValue(inner)) => inner.fields.values().for_each(|value| texts(value, visit)),
        Some(Kind::ListValue(list)) => list.values.iter().for_each(|value| texts(value, visit)),
        Some(Kind::NullValue(_) | Kind::NumberValue(_) | Kind::BoolValue(_)) | None => {}
    }
}
