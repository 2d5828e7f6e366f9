//! Reads a folder of pages: each page when it ends, the links when all pages are known.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use weft_proto::weft::graph::v1::{Edge, Node};

use super::super::FormatError;
use super::super::format_reader::FormatReader;
use super::super::out::{MAX_TYPE_BYTES, Out, cut, key_problem};
use super::super::value;
use super::index::Index;
use super::{Link, PAGE, Page, TEXT, Target};

/// What tells one kind of page from another.
pub(in super::super) trait Dialect: Send {
    /// The items of a property's text.
    fn items(&self, text: &str) -> Vec<String>;

    /// Understands a page.
    fn parse(&self, text: &str, out: &mut Out<'_>) -> Result<Page, FormatError>;
}

/// Reads the pages of one import.
pub(in super::super) struct PagesReader<D> {
    dialect: D,
    text: String,
    index: Index,
    pages: Vec<Pending>,
}

/// A page whose links wait for the other pages.
struct Pending {
    path: String,
    key: String,
    links: Vec<Link>,
    edges: Vec<Edge>,
}

impl<D> PagesReader<D> {
    pub(in super::super) fn new(dialect: D) -> Self {
        Self { dialect, text: String::new(), index: Index::default(), pages: Vec::new() }
    }
}

impl<D: Dialect> FormatReader for PagesReader<D> {
    fn begin(&mut self, _: &mut Out<'_>) -> Result<(), FormatError> {
        self.text.clear();
        Ok(())
    }

