//! Writes pages: collects each with its edges, and gives every key a path of its own.

use std::collections::HashMap;
use std::fmt::Write as _;

use prost_types::value::Kind;
use serde_json::{Map, Value as Json, json};
use weft_proto::weft::graph::v1::{Edge, Graph, Node};

use super::super::chunks::Chunks;
use super::super::format_writer::FormatWriter;
use super::super::schema::Schema;
use super::super::{FormatError, Position, value};
use super::{LINK, TEXT};

/// Most bytes of the pages and edges of one export, which are held until its end.
const MAX_HELD_BYTES: usize = 1 << 30;
/// Longest part of a path, in bytes: file systems allow 255.
const MAX_PART_BYTES: usize = 200;
/// Longest path, in bytes, with room for a number; longer ones are not read back.
const MAX_PATH_BYTES: usize = 960;

/// What tells one kind of page from another.
pub(in super::super) trait PageStyle: Send {
    /// The path that a page would have, with its ending.
    fn path(&self, node: &Node) -> String;
    /// The key that a reader takes from a path.
    fn key_of(&self, path: &str) -> String;
    /// The page's content.
    fn render(&self, page: &Rendered<'_>) -> String;
}

/// A page to be rendered.
pub(in super::super) struct Rendered<'a> {
    pub(in super::super) node: &'a Node,
    /// The key that its path tells.
    pub(in super::super) path_key: String,
    pub(in super::super) text: &'a str,
    /// Edges that a line can tell: type and key of the target.
    pub(in super::super) listed: Vec<(&'a str, &'a str)>,
    /// The other edges, as JSON.
    pub(in super::super) edges: Vec<Json>,
}

/// Writes a folder of pages.
pub(in super::super) struct PagesWriter<S> {
    style: S,
    nodes: Vec<Node>,
    edges: HashMap<String, Vec<Edge>>,
    held: usize,
}

impl<S> PagesWriter<S> {
    pub(in super::super) fn new(style: S) -> Self {
        Self { style, nodes: Vec::new(), edges: HashMap::new(), held: 0 }
    }

    fn hold(&mut self, bytes: usize) -> Result<(), FormatError> {
        self.held += bytes;
        if self.held <= MAX_HELD_BYTES {
            return Ok(());
        }
        let problem = "the graph has too many bytes for a folder of pages; filter it or take another format";
        let at = Position::default();
        Err(FormatError::TooLarge { at, problem: problem.to_owned(), limit: MAX_HELD_BYTES as u64 })
    }
}

impl<S: PageStyle> FormatWriter for PagesWriter<S> {
    fn begin(&mut self, _: &Graph, _: &Schema, _: &mut Chunks) -> Result<(), FormatError> {
        Ok(())
    }

    fn node(&mut self, node: &Node, _: &Schema, _: &mut Chunks) -> Result<(), FormatError> {
        self.hold(prost::Message::encoded_len(node) + size_of::<Node>())?;
        self.nodes.push(node.clone());
        Ok(())
    }

    fn edge(&mut self, edge: &Edge, _: &Schema, _: &mut Chunks) -> Result<(), FormatError> {
        self.hold(prost::Message::encoded_len(edge) + size_of::<Edge>())?;
        self.edges.entry(edge.source.clone()).or_default().push(edge.clone());
        Ok(())
    }

