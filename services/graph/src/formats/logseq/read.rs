//! Understands a Logseq page.

use serde_json::Value as Json;
use weft_proto::weft::graph::v1::Node;

use super::super::FormatError;
use super::super::out::Out;
use super::super::pages::read::{Dialect, newlines, page_type, set_text, split_listed};
use super::super::pages::scan::{Scan, wiki_links};
use super::super::pages::write::edge_from_json;
use super::super::pages::{LINK, LINKS_MARK, Link, Page, Target};
use super::super::value;
use super::names::{self, Named};
use super::{EDGES, JOURNAL, KEY, LABELS, NAME, PROPERTIES, TYPE};

/// Longest name of a property, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Pages and journals of Logseq.
pub(in super::super) struct LogseqDialect;

impl Dialect for LogseqDialect {
    fn items(&self, text: &str) -> Vec<String> {
        items(text)
    }

    fn parse(&self, text: &str, out: &mut Out<'_>) -> Result<Page, FormatError> {
        let (properties, body) = split_properties(text);
        let lines_before = newlines(&text[..text.len() - body.len()]);
        let Named { key, day } = names::named(out.path);
        let kind = if day.is_some() { JOURNAL.to_owned() } else { page_type(out) };
        let mut node = Node { key, r#type: kind, ..Node::default() };
        let mut page = Page::default();
        if let Some(day) = day {
            node.display_name = day.name();
            page.aliases.extend([day.name(), day.file_stem()]);
        }
        page.node = node;
        let mut key_is_told = false;
        let (body, listed) = split_listed(body, &listed_mark(), lines_before);
        for (at, (name, text)) in properties.iter().enumerate() {
            key_is_told |= *name == KEY;
            property(&mut page, name, text, at as u64 + 1, out);
        }
        page.links.extend(listed);
        if !key_is_told && let Some((parent, _)) = page.node.key.rsplit_once('/') {
            page.links.push(Link {
                target: Target::Path(parent.to_owned()),
                kind: "namespace".to_owned(),
                line: 0,
                node_type: None,
                listed: true,
            });
        }
        page.blocks = block_ids(body);
        let kind = out.options.default_edge_type.as_str();
        let link_kind = if kind.is_empty() { LINK } else { kind };
        let findings = Scan { page: "", link_kind, logseq: true, lines_before }.run(body);
        page.links.extend(findings.links);
        page.node.labels.extend(findings.tags);
        set_text(&mut page.node, body, out);
        Ok(page)
    }
}

/// What parts the text from the list of edges, which is a block of its own.
pub(super) fn listed_mark() -> String {
    format!("\n\n- {LINKS_MARK}\n")
}

/// Parts the properties at the top of a page from its text; one empty line between them belongs to
/// neither.
pub(super) fn split_properties(text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut properties = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some(property) = as_property(line) else { break };
        properties.push(property);
        rest = after;
    }
    if !properties.is_empty() {
        rest = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")).unwrap_or(rest);
    }
    (properties, rest)
}

/// A line of the form `name:: value`.
fn as_property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once("::")?;
    let plain =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '?' | '!');
    let named = !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(plain);
    let parted = value.is_empty() || value.starts_with([' ', '\r']);
    (named && parted).then(|| (name, value.trim()))
}

fn property(page: &mut Page, name: &str, text: &str, line: u64, out: &mut Out<'_>) {
    let node = &mut page.node;
    match name {
        KEY => {
            if let Ok(Json::String(key)) = serde_json::from_str(text) {
                node.key = key;
            }
        }
        TYPE => {
            if let Ok(Json::String(kind)) = serde_json::from_str(text) {
                node.r#type = kind;
            }
        }
        NAME => {
            if let Ok(Json::String(name)) = serde_json::from_str(text) {
                node.display_name = name;
            }
        }
        "title" if !text.is_empty() => text.clone_into(&mut node.key),
        "type" => unlink(text).clone_into(&mut node.r#type),
        "tags" | "tag" => node.labels.extend(items(text)),
        LABELS => node.labels.extend(serde_json::from_str::<Vec<String>>(text).unwrap_or_default()),
        EDGES => {
            let edges: Vec<Json> = serde_json::from_str(text).unwrap_or_default();
            page.edges.extend(edges.into_iter().filter_map(|edge| edge_from_json(&node.key, edge)));
        }
        PROPERTIES => {
            let members = serde_json::from_str(text).unwrap_or_default();
            match value::struct_from_json(members) {
                Ok(more) => node.properties.get_or_insert_default().fields.extend(more.fields),
                Err(_) => out.warn(line, value::TooDeep::problem()),
            }
        }
        "id" => page.blocks.push(text.to_owned()),
        _ => {
            let links = wiki_links(text);
            page.links.extend(links.map(|target| Link {
                target: Target::Name(target.to_owned()),
                kind: name.to_owned(),
                line,
                node_type: None,
                listed: false,
            }));
            let value = if matches!(name, "alias" | "aliases") {
                page.aliases.extend(items(text));
                value::strings(items(text))
            } else {
                value::infer(text)
            };
            node.properties.get_or_insert_default().fields.insert(name.to_owned(), value);
        }
    }
}

/// Items parted by commas, each `word`, `#word` or `[[words]]`.
fn items(text: &str) -> Vec<String> {
    let parts = text.split(',').map(|part| unlink(part.trim()).to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

pub(super) fn unlink(text: &str) -> &str {
    let text = text.strip_prefix('#').unwrap_or(text);
    text.strip_prefix("[[").and_then(|inner| inner.strip_suffix("]]")).unwrap_or(text)
}

/// The ids that blocks of a page have.
fn block_ids(text: &str) -> Vec<String> {
    let ids = text.lines().filter_map(|line| {
        let line = line.trim_start_matches([' ', '\t', '-']);
        line.strip_prefix("id:: ").map(|id| id.trim().to_owned())
    });
    ids.collect()
}
