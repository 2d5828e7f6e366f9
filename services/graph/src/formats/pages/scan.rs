//! Finds links and tags in Markdown, and does not find them in code, HTML and URLs.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::index;
use super::{Link, Target};

/// What is found in a text.
#[derive(Default)]
pub(in super::super) struct Findings {
    pub(in super::super) links: Vec<Link>,
    pub(in super::super) tags: Vec<String>,
}

/// Endings of files that are attachments and no pages.
const ATTACHMENTS: [&str; 27] = [
    "avif",
    "base",
    "bmp",
    "canvas",
    "csv",
    "docx",
    "excalidraw",
    "flac",
    "gif",
    "jpeg",
    "jpg",
    "json",
    "m4a",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "ogg",
    "pdf",
    "png",
    "svg",
    "wav",
    "webm",
    "webp",
    "xlsx",
    "yaml",
    "zip",
];
/// Longest name of a field whose links have its name as their type.
const MAX_FIELD_BYTES: usize = 64;

/// Most tags of a page that are collected; a node has room for fewer.
const MAX_TAGS: usize = 256;
/// How far before a link its field's name is looked for, in bytes.
const MAX_FIELD_DISTANCE: usize = 1024;
/// Length of a UUID.
const BLOCK_ID_BYTES: usize = 36;

/// How a text is scanned.
pub(in super::super) struct Scan<'a> {
    /// Key of the page, from which relative links start.
    pub(in super::super) page: &'a str,
    /// Type of plain links.
    pub(in super::super) link_kind: &'a str,
    /// Logseq: `#[[tag]]`, `((block))` and `{{embed …}}`; links to files are not pages.
    pub(in super::super) logseq: bool,
    /// Lines before the text, for positions.
    pub(in super::super) lines_before: u64,
}

struct Scanner<'a> {
    scan: &'a Scan<'a>,
    text: &'a str,
    /// Newlines are counted up to here.
    counted: usize,
    line: u64,
    /// Text before this has been looked at.
    looked: usize,
    in_code: bool,
    links_open: usize,
    findings: Findings,
}

impl Scan<'_> {
    /// Scans a text.
    pub(in super::super) fn run(&self, text: &str) -> Findings {
        let mut scanner = Scanner {
            scan: self,
            text,
            counted: 0,
            line: self.lines_before + 1,
            looked: 0,
            in_code: false,
            links_open: 0,
            findings: Findings::default(),
        };
        for (event, range) in Parser::new_ext(text, Options::ENABLE_WIKILINKS).into_offset_iter() {
            scanner.event(event, range);
        }
        scanner.findings
    }
}

impl Scanner<'_> {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => self.in_code = true,
            Event::End(TagEnd::CodeBlock) => self.in_code = false,
            Event::Start(Tag::Link { link_type, dest_url, .. }) => {
                self.links_open += 1;
                self.link(link_type, &dest_url, range.start, false);
            }
            Event::Start(Tag::Image { link_type, dest_url, .. }) => {
                self.links_open += 1;
                self.link(link_type, &dest_url, range.start, true);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => self.links_open = self.links_open.saturating_sub(1),
            Event::Text(_) if !self.in_code && self.links_open == 0 => self.plain(range),
            _ => {}
        }
    }

    fn link(&mut self, link_type: LinkType, url: &str, at: usize, embedded: bool) {
        let target = match link_type {
            LinkType::WikiLink { .. } => self.wiki_target(url, at),
            LinkType::Autolink | LinkType::Email => None,
            _ if self.scan.logseq => None,
            _ => self.path_target(url),
        };
        let Some(target) = target else { return };
        let embedded = embedded || (self.scan.logseq && self.text[..at].ends_with("{{embed "));
        let kind = if embedded { "embed" } else { field(self.text, at).unwrap_or(self.scan.link_kind) };
        let kind = kind.to_owned();
        self.push(target, kind, at);
    }

    fn wiki_target(&mut self, name: &str, at: usize) -> Option<Target> {
        if self.scan.logseq && self.text[..at].ends_with('#') {
            self.tag(name.trim());
            return None;
        }
        // Logseq has no headings in links, and `#` in the names of pages.
        let name = if self.scan.logseq { name } else { name.split_once('#').map_or(name, |(name, _)| name) };
        let name = without_ending(name.trim());
        (!name.is_empty() && !is_attachment(name)).then(|| Target::Name(name.to_owned()))
    }

    /// The page that the path of a Markdown link leads to.
    fn path_target(&self, url: &str) -> Option<Target> {
        let path = url.split(['#', '?']).next().unwrap_or_default();
        if path.contains(':') || path.starts_with("//") {
            return None;
        }
        let path = percent_decode(path)?;
        let ended = without_ending(&path);
        if ended.len() == path.len() {
            return None;
        }
        let base = if path.starts_with('/') { "" } else { index::folder(self.scan.page) };
        // A path out of the folder is kept as it stands, for the warning.
        Some(index::join(base, ended).map_or_else(|| Target::Name(ended.to_owned()), Target::Path))
    }

    /// Text outside of links and code: tags, and references to blocks.
    fn plain(&mut self, range: Range<usize>) {
        let mut at = range.start.max(self.looked);
        while let Some(found) = self.text.get(at..range.end).and_then(|rest| rest.find(['#', '('])) {
            let begin = at + found;
            at = begin + 1;
            let rest = &self.text[at..];
            if self.text.as_bytes()[begin] == b'#' {
                let before = self.text[..begin].chars().next_back();
                if before
                    .is_none_or(|before| before.is_whitespace() || matches!(before, '(' | ',' | ';' | '"'))
                {
                    let end = rest.find(|character| !is_of_tag(character)).unwrap_or(rest.len());
                    self.tag(rest[..end].trim_end_matches('/'));
                    at += end;
                }
            } else if self.scan.logseq
                && rest.starts_with('(')
                && let Some(id) = rest.get(1..=BLOCK_ID_BYTES)
                && rest[1 + BLOCK_ID_BYTES..].starts_with("))")
                && is_block_id(id)
            {
                let embedded = self.text[..begin].ends_with("{{embed ");
                let kind = if embedded { "embed" } else { "block_ref" };
                self.push(Target::Block(id.to_owned()), kind.to_owned(), begin);
                at += id.len() + 3;
            }
        }
        self.looked = self.looked.max(at);
    }

    fn tag(&mut self, tag: &str) {
        let is_tag = tag.chars().any(|character| !character.is_ascii_digit());
        if is_tag
            && self.findings.tags.len() < MAX_TAGS
            && !self.findings.tags.iter().any(|known| known == tag)
        {
            self.findings.tags.push(tag.to_owned());
        }
    }

    fn push(&mut self, target: Target, kind: String, at: usize) {
        if at > self.counted {
            self.line += super::read::newlines(&self.text[self.counted..at]);
            self.counted = at;
        }
        self.findings.links.push(Link { target, kind, line: self.line, node_type: None, listed: false });
    }
}