    fn finish(&mut self, _: &Schema, out: &mut Chunks) -> Result<(), FormatError> {
        let mut taken = HashMap::new();
        for node in std::mem::take(&mut self.nodes) {
            let edges = self.edges.remove(&node.key).unwrap_or_default();
            // Keys that differ only in case would share a file on some systems.
            let path = self.style.path(&node);
            let path = if path.len() > MAX_PATH_BYTES { "pages/long.md".to_owned() } else { path };
            let path = free_path(path, &mut taken);
            let path_key = self.style.key_of(&path);
            let (listed, rest): (Vec<&Edge>, Vec<&Edge>) = edges.iter().partition(|edge| can_be_listed(edge));
            let listed =
                listed.into_iter().map(|edge| (edge.r#type.as_str(), edge.target.as_str())).collect();
            let edges = rest.into_iter().map(edge_json).collect();
            let text = text_of(&node).unwrap_or_default();
            let page = Rendered { node: &node, path_key, text, listed, edges };
            out.write_file(&path, self.style.render(&page).as_bytes());
        }
        out.end_archive();
        Ok(())
    }
}

/// The text that is a page's body. One that is empty would not come back, and is a property like
/// others.
pub(in super::super) fn text_of(node: &Node) -> Option<&str> {
    match &node.properties.as_ref()?.fields.get(TEXT)?.kind {
        Some(Kind::StringValue(text)) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

/// The listed edges as lines.
pub(in super::super) fn push_listed(content: &mut String, mark: &str, listed: &[(&str, &str)]) {
    if listed.is_empty() && !content.contains(mark) {
        return;
    }
    content.push_str(mark);
    for (kind, target) in listed {
        content.push_str("- ");
        if *kind != LINK {
            content.push_str(kind);
            content.push_str(":: ");
        }
        content.push_str("[[");
        content.push_str(target);
        content.push_str("]]\n");
    }
}

/// Whether a label can stand in a list of tags as it is.
pub(in super::super) fn is_plain_tag(label: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '/');
    !label.is_empty()
        && label.chars().all(plain)
        && label.chars().any(|character| !character.is_ascii_digit())
}

fn can_be_listed(edge: &Edge) -> bool {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, ' ' | '_' | '-' | '.');
    let kind = &edge.r#type;
    let kind_fits = kind.chars().next().is_some_and(char::is_alphabetic)
        && kind.len() <= 64
        && kind.trim() == kind
        && kind.chars().all(plain);
    let target = &edge.target;
    let target_fits = !target.contains(['[', ']', '|', '#', '^', '\\'])
        && target.trim() == target
        && !target.starts_with(['.', '/'])
        && !super::scan::is_attachment(target);
    kind_fits && target_fits && edge.weight.is_none() && edge.key.is_empty() && edge.properties.is_none()
}

/// An edge as JSON, without its source.
fn edge_json(edge: &Edge) -> Json {
    let mut members = Map::new();
    members.insert("target".to_owned(), json!(edge.target));
    members.insert("type".to_owned(), json!(edge.r#type));
    if !edge.key.is_empty() {
        members.insert("key".to_owned(), json!(edge.key));
    }
    if let Some(weight) = edge.weight {
        members.insert("weight".to_owned(), value::number_json(weight));
    }
    if let Some(properties) = &edge.properties {
        members.insert("properties".to_owned(), value::struct_to_json(properties));
    }
    Json::Object(members)
}

/// An edge from the JSON that a page was written with; `None` if it is none.
pub(in super::super) fn edge_from_json(source: &str, json: Json) -> Option<Edge> {
    let Json::Object(mut members) = json else { return None };
    let mut text = |name: &str| match members.remove(name) {
        Some(Json::String(text)) => text,
        _ => String::new(),
    };
    let (key, target, kind) = (text("key"), text("target"), text("type"));
    let properties = match members.remove("properties") {
        Some(Json::Object(members)) => Some(value::struct_from_json(members).ok()?.into()),
        _ => None,
    };
    let weight = members.remove("weight").and_then(|weight| weight.as_f64());
    let source = source.to_owned();
    (!target.is_empty()).then(|| Edge {
        key,
        source,
        target,
        r#type: kind,
        weight,
        properties,
        ..Edge::default()
    })
}

/// A part of a path that every system takes: other characters are written `%XX`.
pub(in super::super) fn safe_part(part: &str) -> String {
    let mut safe = String::with_capacity(part.len());
    let last = part.len().saturating_sub(1);
    for (at, character) in part.char_indices() {
        let awkward = character.is_control()
            || matches!(character, '%' | '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || matches!(character, '#' | '^' | '[' | ']')
            || (character == '.' && at == 0)
            || (matches!(character, '.' | ' ') && (at == last || at == 0))
            || ('\u{fff0}'..='\u{ffff}').contains(&character);
        if awkward {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(safe, "%{byte:02X}");
            }
        } else {
            safe.push(character);
        }
    }
    if safe.len() > MAX_PART_BYTES {
        safe.truncate(safe.floor_char_boundary(MAX_PART_BYTES));
        // Half of an escape at the cut would read as another character.
        if let Some(at) = safe.rfind('%').filter(|at| at + 3 > safe.len()) {
            safe.truncate(at);
        }
    }
    safe
}

/// A path that no page before has, in any case: numbered if need be. `taken` tells how many pages
/// asked for each.
fn free_path(path: String, taken: &mut HashMap<String, u64>) -> String {
    let asked = taken.entry(path.to_lowercase()).or_default();
    *asked += 1;
    if *asked == 1 {
        return path;
    }
    let numbered = format!("{} ({asked}).md", super::scan::without_ending(&path));
    // Some page may be called so; then both numbers are in the name.
    free_path(numbered, taken)
}
