//! Those properties of nodes that somebody asks for.

use std::collections::HashMap;

use prost::Message;
use prost_types::{Struct, Value, value::Kind};

/// A property's value, as far as nodes are told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scalar {
    Truth(bool),
    /// The bits of a number.
    Number(u64),
    Text(Box<str>),
}

impl Scalar {
    /// Reads a value; lists, objects and null are none.
    pub(crate) fn new(value: &Value) -> Option<Self> {
        match value.kind.as_ref()? {
            Kind::BoolValue(truth) => Some(Self::Truth(*truth)),
            // Adding 0 makes the two zeros one.
            Kind::NumberValue(number) => Some(Self::Number((number + 0.0).to_bits())),
            Kind::StringValue(text) => Some(Self::Text(text.as_str().into())),
            Kind::NullValue(_) | Kind::StructValue(_) | Kind::ListValue(_) => None,
        }
    }

    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(bits) = self { Some(f64::from_bits(*bits)) } else { None }
    }
}

/// The wanted properties of all nodes.
#[derive(Debug, Default)]
pub(super) struct Properties {
    wanted: Vec<String>,
    /// By ordinal, in the order of `wanted`; nodes that have none are absent.
    rows: HashMap<u32, Box<[Option<Scalar>]>>,
    /// Something has changed since this was cleared last.
    pub(super) changed: bool,
}

impl Properties {
    pub(super) fn new(wanted: Vec<String>) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub(super) fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// Takes a node's encoded properties in.
    pub(super) fn read(&mut self, ordinal: u32, encoded: &[u8]) {
        if !self.wanted.is_empty() {
            // What cannot be read has no value that anybody could match.
            self.set(ordinal, Struct::decode(encoded).ok().as_ref());
        }
    }

    pub(super) fn set(&mut self, ordinal: u32, properties: Option<&Struct>) {
        let value = |name: &String| Scalar::new(properties?.fields.get(name)?);
        let row: Box<[_]> = self.wanted.iter().map(value).collect();
        if row.iter().all(Option::is_none) {
            self.forget(ordinal);
        } else if self.rows.get(&ordinal) != Some(&row) {
            self.rows.insert(ordinal, row);
            self.changed = true;
        }
    }

    pub(super) fn forget(&mut self, ordinal: u32) {
        self.changed |= self.rows.remove(&ordinal).is_some();
    }

    /// Nodes that have a property, in no order.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = (u32, &Scalar)> {
        let column = self.wanted.iter().position(|wanted| wanted == name);
        let rows = column.map(|column| (column, &self.rows));
        rows.into_iter().flat_map(|(column, rows)| {
            rows.iter().filter_map(move |(ordinal, row)| Some((*ordinal, row[column].as_ref()?)))
        })
    }
}