/// Name of the field that a link is the value of: `name:: [[link]]` on a line of its own.
fn field(text: &str, at: usize) -> Option<&str> {
    let nearest = text.floor_char_boundary(at.saturating_sub(MAX_FIELD_DISTANCE));
    let near = &text[nearest..at];
    let before = match near.rfind('\n') {
        Some(end) => &near[end + 1..],
        None if nearest == 0 => near,
        None => return None,
    };
    let before = before.trim_start_matches([' ', '\t', '-', '*', '>']);
    let (name, _) = before.split_once("::")?;
    let first = name.chars().next()?;
    let plain = |character: char| character.is_alphanumeric() || matches!(character, ' ' | '_' | '-' | '.');
    (first.is_alphabetic() && name.len() <= MAX_FIELD_BYTES && name.chars().all(plain)).then(|| name.trim())
}

fn is_of_tag(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '/')
}

/// A UUID, as Logseq gives to blocks.
fn is_block_id(id: &str) -> bool {
    id.len() == BLOCK_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The targets of `[[links]]` in a property's value.
pub(in super::super) fn wiki_links(text: &str) -> impl Iterator<Item = &str> {
    text.split("[[").skip(1).filter_map(|rest| {
        let name = rest.split_once("]]")?.0.trim();
        (!name.is_empty()).then_some(name)
    })
}

/// A path or name without `.md`.
pub(in super::super) fn without_ending(path: &str) -> &str {
    for ending in [".md", ".markdown"] {
        if let Some(at) = path.len().checked_sub(ending.len())
            && path.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(ending))
        {
            return &path[..at];
        }
    }
    path
}

pub(in super::super) fn is_attachment(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    ending.is_some_and(|ending| ATTACHMENTS.contains(&ending.as_str()))
}

/// Undoes `%20` and the like; `None` if what comes out is no text.
pub(in super::super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> (Vec<String>, Vec<String>) {
        let findings =
            Scan { page: "folder/page", link_kind: "link", logseq: false, lines_before: 0 }.run(text);
        let shown = |link: &Link| match &link.target {
            Target::Name(name) => format!("{}:{} {name}", link.line, link.kind),
            Target::Path(path) => format!("{}:{} /{path}", link.line, link.kind),
            Target::Block(id) => format!("{}:{} (({id}))", link.line, link.kind),
        };
        (findings.links.iter().map(shown).collect(), findings.tags)
    }

    #[test]
    fn links_of_every_kind_are_found() {
        let text = "[[A]] and [[B b|shown]]\n[[C#Heading]] ![[D]]\n[x](../e%20e.md#h) [y](/f.md) [z](g.md)\n\
                    [w](https://h.md) <https://i.md> ![](j.png) [[k.png]] [[#here]]\nauthor:: [[L]], [[M]]";
        let links = [
            "1:link A",
            "1:link B b",
            "2:link C",
            "2:embed D",
            "3:link /e e",
            "3:link /f",
            "3:link /folder/g",
            "5:author L",
            "5:author M",
        ];
        assert_eq!(scan(text).0, links);
    }

    #[test]
    fn tags_are_found_where_they_are_tags() {
        let text = "# Heading\n#one text #two/three, #zwölf-x_y #123 #a1/ a#no \\#no `#no` http://x/#no (#four)\n\
                    \n```\n#no [[no]]\n```\n\n<b class=\"#no\">[#no](x)</b> #one";
        assert_eq!(
            scan(text),
            (vec![], ["one", "two/three", "zwölf-x_y", "a1", "four"].map(str::to_owned).into())
        );
    }
}
