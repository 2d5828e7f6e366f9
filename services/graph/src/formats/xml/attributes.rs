//! Declared, typed attributes: what GraphML calls keys, and GEXF attributes.

use std::collections::HashMap;

use prost_types::{Struct, Value};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

use super::super::out::Out;
use super::super::schema::REST;
use super::super::value::{self, TooDeep};
use super::super::{FormatError, csv};

/// Most attributes of a file.
const MAX_ATTRIBUTES: usize = 4096;
/// Most bytes of all defaults, with their names and 16 bytes each: they are added to every element
/// that says nothing else.
const MAX_DEFAULT_BYTES: usize = 1024;

/// How a value's text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Kind {
    #[default]
    Text,
    Number,
    Truth,
    /// Texts parted by `|`, else by `,`.
    Texts,
}

impl Kind {
    /// The type of that name in GraphML and GEXF.
    pub(in super::super) fn named(name: &str) -> Self {
        match name {
            "int" | "integer" | "long" | "float" | "double" | "short" | "byte" | "bigdecimal"
            | "biginteger" => Self::Number,
            "boolean" => Self::Truth,
            _ if name.starts_with("list") => Self::Texts,
            _ => Self::Text,
        }
    }
}

/// A declared attribute.
#[derive(Debug, Default)]
pub(in super::super) struct Attribute {
    pub(in super::super) id: String,
    pub(in super::super) name: String,
    pub(in super::super) kind: Kind,
    pub(in super::super) default: Option<String>,
}

/// The attributes of the nodes or of the edges of one file.
#[derive(Debug, Default)]
pub(in super::super) struct Declared {
    list: Vec<Attribute>,
    by_id: HashMap<String, usize>,
    /// The attribute that holds the names of nodes.
    name: Option<(usize, usize)>,
    /// Attributes that have a default.
    with_default: Vec<usize>,
    default_bytes: usize,
}

/// Names of the attribute that holds a node's name, the best first.
const NAMES: [&str; 3] = ["display_name", "label", "name"];

impl Declared {
    pub(in super::super) fn declare(
        &mut self,
        attribute: Attribute,
        line: u64,
        out: &Out<'_>,
    ) -> Result<(), FormatError> {
        if self.list.len() == MAX_ATTRIBUTES {
            return Err(out.too_large(line, "too many attributes are declared", MAX_ATTRIBUTES));
        }
        self.default_bytes +=
            attribute.default.as_ref().map_or(0, |default| default.len() + attribute.name.len() + 16);
        if self.default_bytes > MAX_DEFAULT_BYTES {
            let problem = "the defaults of attributes have too many bytes together";
            return Err(out.too_large(line, problem, MAX_DEFAULT_BYTES));
        }
        let at = self.list.len();
        if let Some(rank) = NAMES.iter().position(|name| *name == attribute.name)
            && self.name.is_none_or(|(_, best)| rank < best)
        {
            self.name = Some((at, rank));
        }
        self.by_id.insert(attribute.id.clone(), at);
        if attribute.default.is_some() {
            self.with_default.push(at);
        }
        self.list.push(attribute);
        Ok(())
    }

    fn known(&self, id: &str, line: u64, out: &Out<'_>) -> Result<usize, FormatError> {
        let at = self.by_id.get(id).copied();
        at.ok_or_else(|| out.syntax(line, format!("the attribute {id:?} is not declared")))
    }

