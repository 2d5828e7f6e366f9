//! Does the filter language mean what its documentation says, and does nothing bring it down?

use proptest::prelude::*;
use prost_types::{ListValue, Struct, Value, value::Kind};
use weft_graph::{
    GraphLimits,
    domain::{
        change::{PlanOptions, plan},
        filter::{Filter, FilterError, NODE, NodeRecord, wildcard},
        memory::Memory,
    },
};
use weft_proto::{
    Lazy,
    weft::graph::v1::{Change, Edge, EdgeUpsert, Node, NodeUpsert, change},
};

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.into())) }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}

/// `libc6` with properties and two edges, and `bash` without anything.
fn sample() -> Memory {
    let version = object([("major", Value { kind: Some(Kind::NumberValue(2.0)) }), ("odd name", text("x"))]);
    let tags = ListValue { values: vec![text("core"), Value { kind: Some(Kind::NumberValue(7.0)) }] };
    let libc = Node {
        key: "libc6".into(),
        r#type: "package".into(),
        display_name: "GNU C Library".into(),
        labels: vec!["core".into(), "essential".into()],
        properties: Some(Lazy::from(object([
            ("section", text("libs")),
            ("star", text("a*b")),
            ("essential", Value { kind: Some(Kind::BoolValue(true)) }),
            ("nothing", Value { kind: Some(Kind::NullValue(0)) }),
            ("version", Value { kind: Some(Kind::StructValue(version)) }),
            ("tags", Value { kind: Some(Kind::ListValue(tags)) }),
        ]))),
        ..Node::default()
    };
    let bash = Node { key: "bash".into(), ..Node::default() };
    let edge = |kind: &str| {
        let edge =
            Edge { source: "bash".into(), target: "libc6".into(), r#type: kind.into(), ..Edge::default() };
        change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })
    };
    let node = |node| change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None });
    let changes = [node(libc), node(bash), edge("depends"), edge("suggests")];
    let changes = changes.map(|change| Change { change: Some(change) }).to_vec();
    let mut memory = Memory::default();
    let planned =
        plan(&memory, changes, PlanOptions::default(), &GraphLimits::default(), 0).expect("it fits");
    memory.apply(1, &planned.changes).expect("it was planned");
    memory
}

fn matches(memory: &Memory, filter: &str) -> Vec<String> {
    let filter = Filter::parse(filter, &NODE).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let nodes = memory.table().nodes().filter(|node| filter.matches(&NodeRecord { node: *node, memory }));
    nodes.map(|node| node.key().to_owned()).collect()
}

#[test]
fn what_matches() {
    let memory = sample();
    let libc = [
        r#"key = "libc6""#,
        "key = libc6",
        r#"key = "lib*""#,
        "key = l*c?6 OR key = l*c6",
        r#"key:"BC6""#,
        "key > bash",
        "type = package AND labels:core",
        "labels = \"ess*\"",
        "degree >= 2 in_degree = 2",
        "out_degree < 1",
        "properties.section = \"libs\"",
        "properties.section:LIB",
        "properties.version.major = 2",
        "properties.version.major >= 1.5",
        "properties.version.\"odd name\" = x",
        "properties.essential = true",
        "properties.nothing = null",
        "properties.nothing:*",
        "properties:section",
        "properties.version:major",
        "properties.tags:core",
        "properties.tags:7",
        r#"properties.star = "a\*b""#,
        "library",
        "\"c lib\"",
        "NOT key = bash",
        "-key = bash",
        "-(key = bash)",
        "NOT (key = bash OR key = other) AND degree = 2",
        // OR binds tighter than AND, as AIP-160 has it.
        "key = libc6 AND key = libc6 OR key = bash",
        "properties.section != x",
    ];
    for filter in libc {
        assert_eq!(matches(&memory, filter), ["libc6"], "{filter}");
    }
    let none = [
        "key = LIBC6",
        "properties.section = 1",
        "properties.version.major = \"2\"",
        r#"properties.star = "a\*""#,
        "properties.absent != 1",
        "properties.section.deeper = 1",
        "labels:cor",
        "properties.tags:cor",
        "key = libc6 AND key = bash",
    ];
    for filter in none {
        assert_eq!(matches(&memory, filter), [""; 0], "{filter}");
    }
    for all in ["", "   ", "key:*", "degree = 2", "NOT properties.absent = 1"] {
        assert_eq!(matches(&memory, all).len(), 2, "{all}");
    }
}

#[test]
fn errors_say_where_and_what() {
    let position = |filter: &str| {
        let FilterError { position, reason } = Filter::parse(filter, &NODE).expect_err(filter);
        assert!(!reason.is_empty());
        position
    };
    let wrong = [
        ("size = 1", 1),
        ("key = ", 7),
        ("key = a AND", 12),
        ("degree = many", 10),
        ("degree = \"2\"", 10),
        ("(key = a", 1),
        ("key = a)", 8),
        ("key = \"a", 7),
        ("é = 1", 1),
        ("key = é AND x = 1", 13),
        ("properties = 1", 1),
        ("properties. = 1", 1),
        ("key.part = 1", 1),
        ("labels > a", 10),
        ("key = a, b", 8),
        ("\"key\" = a", 1),
        ("NOT", 4),
        ("AND", 1),
        (r#"key = "a\q""#, 9),
    ];
    for (filter, at) in wrong {
        assert_eq!(position(filter), at, "{filter}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}key = a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(32), &NODE).is_ok());
    assert!(Filter::parse(&nested(33), &NODE).is_err());
    assert!(Filter::parse(&nested(100_000), &NODE).is_err());
    assert!(Filter::parse(&"NOT ".repeat(100_000), &NODE).is_err());
    assert!(Filter::parse(&"-".repeat(100_000), &NODE).is_err());
}

#[test]
fn wildcards() {
    for (pattern, text, matches) in [
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abcd", false),
        ("**", "x", true),
        (r"\*", "*", true),
        (r"\*", "x", false),
        ("é*", "éa", true),
        ("", "a", false),
    ] {
        assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
    }
    // A hostile pattern takes no exponential time.
    assert!(!wildcard(&"a*".repeat(100), &"a".repeat(1_000).replace("aaaaaaaaaa", "b")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(filter in "\\PC{0,60}") {
        if let Ok(filter) = Filter::parse(&filter, &NODE) {
            let memory = sample();
            for node in memory.table().nodes() {
                filter.matches(&NodeRecord { node, memory: &memory });
            }
        }
    }

    #[test]
    fn nothing_that_looks_like_a_filter_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "key", "properties.a", "properties", "labels", "degree", "=", "!=", "<", ":", "(", ")", "AND", "OR",
            "NOT", "-", "\"a*\"", "1", "*", "\\", "'", ".", "..", "true", "-5",
        ]), 0..20),
        separator in prop::sample::select(vec!["", " "]),
    ) {
        let filter = words.join(separator);
        match Filter::parse(&filter, &NODE) {
            Ok(filter) => {
                let memory = sample();
                for node in memory.table().nodes() {
                    filter.matches(&NodeRecord { node, memory: &memory });
                }
            }
            Err(error) => prop_assert!(error.position >= 1 && error.position <= filter.chars().count() + 1),
        }
    }
}
