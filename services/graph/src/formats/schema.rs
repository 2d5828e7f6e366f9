//! Which properties get a column or attribute of their own when a graph is written.
//!
//! Tables and XML formats name and type their columns before the first row. The writer is shown the
//! elements beforehand, if the caller can; a value that does not fit its column's type, and all
//! that is nested, goes into one further column named [`REST`], as JSON, so that nothing is lost.

use std::collections::HashMap;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::Value as Json;
use weft_proto::weft::graph::v1::{Edge, Node};

use super::value;

/// Name of the column that holds, as a JSON object, the properties that have no other.
pub(super) const REST: &str = "properties";

/// Names that a column of its own cannot have, because they mean something else in some format.
const RESERVED: [&str; 21] = [
    "key",
    "id",
    "node",
    "name",
    "label",
    "labels",
    "display_name",
    "type",
    "tags",
    "source",
    "target",
    "src",
    "dst",
    "from",
    "to",
    "weight",
    "properties",
    "kind",
    "title",
    "directed",
    "category",
];

/// Most columns; further properties go into [`REST`].
const MAX_COLUMNS: usize = 256;
/// Longest name of a column, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    Number,
    Truth,
}

/// A property with a column of its own.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    /// A text column in which some text would be taken for a number or a truth if its type were not
    /// told.
    pub(super) ambiguous: bool,
}

/// The columns of the nodes or of the edges.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) list: Vec<Column>,
    by_name: HashMap<String, usize>,
}

/// The columns of both.
#[derive(Default)]
pub(super) struct Schema {
    pub(super) nodes: Columns,
    pub(super) edges: Columns,
}

impl Schema {
    pub(super) fn observe_node(&mut self, node: &Node) {
        self.nodes.observe(node.properties.as_deref());
    }

    pub(super) fn observe_edge(&mut self, edge: &Edge) {
        self.edges.observe(edge.properties.as_deref());
    }
}

impl Columns {
    fn observe(&mut self, properties: Option<&Struct>) {
        for (name, value) in properties.iter().flat_map(|properties| &properties.fields) {
            let Some(kind) = kind_of(value) else { continue };
            let at = match self.by_name.get(name) {
                Some(at) => *at,
                None if self.list.len() < MAX_COLUMNS && may_be_column(name) => {
                    self.by_name.insert(name.clone(), self.list.len());
                    self.list.push(Column { name: name.clone(), kind, ambiguous: false });
                    self.list.len() - 1
                }
                None => continue,
            };
            if let Some(Kind::StringValue(text)) = &value.kind {
                let column = &mut self.list[at];
                column.ambiguous |= column.kind == ColumnKind::Text && value::infer(text) != *value;
            }
        }
    }

    /// Parts the properties of an element: the values of the columns, in their order, and the JSON
    /// of all that has none. `fits` says which texts a column of this format can hold.
    pub(super) fn split<'a>(
        &self,
        properties: Option<&'a Struct>,
        fits: impl Fn(&Column, &str) -> bool,
    ) -> (Vec<Option<&'a Value>>, Option<String>) {
        let mut cells = vec![None; self.list.len()];
        let mut rest = serde_json::Map::new();
        for (name, value) in properties.iter().flat_map(|properties| &properties.fields) {
            let column = self.by_name.get(name).map(|at| (*at, &self.list[*at]));
            match column {
                Some((at, column)) if kind_of(value) == Some(column.kind) && holds(column, value, &fits) => {
                    cells[at] = Some(value);
                }
                _ => {
                    rest.insert(name.clone(), value::to_json(value));
                }
            }
        }
        let rest = (!rest.is_empty()).then(|| Json::Object(rest).to_string());
        (cells, rest)
    }
}

/// The text of a cell.
pub(super) fn cell_text(value: &Value) -> String {
    match &value.kind {
        Some(Kind::StringValue(text)) => text.clone(),
        Some(Kind::NumberValue(number)) => value::number_text(*number),
        Some(Kind::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    }
}

fn holds(column: &Column, value: &Value, fits: &impl Fn(&Column, &str) -> bool) -> bool {
    match &value.kind {
        Some(Kind::StringValue(text)) => fits(column, text),
        _ => true,
    }
}

fn kind_of(value: &Value) -> Option<ColumnKind> {
    match value.kind {
        Some(Kind::StringValue(_)) => Some(ColumnKind::Text),
        Some(Kind::NumberValue(number)) if number.is_finite() => Some(ColumnKind::Number),
        Some(Kind::BoolValue(_)) => Some(ColumnKind::Truth),
        _ => None,
    }
}

fn may_be_column(name: &str) -> bool {
    let plain = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name.trim() == name
        && !name
            .chars()
            .any(|character| character == ':' || character.is_control() || character > '\u{ffef}');
    plain && !RESERVED.contains(&name.to_lowercase().as_str())
}
