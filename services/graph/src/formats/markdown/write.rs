//! Writes Markdown pages.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};
use weft_proto::weft::graph::v1::Node;

use super::super::pages::write::{PageStyle, Rendered, is_plain_tag, push_listed, safe_part, text_of};
use super::super::pages::{LINKS_MARK, PAGE, TEXT};
use super::super::value;
use super::read::{links, path_key};
use super::{EDGES, KEY, LABELS, PROPERTIES};

/// Names of front matter that are no properties.
const TAKEN: [&str; 10] = ["type", "title", "tags", "tag", TEXT, KEY, EDGES, LABELS, PROPERTIES, "<<"];
/// Longest name of a property in front matter: YAML bounds its keys.
const MAX_NAME_BYTES: usize = 128;

/// Pages in Markdown with front matter in YAML.
pub(in super::super) struct MarkdownStyle;

impl PageStyle for MarkdownStyle {
    fn path(&self, node: &Node) -> String {
        let plain = node.key.split('/').all(|part| !part.is_empty() && safe_part(part) == part);
        if plain {
            return format!("{}.md", node.key);
        }
        let parts = node.key.split('/').filter(|part| !part.is_empty()).map(safe_part);
        let path = parts.collect::<Vec<_>>().join("/");
        format!("{}.md", if path.is_empty() { "page" } else { &path })
    }

    fn key_of(&self, path: &str) -> String {
        path_key(path).to_owned()
    }

    fn render(&self, page: &Rendered<'_>) -> String {
        let mut front = String::new();
        front_matter(&mut front, page);
        let mut content = String::new();
        if !front.is_empty() || page.text.starts_with("---") {
            content.push_str("---\n");
            content.push_str(&front);
            content.push_str("---\n");
        }
        content.push_str(page.text);
        push_listed(&mut content, &format!("\n\n{LINKS_MARK}\n"), &page.listed);
        content
    }
}

fn front_matter(front: &mut String, page: &Rendered<'_>) {
    let node = page.node;
    if page.path_key != node.key {
        push(front, KEY, &json!(node.key));
    }
    let implied = node.key.rsplit_once('/').map_or("", |(_, last)| last);
    if node.display_name != implied {
        push(front, "title", &json!(node.display_name));
    }
    if node.r#type != PAGE {
        push(front, "type", &json!(node.r#type));
    }
    let (tags, labels): (Vec<&String>, Vec<&String>) =
        node.labels.iter().partition(|label| is_plain_tag(label));
    // One list, if some label is no tag, so that their order is kept.
    if labels.is_empty() && !tags.is_empty() {
        push(front, "tags", &json!(tags));
    } else if !labels.is_empty() {
        push(front, LABELS, &json!(node.labels));
    }
    let mut nested = Map::new();
    for (name, value) in node.properties.iter().flat_map(|properties| &properties.fields) {
        if name == TEXT && text_of(node).is_some() {
            continue;
        }
        let value = value::to_json(value);
        if is_plain(name, &value) {
            push(front, name, &value);
        } else {
            nested.insert(name.clone(), value);
        }
    }
    if !nested.is_empty() {
        push(front, PROPERTIES, &Json::Object(nested));
    }
    if !page.edges.is_empty() {
        push(front, EDGES, &json!(page.edges));
    }
}

/// Whether a property can stand in front matter by its own name.
fn is_plain(name: &str, value: &Json) -> bool {
    !TAKEN.contains(&name)
        && !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && links(value).next().is_none()
}

/// Adds `name: value`, both as JSON, which is YAML too.
fn push(front: &mut String, name: &str, value: &Json) {
    let plain = name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
        && !matches!(
            name,
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "inf" | "nan"
        );
    let name = if plain && !name.is_empty() { name.to_owned() } else { yaml(&json!(name)) };
    let _ = writeln!(front, "{name}: {}", yaml(value));
}

/// JSON in which characters that YAML does not print are written as numbers.
fn yaml(value: &Json) -> String {
    let text = value.to_string();
    let awkward = |character: char| {
        matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    if !text.contains(awkward) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if awkward(character) {
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}