    fn text(&mut self, text: &str, out: &mut Out<'_>) -> Result<(), FormatError> {
        let max = out.limits().max_page_bytes;
        if self.text.len() + text.len() > max {
            return Err(out.too_large(0, "the page has too many bytes", max));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let Page { mut node, aliases, blocks, mut links, edges, is_titled: _ } =
            self.dialect.parse(&self.text, out)?;
        property_links(&self.dialect, &node, &mut links, out);
        // One odd page is no reason to refuse all others.
        if node.r#type.len() > MAX_TYPE_BYTES {
            out.warn(0, format!("the page's type is left out: it has {} bytes", node.r#type.len()));
            node.r#type = page_type(out);
        }
        self.index.add(&node.key, aliases, blocks);
        self.pages.push(Pending { path: out.path.to_owned(), key: node.key.clone(), links, edges });
        out.node(node, 0)
    }

    fn finish(&mut self, out: &mut Out<'_>) -> Result<(), FormatError> {
        let mut missing = HashSet::new();
        for page in std::mem::take(&mut self.pages) {
            let out = &mut Out { sink: &mut *out.sink, options: out.options, path: &page.path };
            self.link(&page.key, &page.links, page.edges, &mut missing, out)?;
        }
        Ok(())
    }
}

impl<D> PagesReader<D> {
    /// Hands on the edges of a page: those written out, then those listed, then those in its text,
    /// one for each target and type, weighted by how often the text has it.
    fn link(
        &self,
        from: &str,
        links: &[Link],
        mut edges: Vec<Edge>,
        missing: &mut HashSet<String>,
        out: &mut Out<'_>,
    ) -> Result<(), FormatError> {
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for (at, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.key.is_empty()) {
            known.insert((edge.target.clone(), edge.r#type.clone()), at);
        }
        let mut add = |edges: &mut Vec<Edge>, link: &Link, counting_from: usize, out: &mut Out<'_>| {
            let Some(target) = self.target(link, from, missing, out)? else { return Ok(()) };
            let edge = Edge { source: from.to_owned(), target, r#type: link.kind.clone(), ..Edge::default() };
            match known.entry((edge.target.clone(), edge.r#type.clone())) {
                Entry::Occupied(known) if *known.get() >= counting_from => {
                    let edge = &mut edges[*known.get()];
                    edge.weight = Some(edge.weight.unwrap_or(1.0) + 1.0);
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(free) => {
                    free.insert(edges.len());
                    edges.push(edge);
                }
            }
            Ok(())
        };
        for link in links.iter().filter(|link| link.listed) {
            add(&mut edges, link, usize::MAX, out)?;
        }
        let counting_from = edges.len();
        for link in links.iter().filter(|link| !link.listed) {
            add(&mut edges, link, counting_from, out)?;
        }
        edges.into_iter().try_for_each(|edge| out.edge(edge, 0))
    }

    /// The key that a link points to; of a page that is not there, a placeholder is made.
    fn target(
        &self,
        link: &Link,
        from: &str,
        missing: &mut HashSet<String>,
        out: &mut Out<'_>,
    ) -> Result<Option<String>, FormatError> {
        if let Some(key) = self.index.resolve(&link.target, from) {
            return Ok(Some(key.to_owned()));
        }
        let name = match &link.target {
            Target::Block(id) => {
                out.warn(link.line, format!("a link points to the block {id:?}, which no page has"));
                return Ok(None);
            }
            Target::Path(path) => path.as_str(),
            Target::Name(name) => name.trim_start_matches('/'),
        };
        if let Some(problem) = key_problem(name) {
            out.warn(link.line, format!("a link is left out: its target {problem}"));
            return Ok(None);
        }
        if name.starts_with("../") || name.starts_with("./") {
            out.warn(link.line, format!("a link points to {name:?}, outside of the folder, and is left out"));
            return Ok(None);
        }
        if let Some(node_type) = &link.node_type {
            if missing.insert(name.to_owned()) {
                let node = Node { key: name.to_owned(), r#type: node_type.clone(), ..Node::default() };
                out.placeholder(node, 0)?;
            }
            return Ok(Some(name.to_owned()));
        }
        // What is implied, and not written by anybody, has no line.
        if link.line > 0 {
            out.warn(link.line, format!("a link points to {name:?}, which is no page of the import"));
        }
        if missing.insert(name.to_owned()) {
            let mut node = Node { key: name.to_owned(), r#type: page_type(out), ..Node::default() };
            let properties = node.properties.get_or_insert_default();
            properties.fields.insert("missing".to_owned(), value::boolean(true));
            out.placeholder(node, link.line)?;
        }
        Ok(Some(name.to_owned()))
    }
}

/// Makes links of the properties that are asked for, instead of those that the dialect found in them.
fn property_links(dialect: &impl Dialect, node: &Node, links: &mut Vec<Link>, out: &mut Out<'_>) {
    for asked in &out.options.property_links {
        let Some(property) = node.properties.as_ref().and_then(|all| all.fields.get(&asked.property)) else {
            continue;
        };
        links.retain(|link| link.listed || link.kind != asked.property);
        let named = |name: &str| if name.is_empty() { &asked.property } else { name }.to_owned();
        let mut seen = HashSet::new();
        for item in value::texts(property).into_iter().flat_map(|text| dialect.items(&text)) {
            if seen.insert(item.clone()) {
                links.push(Link {
                    target: Target::Name(item),
                    kind: named(&asked.edge_type),
                    line: 0,
                    node_type: Some(named(&asked.node_type)),
                    listed: false,
                });
            }
        }
    }
}

/// The type of a page that tells none.
pub(in super::super) fn page_type(out: &Out<'_>) -> String {
    let asked = &out.options.default_node_type;
    if asked.is_empty() { PAGE.to_owned() } else { asked.clone() }
}

/// Keeps a page's text as a property, cut to the limit.
pub(in super::super) fn set_text(node: &mut Node, text: &str, out: &Out<'_>) {
    if text.trim().is_empty() {
        return;
    }
    let fields = &mut node.properties.get_or_insert_default().fields;
    let max = out.limits().max_text_bytes;
    let mut kept = text[..text.floor_char_boundary(max)].to_owned();
    if kept.len() < text.len() {
        cut(&mut kept, max);
        fields.insert("text_truncated".to_owned(), value::boolean(true));
    }
    fields.insert(TEXT.to_owned(), value::string(kept));
}

/// Splits the list of a page's edges, if it was written here, from its text.
pub(in super::super) fn split_listed<'a>(
    text: &'a str,
    mark: &str,
    lines_before: u64,
) -> (&'a str, Vec<Link>) {
    let Some(at) = text.rfind(mark) else { return (text, Vec::new()) };
    let (before, list) = text.split_at(at + mark.len());
    let mut links = Vec::new();
    for (line, listed) in (lines_before + newlines(before) + 1..).zip(list.lines()) {
        if listed.trim().is_empty() {
            continue;
        }
        let Some((kind, target)) = listed_link(listed) else { return (text, Vec::new()) };
        links.push(Link {
            target: Target::Name(target.to_owned()),
            kind: kind.to_owned(),
            line,
            node_type: None,
            listed: true,
        });
    }
    (&text[..at], links)
}

fn listed_link(line: &str) -> Option<(&str, &str)> {
    let link = line.trim_end().strip_prefix("- ")?;
    let (kind, link) = link.split_once(":: [[").or_else(|| Some((super::LINK, link.strip_prefix("[[")?)))?;
    Some((kind, link.strip_suffix("]]")?))
}

/// How many lines end in a text.
pub(in super::super) fn newlines(text: &str) -> u64 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64
}
