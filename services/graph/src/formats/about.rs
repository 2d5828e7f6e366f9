//! What one page of a folder of notes tells of itself: for whoever lists files, and makes no graph of them. It is
//! found by what imports read pages with, so that both understand the same.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use weft_proto::weft::graph::v1::{Edge, ImportWarning, Node};

use super::{
    FormatError, ReadOptions, Sink,
    logseq::LogseqDialect,
    markdown::MarkdownDialect,
    out::Out,
    pages::{Page, Target, read::Dialect},
    value,
};

/// A heading further behind is no title, in bytes.
const HEAD_BYTES: usize = 16 << 10;
/// Front matter that says who made a page.
const CREATORS: [&str; 4] = ["author", "authors", "creator", "creators"];
/// Front matter that says how sure one may be of it.
const CONFIDENCE: &str = "confidence";

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageDialect {
    /// Markdown, with front matter.
    Markdown,
    /// A page or a journal of Logseq.
    Logseq,
}

/// What a page tells of itself. Nothing in it is bounded but by the page's own size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AboutPage {
    /// Its title: what it calls itself, or its first heading; empty if there is neither.
    pub title: String,
    /// Its tags, of front matter and text, without `#`, each once.
    pub tags: Vec<String>,
    /// What it links to: names of pages, and paths without `.md` below the folder; each once, in their order.
    pub links: Vec<String>,
    /// Who made it.
    pub creators: Vec<String>,
    /// How sure one may be of it, 0 to 1.
    pub confidence: Option<f64>,
    /// Why its front matter is not understood.
    pub problem: Option<String>,
}

/// Reads a page. `path` is where it is in its folder, with `/`: relative links begin there.
pub fn about_page(path: &str, text: &str, dialect: PageDialect) -> AboutPage {
    let (mut heard, options) = (Heard::default(), ReadOptions::default());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let out = &mut Out { sink: &mut heard, options: &options, path };
    let reads: &dyn Dialect = match dialect {
        PageDialect::Markdown => &MarkdownDialect,
        PageDialect::Logseq => &LogseqDialect,
    };
    let parsed = reads.parse(text, out);
    let problem = heard.0;
    match parsed {
        Ok(page) => AboutPage { problem, ..about(page, text, dialect, reads) },
        Err(error) => AboutPage { problem: Some(error.to_string()), ..AboutPage::default() },
    }
}

fn about(page: Page, text: &str, dialect: PageDialect, reads: &dyn Dialect) -> AboutPage {
    let Page { node, is_titled, links, .. } = page;
    let title = match dialect {
        PageDialect::Markdown if is_titled => node.display_name,
        PageDialect::Markdown => heading(text).unwrap_or_default(),
        PageDialect::Logseq if node.display_name.is_empty() => node.key,
        PageDialect::Logseq => node.display_name,
    };
    let fields = node.properties.as_ref().map(|properties| &properties.fields);
    let property = |name: &str| fields.and_then(|fields| fields.get(name));
    let creators = CREATORS.iter().filter_map(|name| property(name)).flat_map(value::texts);
    let targets = links.into_iter().filter(|link| link.line > 0).filter_map(|link| match link.target {
        Target::Name(target) | Target::Path(target) => Some(target),
        Target::Block(_) => None,
    });
    AboutPage {
        title,
        tags: each_once(node.labels),
        links: each_once(targets),
        creators: each_once(creators.flat_map(|creator| reads.items(&creator))),
        confidence: property(CONFIDENCE).and_then(ratio),
        problem: None,
    }
}

/// A number between 0 and 1.
fn ratio(value: &prost_types::Value) -> Option<f64> {
    let Some(prost_types::value::Kind::NumberValue(number)) = value.kind else { return None };
    (0.0..=1.0).contains(&number).then_some(number)
}

/// Those that are not empty, in their order.
fn each_once(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut known = std::collections::HashSet::new();
    texts.into_iter().filter(|text| !text.is_empty() && known.insert(text.clone())).collect()
}

