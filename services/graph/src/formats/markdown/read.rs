//! Understands a Markdown page.

use serde_json::{Map, Value as Json};
use weft_proto::weft::graph::v1::Node;

use super::super::FormatError;
use super::super::out::{MAX_TYPE_BYTES, Out};
use super::super::pages::read::{Dialect, newlines, page_type, set_text, split_listed};
use super::super::pages::scan::{Scan, wiki_links, without_ending};
use super::super::pages::write::edge_from_json;
use super::super::pages::{LINK, LINKS_MARK, Link, Page, Target};
use super::super::value;
use super::{EDGES, KEY, LABELS, PROPERTIES};

/// Longest front matter, in bytes.
const MAX_FRONT_MATTER_BYTES: usize = 256 << 10;

/// Pages in Markdown with front matter in YAML.
pub(in super::super) struct MarkdownDialect;

impl Dialect for MarkdownDialect {
    fn items(&self, text: &str) -> Vec<String> {
        // A list is written as one in YAML; a comma belongs to a name.
        if !text.contains("[[") {
            return Some(text.trim().to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
        }
        wiki_links(text)
            .filter_map(|link| link.split(['|', '#']).next())
            .map(without_ending)
            .map(str::to_owned)
            .collect()
    }

    fn parse(&self, text: &str, out: &mut Out<'_>) -> Result<Page, FormatError> {
        let (front, body) = split_front_matter(text);
        let lines_before = newlines(&text[..text.len() - body.len()]);
        let mut members = front.map(|front| front_matter(front, out)).unwrap_or_default();
        let path_key = path_key(out.path);
        let key = take_text(&mut members, KEY).unwrap_or_else(|| path_key.to_owned());
        let mut page = Page { node: Node { key, ..Node::default() }, ..Page::default() };
        // The list of edges is behind an empty line.
        let mark = format!("\n\n{LINKS_MARK}\n");
        let (body, listed) = split_listed(body, &mark, lines_before);
        page.links = listed;
        let kind = out.options.default_edge_type.as_str();
        let link_kind = if kind.is_empty() { LINK } else { kind };
        apply(&mut page, members, out);
        let scan = Scan { page: path_key, link_kind, logseq: false, lines_before };
        let findings = scan.run(body);
        page.links.extend(findings.links);
        page.node.labels.extend(findings.tags);
        set_text(&mut page.node, body, out);
        Ok(page)
    }
}

/// The key that a path tells.
pub(super) fn path_key(path: &str) -> &str {
    let path = path.strip_suffix(".gz").unwrap_or(path);
    without_ending(path)
}

/// Gives the page what the front matter says.
fn apply(page: &mut Page, mut members: Map<String, Json>, out: &mut Out<'_>) {
    let node = &mut page.node;
    node.r#type = take_text(&mut members, "type").unwrap_or_else(|| page_type(out));
    let title = take_text(&mut members, "title");
    page.is_titled = title.is_some();
    node.display_name = title.unwrap_or_else(|| {
        let last = node.key.rsplit_once('/').map(|(_, last)| last);
        last.unwrap_or_default().to_owned()
    });
    for name in ["tags", "tag"] {
        let tags = members.remove(name).map(texts).unwrap_or_default();
        node.labels.extend(tags.into_iter().map(|tag| tag.strip_prefix('#').unwrap_or(&tag).to_owned()));
    }
    if let Some(Json::Array(labels)) = members.remove(LABELS) {
        node.labels.extend(labels.into_iter().filter_map(into_text));
    }
    for name in ["aliases", "alias"] {
        page.aliases.extend(members.get(name).cloned().map(texts).unwrap_or_default());
    }
    page.aliases.extend((!node.display_name.is_empty()).then(|| node.display_name.clone()));
    if let Some(Json::Array(edges)) = members.remove(EDGES) {
        page.edges.extend(edges.into_iter().filter_map(|edge| edge_from_json(&node.key, edge)));
    }
    let nested = members.remove(PROPERTIES);
    for (name, value) in members.iter().filter(|(name, _)| name.len() <= MAX_TYPE_BYTES) {
        page.links.extend(links(value).map(|target| Link {
            target: Target::Name(target.to_owned()),
            kind: name.clone(),
            line: 1,
            node_type: None,
            listed: false,
        }));
    }
    if let Some(Json::Object(nested)) = nested {
        members.extend(nested);
    }
    if members.is_empty() {
        return;
    }
    match value::struct_from_json(members) {
        Ok(properties) => node.properties = Some(properties.into()),
        Err(_) => out.warn(1, format!("the front matter is left out: {}", value::TooDeep::problem())),
    }
}

/// Parts the front matter from the text.
pub(super) fn split_front_matter(text: &str) -> (Option<&str>, &str) {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return (None, text);
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        let after = at + line.len();
        if matches!(line.trim_end_matches(['\n', '\r']), "---" | "...") {
            return (Some(&rest[..at]), &rest[after..]);
        }
        at = after;
    }
    (None, text)
}

fn front_matter(yaml: &str, out: &mut Out<'_>) -> Map<String, Json> {
    if yaml.len() > MAX_FRONT_MATTER_BYTES {
        out.warn(1, "the front matter is left out: it is longer than 256 KiB");
        return Map::new();
    }
    if yaml.trim().is_empty() {
        return Map::new();
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 50_000, max_aliases: 64, flow_nesting_limit: 64 },
    };
    match serde_saphyr::from_str_with_options(yaml, options) {
        Ok(Json::Object(members)) => members,
        Ok(Json::Null) => Map::new(),
        Ok(_) => {
            out.warn(1, "the front matter is left out: it is not a list of names and values");
            Map::new()
        }
        Err(error) => {
            let mut problem = error.to_string();
            problem.truncate(problem.find('\n').unwrap_or(problem.len()));
            super::super::out::cut(&mut problem, 200);
            out.warn(1, format!("the front matter is left out: it is not YAML: {problem}"));
            Map::new()
        }
    }
}

/// Names of pages in a value that is a link or a list of links.
pub(super) fn links(value: &Json) -> impl Iterator<Item = &str> {
    let list = match value {
        Json::Array(values) => values.as_slice(),
        other => std::slice::from_ref(other),
    };
    list.iter().filter_map(|value| {
        let inner = value.as_str()?.strip_prefix("[[")?.strip_suffix("]]")?;
        let name = inner.split(['|', '#']).next()?.trim();
        (!name.is_empty() && !inner.contains("]]")).then(|| without_ending(name))
    })
}

fn take_text(members: &mut Map<String, Json>, name: &str) -> Option<String> {
    if !members.get(name)?.is_string() {
        return None;
    }
    members.remove(name).and_then(into_text)
}

fn into_text(json: Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A list of texts, or one text parted by commas or white space.
fn texts(json: Json) -> Vec<String> {
    match json {
        Json::Array(values) => values.into_iter().filter_map(into_text).collect(),
        Json::String(text) if text.contains(',') => {
            text.split(',').map(|part| part.trim().to_owned()).collect()
        }
        Json::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
