//! Writes Logseq pages.

use serde_json::{Map, Value as Json, json};
use weft_proto::weft::graph::v1::Node;

use super::super::pages::scan::wiki_links;
use super::super::pages::write::{PageStyle, Rendered, is_plain_tag, push_listed, safe_part, text_of};
use super::super::pages::{PAGE, TEXT};
use super::super::value;
use super::names::{self, Day};
use super::read::{listed_mark, split_properties, unlink};
use super::{EDGES, JOURNAL, KEY, LABELS, NAME, PROPERTIES, TYPE};

/// Properties of pages that mean something else.
const TAKEN: [&str; 15] = [
    "type",
    "title",
    "tags",
    "tag",
    "alias",
    "aliases",
    "id",
    TEXT,
    KEY,
    NAME,
    EDGES,
    LABELS,
    PROPERTIES,
    TYPE,
    "collapsed",
];

/// Pages and journals of Logseq.
pub(in super::super) struct LogseqStyle;

impl PageStyle for LogseqStyle {
    fn path(&self, node: &Node) -> String {
        match day_of(node) {
            Some(day) => format!("journals/{}.md", day.file_stem()),
            None => format!("pages/{}.md", safe_part(&node.key.replace('/', "___")).replace("%2F", "___")),
        }
    }

    fn key_of(&self, path: &str) -> String {
        names::named(path).key
    }

    fn render(&self, page: &Rendered<'_>) -> String {
        let mut content = properties(page);
        if !content.is_empty() {
            content.push('\n');
        } else if page.text.starts_with('\n') || !split_properties(page.text).0.is_empty() {
            push(&mut content, "type", PAGE);
            content.push('\n');
        }
        content.push_str(page.text);
        push_listed(&mut content, &listed_mark(), &page.listed);
        content
    }
}

fn day_of(node: &Node) -> Option<Day> {
    let day = Day::parse(&node.key).filter(|day| day.key() == node.key);
    day.filter(|_| node.r#type == JOURNAL)
}

fn properties(page: &Rendered<'_>) -> String {
    let node = page.node;
    let mut content = String::new();
    let day = day_of(node);
    // With a key that is told, no name spaces are derived from it.
    if page.path_key != node.key || node.key.contains('/') {
        push(&mut content, KEY, &json!(node.key).to_string());
    }
    if node.display_name != day.map(Day::name).unwrap_or_default() {
        push(&mut content, NAME, &json!(node.display_name).to_string());
    }
    let mut nested = Map::new();
    if day.is_none() && node.r#type != PAGE {
        let kind = &node.r#type;
        if unlink(kind) == kind && kind.trim() == kind && !kind.contains(char::is_control) {
            push(&mut content, "type", kind);
        } else {
            push(&mut content, TYPE, &json!(kind).to_string());
        }
    }
    if !node.labels.is_empty() {
        if node.labels.iter().all(|label| is_plain_tag(label)) {
            push(&mut content, "tags", &node.labels.join(", "));
        } else {
            push(&mut content, LABELS, &json!(node.labels).to_string());
        }
    }
    for (name, value) in node.properties.iter().flat_map(|properties| &properties.fields) {
        if name == TEXT && text_of(node).is_some() {
            continue;
        }
        match plain(name, value) {
            Some(text) => push(&mut content, name, &text),
            None => {
                nested.insert(name.clone(), value::to_json(value));
            }
        }
    }
    if !nested.is_empty() {
        push(&mut content, PROPERTIES, &Json::Object(nested).to_string());
    }
    if !page.edges.is_empty() {
        push(&mut content, EDGES, &json!(page.edges).to_string());
    }
    content
}

/// The text of a property that comes back as it is.
fn plain(name: &str, value: &prost_types::Value) -> Option<String> {
    let lower = |character: char| character.is_ascii_lowercase() || character == '-' || character == '_';
    if TAKEN.contains(&name) || name.is_empty() || name.len() > 64 || !name.chars().all(lower) {
        return None;
    }
    let text = match value::to_json(value) {
        Json::String(text) => text,
        Json::Number(_) | Json::Bool(_) => super::super::schema::cell_text(value),
        _ => return None,
    };
    let plain = !text.contains(char::is_control)
        && text.trim() == text
        && value::infer(&text) == *value
        && wiki_links(&text).next().is_none();
    plain.then_some(text)
}

fn push(content: &mut String, name: &str, text: &str) {
    content.push_str(name);
    content.push_str("::");
    if !text.is_empty() {
        content.push(' ');
        content.push_str(text);
    }
    content.push('\n');
}