    /// Gives a node the value of an attribute.
    pub(in super::super) fn set_on_node(
        &self,
        node: &mut Node,
        id: &str,
        text: &str,
        line: u64,
        out: &Out<'_>,
    ) -> Result<(), FormatError> {
        let at = self.known(id, line, out)?;
        let attribute = &self.list[at];
        match attribute.name.as_str() {
            _ if self.name.is_some_and(|(name, _)| name == at) => text.clone_into(&mut node.display_name),
            "type" => text.clone_into(&mut node.r#type),
            "labels" => node.labels = csv::split(text),
            _ => set_property(&mut node.properties, attribute, text, line, out)?,
        }
        Ok(())
    }

    /// Gives an edge the value of an attribute.
    pub(in super::super) fn set_on_edge(
        &self,
        edge: &mut Edge,
        id: &str,
        text: &str,
        line: u64,
        out: &Out<'_>,
    ) -> Result<(), FormatError> {
        let attribute = &self.list[self.known(id, line, out)?];
        match attribute.name.as_str() {
            "type" => text.clone_into(&mut edge.r#type),
            "weight" if attribute.kind == Kind::Number => {
                let weight = text.trim().parse();
                edge.weight =
                    Some(weight.map_err(|_| out.syntax(line, format!("weight {text:?} is not a number")))?);
            }
            _ => set_property(&mut edge.properties, attribute, text, line, out)?,
        }
        Ok(())
    }

    /// Whether an attribute has a default.
    pub(in super::super) fn has_default(&self, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|at| self.list[*at].default.is_some())
    }

    /// Gives a node the defaults of what it says nothing about. `said` are the ids of what it says.
    pub(in super::super) fn complete_node(
        &self,
        node: &mut Node,
        said: &[String],
        line: u64,
        out: &Out<'_>,
    ) -> Result<(), FormatError> {
        for (id, default) in self.defaults(said) {
            self.set_on_node(node, id, default, line, out)?;
        }
        Ok(())
    }

    /// Gives an edge the defaults of what it says nothing about.
    pub(in super::super) fn complete_edge(
        &self,
        edge: &mut Edge,
        said: &[String],
        line: u64,
        out: &Out<'_>,
    ) -> Result<(), FormatError> {
        for (id, default) in self.defaults(said) {
            self.set_on_edge(edge, id, default, line, out)?;
        }
        Ok(())
    }

    fn defaults(&self, said: &[String]) -> impl Iterator<Item = (&str, &str)> {
        self.with_default
            .iter()
            .map(|at| &self.list[*at])
            .filter(|attribute| !said.contains(&attribute.id))
            .filter_map(|attribute| Some((attribute.id.as_str(), attribute.default.as_deref()?)))
    }
}

fn set_property(
    properties: &mut Option<Lazy<Struct>>,
    attribute: &Attribute,
    text: &str,
    line: u64,
    out: &Out<'_>,
) -> Result<(), FormatError> {
    let properties = properties.get_or_insert_default();
    if attribute.name == REST
        && attribute.kind == Kind::Text
        && let Ok(members) = serde_json::from_str(text)
    {
        let members = value::struct_from_json(members).map_err(|_| out.syntax(line, TooDeep::problem()))?;
        properties.fields.extend(members.fields);
        return Ok(());
    }
    properties.fields.insert(attribute.name.clone(), typed(attribute, text, line, out)?);
    Ok(())
}

fn typed(attribute: &Attribute, text: &str, line: u64, out: &Out<'_>) -> Result<Value, FormatError> {
    let plain = text.trim();
    let wrong = |what: &str| {
        let name = &attribute.name;
        out.syntax(line, format!("attribute {name:?} holds {text:?}, which is not {what}"))
    };
    match attribute.kind {
        Kind::Text => Ok(value::string(text)),
        Kind::Number if plain.is_empty() => Ok(value::string("")),
        Kind::Number => match value::parse_number(plain) {
            Some(number) => Ok(value::number(number)),
            None if whole(plain) => Ok(value::string(plain)),
            None => Ok(value::number(plain.parse().map_err(|_| wrong("a number"))?)),
        },
        Kind::Truth => match plain.to_lowercase().as_str() {
            "true" | "1" => Ok(value::boolean(true)),
            "false" | "0" => Ok(value::boolean(false)),
            _ => Err(wrong("true or false")),
        },
        Kind::Texts => {
            let separator = if plain.contains('|') { '|' } else { ',' };
            let inner = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(plain);
            Ok(value::strings(inner.split(separator).map(|part| part.trim().to_owned())))
        }
    }
}

/// A whole number that a double may not hold.
fn whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() > 15 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