/// The text of the first heading.
fn heading(text: &str) -> Option<String> {
    let body = super::markdown::without_front_matter(text);
    let mut heading: Option<String> = None;
    for event in Parser::new(&body[..body.floor_char_boundary(HEAD_BYTES)]) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), None) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(heading)) => {
                return Some(heading.trim().to_owned()).filter(|heading| !heading.is_empty());
            }
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::SoftBreak | Event::HardBreak, Some(heading)) => heading.push(' '),
            _ => {}
        }
    }
    None
}

/// Hears the first complaint, and keeps nothing else.
#[derive(Default)]
struct Heard(Option<String>);

impl Sink for Heard {
    fn node(&mut self, _: Node) -> Result<(), FormatError> {
        Ok(())
    }

    fn edge(&mut self, _: Edge) -> Result<(), FormatError> {
        Ok(())
    }

    fn placeholder(&mut self, _: Node) -> Result<(), FormatError> {
        Ok(())
    }

    fn warn(&mut self, warning: ImportWarning) {
        self.0.get_or_insert(warning.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(text: &str) -> AboutPage {
        about_page("notes/motors/engine.md", text, PageDialect::Markdown)
    }

    #[test]
    fn a_page_tells_its_title_tags_links_and_makers() {
        let text = "---\ntitle: The Engine\ntags: [motors, '#heat']\nauthors: [Ada, '[[Mary]]']\nconfidence: 0.8\n\
                    part-of: '[[Machine]]'\n---\n# Another\nSee [[Numbers|some]], [[Numbers]], \
                    [gears](../gears.md#teeth), [w](https://w.org) and `#no`. #work/hard #heat\n";
        let about = markdown(text);
        assert_eq!(about.title, "The Engine");
        assert_eq!(about.tags, ["motors", "heat", "work/hard"]);
        assert_eq!(about.links, ["Mary", "Machine", "Numbers", "notes/gears"]);
        assert_eq!(about.creators, ["Ada", "Mary"]);
        assert_eq!((about.confidence, about.problem), (Some(0.8), None));
    }

    #[test]
    fn the_first_heading_is_the_title_where_none_is_given() {
        assert_eq!(markdown("text\n\n## The `big` *one* \n# Two").title, "The big one");
        assert_eq!(markdown("---\ntags: x\n---\n\nUnder\nlined\n===\n").title, "Under lined");
        assert_eq!(markdown("```\n# no\n```\n").title, "");
        assert_eq!(markdown("# \n# Later").title, "");
        assert_eq!(markdown("---\ntitle: engine\n---\n# Another").title, "engine");
        let far = format!("{}\n\n# Far", "x".repeat(HEAD_BYTES));
        assert_eq!(markdown(&far).title, "");
    }

    #[test]
    fn front_matter_that_is_none_is_told_and_the_text_is_read_all_the_same() {
        let about = markdown("---\n{ [\n---\n# Title\n[[A]] #b");
        assert!(about.problem.as_deref().is_some_and(|problem| problem.contains("not YAML")), "{about:?}");
        assert_eq!(
            (&*about.title, &about.links, &about.tags),
            ("Title", &vec!["A".into()], &vec!["b".into()])
        );
        assert_eq!(markdown("---\nconfidence: 7\n---\n").confidence, None);
        assert_eq!(markdown(""), AboutPage::default());
    }

    #[test]
    fn a_page_of_logseq_is_understood_as_one() {
        let read = |path, text| about_page(path, text, PageDialect::Logseq);
        let about =
            read("pages/a___b.md", "tags:: x, [[y z]]\nauthor:: [[Ada]], Mary\n\n- [[C]] #[[d e]] #f\n");
        assert_eq!((&*about.title, about.links), ("a/b", vec!["Ada".to_owned(), "C".to_owned()]));
        assert_eq!(
            (about.tags, about.creators),
            (
                ["x", "y z", "d e", "f"].map(str::to_owned).to_vec(),
                ["Ada", "Mary"].map(str::to_owned).to_vec(),
            )
        );
        assert_eq!(read("journals/2024_01_31.md", "- [[A]]").title, "Jan 31st, 2024");
        assert_eq!(read("pages/x.md", "title:: The X\n\n- y").title, "The X");
    }
}
