//! Markdown folders and Logseq graphs: small ones whose meaning is known.

use std::fmt::Write as _;

use serde_json::json;
use weft_graph::formats::{ReadLimits, ReadOptions};
use weft_proto::weft::graph::v1::{Edge, GraphFormat};

use crate::support::{edge, properties, read, read_in_steps, try_read};

const HOME: &str = "---\ntitle: The beginning\ntags: [start, a/b]\naliases:\n  - Index\nrating: 4.5\nauthor: \"[[Ann]]\"\n\
                    published: 2024-01-31\n---\n# Welcome #not-in-code\n\nSee [[Projects/Mesh]], [[Mesh|it]] and \
                    [notes](Projects/notes.md#top).\n\n![[Ann]] `[[no]] #no`\n\n```\n[[no]]\n```\n[[Nobody]]\n";

#[test]
fn a_markdown_folder_is_a_graph_of_pages() {
    let found = read(&[
        (".obsidian/app.json", "{}"),
        ("Home.md", HOME),
        ("People/Ann.md", "based-on:: [[Index]]\n#person [[Home#Welcome]]"),
        ("Projects/Mesh.md", ""),
        ("Projects/notes.md", "[up](../Home.md) [out](../../etc/passwd.md) [web](https://a.b/c.md)"),
        ("picture.png", "\u{1}not text"),
    ]);
    assert_eq!(found.keys(), ["Home", "People/Ann", "Projects/Mesh", "Projects/notes"]);
    let home = found.node_of("Home");
    assert_eq!((home.display_name.as_str(), home.r#type.as_str()), ("The beginning", "page"));
    assert_eq!(home.labels, ["start", "a/b", "not-in-code"]);
    let (_, text) = HOME.rsplit_once("---\n").unwrap();
    let expected = json!({
        "aliases": ["Index"], "rating": 4.5, "author": "[[Ann]]", "published": "2024-01-31", "text": text,
    });
    assert_eq!(home.properties, properties(expected));
    assert_eq!(found.node_of("People/Ann").display_name, "Ann");
    assert_eq!(
        found.arrows(),
        [
            "Home -author-> People/Ann",
            "Home -link-> Projects/Mesh",
            "Home -link-> Projects/notes",
            "Home -embed-> People/Ann",
            "Home -link-> Nobody",
            "People/Ann -based-on-> Home",
            "People/Ann -link-> Home",
            "Projects/notes -link-> Home",
        ]
    );
    assert_eq!(found.edges[1], Edge { weight: Some(2.0), ..edge("Home", "link", "Projects/Mesh") });
    assert_eq!(found.placeholders.len(), 1);
    assert_eq!(found.placeholders[0].properties, properties(json!({"missing": true})));
    assert_eq!(
        found.warning_texts(),
        [
            "Home.md:19 a link points to \"Nobody\", which is no page of the import",
            "Projects/notes.md:1 a link points to \"../../etc/passwd\", outside of the folder, and is left out",
        ]
    );
}

#[test]
fn front_matter_that_is_no_yaml_is_left_out_with_a_warning() {
    for front in ["a: [", "a: b: c", "- a\n- b", "x: &a [*a, *a]\n\t- y", "a: 1\na: 2"] {
        let text = format!("---\n{front}\n---\nbody [[b]]");
        let found = read(&[("a.md", &text), ("b.md", "x")]);
        assert_eq!(found.arrows(), ["a -link-> b"], "{front:?}");
        assert_eq!(found.node_of("a").properties, properties(json!({"text": "body [[b]]"})), "{front:?}");
        assert!(found.warnings[0].message.starts_with("the front matter is left out"), "{front:?}");
    }
}

#[test]
fn billions_of_laughs_in_front_matter_are_not_heard() {
    let mut front = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..) {
        let list = vec![format!("*{before}"); 10].join(", ");
        writeln!(front, "{name}: &{name} [{list}]").unwrap();
    }
    let found = read(&[("a.md", &format!("---\n{front}---\ntext"))]);
    assert!(found.warnings[0].message.starts_with("the front matter is left out"), "{:?}", found.warnings);
}

#[test]
fn long_text_is_cut_between_characters() {
    let limits = ReadLimits { max_text_bytes: 5, ..ReadLimits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let (found, done) = read_in_steps(options, &[("a.md", "aéééé [[b]]".as_bytes()), ("b.md", b"")], 3);
    done.unwrap();
    assert_eq!(found.node_of("a").properties, properties(json!({"text": "aéé", "text_truncated": true})));
    assert_eq!(found.arrows(), ["a -link-> b"], "links behind the cut count");
}

#[test]
fn defaults_name_the_types() {
    let options = ReadOptions {
        default_node_type: "note".to_owned(),
        default_edge_type: "mentions".to_owned(),
        ..ReadOptions::default()
    };
    let (found, done) = read_in_steps(options, &[("a.md", b"[[b]] ![[a]]")], 100);
    done.unwrap();
    assert_eq!(found.arrows(), ["a -mentions-> b", "a -embed-> a"]);
    assert_eq!((found.nodes[0].r#type.as_str(), found.placeholders[0].r#type.as_str()), ("note", "note"));
}

#[test]
fn a_logseq_graph_is_a_graph_of_pages_and_journals() {
    let id = "64b5c8e0-1111-2222-3333-444455556666";
    let book = format!(
        "type:: book\ntags:: reading, [[long tag]]\nalias:: The Book\npages:: 320\nauthor:: [[Ann]]\n\n\
         - quotes #fun #[[two words]]\n\tid:: {id}\n\t- ```\n\t  [[no]] #no\n\t  ```\n\t- reviewed-by:: [[Bob]]\n"
    );
    let journal =
        format!("- read [[the book]] today, and (({id}))\n- [[Jan 30th, 2024]] {{{{embed [[Ann]]}}}}\n");
    let found = read(&[
        ("journals/2024_01_30.md", "- nothing"),
        ("journals/2024_01_31.md", &journal),
        ("logseq/config.edn", "{}"),
        ("pages/Ann.md", "- "),
        ("pages/library___Book.md", &book),
    ]);
    assert_eq!(found.keys(), ["2024-01-30", "2024-01-31", "Ann", "library/Book"]);
    let day = found.node_of("2024-01-31");
    assert_eq!((day.r#type.as_str(), day.display_name.as_str()), ("journal", "Jan 31st, 2024"));
    let node = found.node_of("library/Book");
    assert_eq!(node.r#type, "book");
    assert_eq!(node.labels, ["reading", "long tag", "fun", "two words"]);
    let fields = &node.properties.as_ref().unwrap().fields;
    assert_eq!(fields["pages"], crate::support::value(json!(320)));
    assert_eq!(fields["alias"], crate::support::value(json!(["The Book"])));
    assert_eq!(
        found.arrows(),
        [
            "2024-01-31 -link-> library/Book",
            "2024-01-31 -block_ref-> library/Book",
            "2024-01-31 -link-> 2024-01-30",
            "2024-01-31 -embed-> Ann",
            "library/Book -namespace-> library",
            "library/Book -author-> Ann",
            "library/Book -reviewed-by-> Bob",
        ]
    );
    let missing: Vec<_> = found.placeholders.iter().map(|node| node.key.as_str()).collect();
    assert_eq!(missing, ["library", "Bob"]);
    assert_eq!(
        found.warning_texts(),
        ["pages/library___Book.md:12 a link points to \"Bob\", which is no page of the import"]
    );
}

#[test]
fn only_pages_are_read_from_a_folder_of_notes() {
    let files = [("assets/a.csv", "not,a graph"), ("a.md", "x")];
    for format in [GraphFormat::Markdown, GraphFormat::Logseq] {
        assert_eq!(try_read(format, &files).unwrap().keys(), ["a"]);
    }
}
