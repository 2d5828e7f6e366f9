//! What the members of a node and an edge mean.

use prost_types::Struct;
use prost_types::value::Kind;
use serde_json::{Map, Value as Json};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

use super::super::value::{self, TooDeep};

/// What keeps a value from being an element.
pub(super) struct Wrong(pub(super) String);

impl From<TooDeep> for Wrong {
    fn from(_: TooDeep) -> Self {
        Self(TooDeep::problem())
    }
}

/// A node that may lack its key.
pub(super) fn node(key: Option<String>, json: Json) -> Result<Node, Wrong> {
    let mut members = match json {
        Json::Object(members) => members,
        Json::Null => Map::new(),
        _ => return Err(Wrong("a node is not an object".to_owned())),
    };
    let mut node = Node::default();
    let names = ["label", "display_name", "name"].iter().find_map(|name| text(&mut members, name));
    node.display_name = names.unwrap_or_default();
    node.key = match key {
        Some(key) => key,
        None => ["id", "key"].iter().find_map(|name| id(&mut members, name)).unwrap_or_default(),
    };
    if let Some(Json::Object(mut metadata)) = members.remove("metadata") {
        describe(&mut node, &mut metadata)?;
        add_properties(&mut node.properties, metadata)?;
    }
    describe(&mut node, &mut members)?;
    add_properties(&mut node.properties, members)?;
    Ok(node)
}

fn describe(node: &mut Node, members: &mut Map<String, Json>) -> Result<(), Wrong> {
    if let Some(kind) = text(members, "type") {
        node.r#type = kind;
    }
    let labels = members.get("labels").and_then(Json::as_array);
    if labels.is_some_and(|labels| labels.iter().all(Json::is_string))
        && let Some(Json::Array(labels)) = members.remove("labels")
    {
        node.labels = labels.into_iter().filter_map(into_text).collect();
    }
    nested_properties(&mut node.properties, members)
}

/// An edge whose end points are as they stand; numbers are told apart by the caller.
pub(super) struct Found {
    pub(super) edge: Edge,
    /// Positions of the end points, where they are whole numbers.
    pub(super) positions: [Option<usize>; 2],
    pub(super) undirected: bool,
}

pub(super) fn edge(json: Json) -> Result<Found, Wrong> {
    let Json::Object(mut members) = json else { return Err(Wrong("an edge is not an object".to_owned())) };
    let mut edge = Edge::default();
    let mut positions = [None, None];
    for (at, (end, names)) in
        [(&mut edge.source, ["source", "from"]), (&mut edge.target, ["target", "to"])].into_iter().enumerate()
    {
        let name = names.iter().find(|name| members.contains_key(**name));
        let Some(name) = name else { return Err(Wrong(format!("an edge has no `{}`", names[0]))) };
        positions[at] = members.get(*name).and_then(position);
        *end = id(&mut members, name)
            .ok_or_else(|| Wrong(format!("`{name}` of an edge is neither text nor a number")))?;
    }
    edge.key = ["id", "key"].iter().find_map(|name| text(&mut members, name)).unwrap_or_default();
    edge.r#type = ["relation", "type"].iter().find_map(|name| text(&mut members, name)).unwrap_or_default();
    edge.weight = number(&mut members, "weight").or_else(|| number(&mut members, "value"));
    let undirected = matches!(members.remove("directed"), Some(Json::Bool(false)));
    if let Some(Json::Object(mut metadata)) = members.remove("metadata") {
        edge.weight = number(&mut metadata, "weight").or(edge.weight);
        nested_properties(&mut edge.properties, &mut metadata)?;
        add_properties(&mut edge.properties, metadata)?;
    }
    nested_properties(&mut edge.properties, &mut members)?;
    add_properties(&mut edge.properties, members)?;
    Ok(Found { edge, positions, undirected })
}

fn nested_properties(
    properties: &mut Option<Lazy<Struct>>,
    members: &mut Map<String, Json>,
) -> Result<(), Wrong> {
    if members.get("properties").is_some_and(Json::is_object)
        && let Some(Json::Object(nested)) = members.remove("properties")
    {
        add_properties(properties, nested)?;
    }
    Ok(())
}

fn add_properties(properties: &mut Option<Lazy<Struct>>, members: Map<String, Json>) -> Result<(), Wrong> {
    if members.is_empty() {
        return Ok(());
    }
    let new = value::struct_from_json(members)?;
    match properties {
        Some(known) => known.fields.extend(new.fields),
        None => *properties = Some(new.into()),
    }
    Ok(())
}

fn text(members: &mut Map<String, Json>, name: &str) -> Option<String> {
    if !members.get(name)?.is_string() {
        return None;
    }
    members.remove(name).and_then(into_text)
}

fn into_text(json: Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text),
        _ => None,
    }
}

fn number(members: &mut Map<String, Json>, name: &str) -> Option<f64> {
    let number = members.get(name)?.as_f64()?;
    members.remove(name);
    Some(number)
}

/// Text, or a number as text.
fn id(members: &mut Map<String, Json>, name: &str) -> Option<String> {
    let id = match members.get(name)? {
        Json::String(_) => return members.remove(name).and_then(into_text),
        Json::Number(number) => value::number_text(number.as_f64()?),
        _ => return None,
    };
    members.remove(name);
    Some(id)
}

fn position(json: &Json) -> Option<usize> {
    let number = json.as_f64()?;
    (number >= 0.0 && number.fract() == 0.0 && number < 4e9).then_some(number as usize)
}

/// A node's key where it has no id: its name, which then is not told twice.
pub(super) fn key_from_name(node: &mut Node) -> Option<String> {
    if !node.display_name.is_empty() {
        return Some(std::mem::take(&mut node.display_name));
    }
    let name = node.properties.as_mut()?.fields.get("name")?;
    match &name.kind {
        Some(Kind::StringValue(name)) if !name.is_empty() => Some(name.clone()),
        _ => None,
    }
}
