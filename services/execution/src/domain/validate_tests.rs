use serde_json::json;

use super::{super::plan::Plan, *};

/// A graph of nodes `(key, kind, properties)` and edges `(source, port, target)`.
pub(crate) fn graph(nodes: &[(&str, &str, Json)], edges: &[(&str, &str, &str)]) -> Graph {
    let place = |key: &str| nodes.iter().position(|(known, ..)| *known == key).unwrap() as u32;
    Graph {
        name: "projects/p/graphs/g".into(),
        nodes: nodes
            .iter()
            .map(|(key, kind, properties)| {
                Node::new((*key).to_owned(), (*kind).to_owned(), properties.clone())
            })
            .collect(),
        edges: edges
            .iter()
            .map(|(source, port, target)| Edge::new(place(source), place(target), port, &Json::Null))
            .collect(),
        ..Graph::default()
    }
}

/// Reason, node, and port or property of each fault.
fn faults(graph: Graph) -> Vec<(&'static str, String, String)> {
    let (_, faults) = Plan::compile(&Definition { graphs: vec![graph] });
    faults.into_iter().map(|fault| (fault.reason, fault.node, fault.port + &fault.property)).collect()
}

#[test]
fn a_workflow_that_is_right_has_no_faults() {
    let graph = graph(
        &[
            ("start", "input", json!({})),
            ("big", "if", json!({"condition": "input.n > 1"})),
            ("each", "map", json!({"items": "input.list"})),
            ("item", "input", json!({"parent": "each"})),
            ("twice", "set", json!({"parent": "each", "value": "${item * 2 + steps.start.n}"})),
            ("done", "output", json!({"parent": "each"})),
            ("join", "merge", json!({})),
            ("out", "output", json!({})),
            ("why", "note", json!({"text": "because"})),
        ],
        &[
            ("start", "", "big"),
            ("big", "true", "each"),
            ("big", "false", "join"),
            ("each", "", "join"),
            ("join", "", "out"),
            ("item", "", "twice"),
            ("twice", "", "done"),
        ],
    );
    assert_eq!(faults(graph), []);
}

#[test]
fn a_topic_is_a_name_that_can_be_seen() {
    for (settings, reason, place) in [
        (json!({"topic": "Orders"}), "BAD_SETTING", "topic"),
        (json!({"topic": "orders/${input}"}), "BAD_SETTING", "topic"),
        (json!({"topic": ""}), "BAD_SETTING", "topic"),
        (json!({"topic": 7}), "BAD_SETTING", "topic"),
        (json!({"value": 1}), "MISSING_SETTING", "topic"),
        (json!({"topic": "t", "value": {"n": "${1 +}"}}), "BAD_EXPRESSION", "value.n"),
    ] {
        let graph = graph(&[("in", "input", json!({})), ("a", "publish", settings)], &[("in", "", "a")]);
        assert_eq!(faults(graph), [(reason, "a".to_owned(), place.to_owned())]);
    }
}

#[test]
fn every_fault_names_its_place() {
    let fault = |reason, node: &str, place: &str| (reason, node.to_owned(), place.to_owned());
    let input = || ("in", "input", json!({}));
    for (nodes, edges, expected) in [
        (vec![], vec![], fault("EMPTY", "", "")),
        (vec![("a", "teleport", json!({}))], vec![], fault("UNKNOWN_KIND", "a", "")),
        (
            vec![input(), ("a", "http", json!({"url": "http://x", "limit": {"key": "1"}}))],
            vec![("in", "", "a")],
            fault("BAD_SETTING", "a", "limit"),
        ),
        (
            vec![input(), ("a", "http", json!({"url": "http://x", "limit": {"at_once": 1, "key": "1 +"}}))],
            vec![("in", "", "a")],
            fault("BAD_EXPRESSION", "a", "limit.key"),
        ),
        (
            vec![input(), ("a", "http", json!({"url": "http://x", "limit": {"at_once": 0}}))],
            vec![("in", "", "a")],
            fault("BAD_SETTING", "a", "limit.at_once"),
        ),
        (
            vec![input(), ("a", "http", json!({"url": "http://x", "limit": {"rate": "100"}}))],
            vec![("in", "", "a")],
            fault("BAD_SETTING", "a", "limit.rate"),
        ),
        (
            vec![input(), ("a", "set", json!({"value": 1, "limit": {"at_once": 1}}))],
            vec![("in", "", "a")],
            fault("BAD_SETTING", "a", "limit"),
        ),
        (vec![("a/b", "input", json!({}))], vec![], fault("BAD_KEY", "a/b", "")),
        (vec![input(), ("a", "set", json!({"value": 1}))], vec![], fault("MISSING_INPUT", "a", "in")),
        (
            vec![input(), ("a", "set", json!({}))],
            vec![("in", "", "a")],
            fault("MISSING_SETTING", "a", "value"),
        ),
        (
            vec![input(), ("a", "command", json!({"agents": ["host"]}))],
            vec![("in", "", "a")],
            fault("MISSING_SETTING", "a", "command_type"),
        ),
        (
            vec![input(), ("a", "if", json!({"condition": "1 +"}))],
            vec![("in", "", "a")],
            fault("BAD_EXPRESSION", "a", "condition"),
        ),
        (
            vec![input(), ("a", "noop", json!({}))],
            vec![("in", "sideways", "a")],
            fault("UNKNOWN_PORT", "in", "sideways"),
        ),
        (
            vec![input(), ("a", "noop", json!({})), ("b", "noop", json!({}))],
            vec![("in", "", "a"), ("a", "", "b"), ("in", "", "b")],
            fault("PORT_TAKEN", "b", "in"),
        ),
        (vec![input(), ("a", "noop", json!({"parent": "in"}))], vec![], fault("BAD_PARENT", "a", "parent")),
        (
            vec![input(), ("a", "noop", json!({"parent": "nobody"}))],
            vec![("in", "", "a")],
            fault("BAD_PARENT", "a", "parent"),
        ),
        (
            vec![input(), ("t", "try", json!({})), ("a", "noop", json!({"parent": "t"}))],
            vec![("in", "", "t"), ("in", "", "a")],
            fault("CROSSES_BODY", "in", "out"),
        ),
        (vec![input(), ("t", "try", json!({}))], vec![("in", "", "t")], fault("EMPTY_BODY", "t", "")),
        (
            vec![input(), ("a", "set", json!({"value": "${steps.nobody}"}))],
            vec![("in", "", "a")],
            fault("UNKNOWN_STEP", "a", "value"),
        ),
        (
            vec![input(), ("a", "set", json!({"value": 1, "colour": "red"}))],
            vec![("in", "", "a")],
            fault("UNKNOWN_PROPERTY", "a", "colour"),
        ),
        (
            vec![input(), ("a", "noop", json!({"retry": {"attempts": 0}}))],
            vec![("in", "", "a")],
            fault("BAD_SETTING", "a", "retry.attempts"),
        ),
        (
            vec![input(), ("a", "set", json!({"value": {"password": "hunter2"}}))],
            vec![("in", "", "a")],
            fault("SECRET_EMBEDDED", "a", "value.password"),
        ),
        (
            vec![input(), ("a", "map", json!({"items": "[1]"})), ("b", "input", json!({"parent": "a"}))],
            vec![("in", "", "a"), ("in", "", "b")],
            fault("CROSSES_BODY", "in", "out"),
        ),
    ] {
        let found = faults(graph(&nodes, &edges));
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
}

#[test]
fn a_cycle_is_told_and_what_follows_it_is_not() {
    let graph = graph(
        &[
            ("in", "input", json!({})),
            ("a", "merge", json!({})),
            ("b", "noop", json!({})),
            ("c", "noop", json!({})),
        ],
        &[("in", "", "a"), ("a", "", "b"), ("b", "", "a"), ("b", "", "c")],
    );
    let cyclic: Vec<String> =
        faults(graph).into_iter().filter(|fault| fault.0 == "CYCLE").map(|fault| fault.1).collect();
    assert_eq!(cyclic, ["a", "b"]);
}

#[test]
fn a_hundred_thousand_nodes_are_looked_at_and_more_are_refused() {
    let chain = |length: usize| {
        let mut nodes = vec![Node::new("0".into(), "input".into(), Json::Null)];
        nodes.extend((1..length).map(|at| Node::new(at.to_string(), "noop".into(), Json::Null)));
        let edges = (1..length as u32).map(|at| Edge::new(at - 1, at, "", &Json::Null)).collect();
        Graph { name: "projects/p/graphs/g".into(), nodes, edges, ..Graph::default() }
    };
    assert_eq!(faults(chain(NODES)), []);
    assert_eq!(faults(chain(NODES + 1))[0].0, "TOO_LARGE");
}

#[test]
fn a_certificate_is_no_secret() {
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB";
    let found = |text: &str| {
        let mut faults = Faults::default();
        let settings = json!({"ca": text});
        secrets("n", "", settings.as_object().expect("an object"), &mut faults);
        faults.into_vec().len()
    };
    assert_eq!(found(certificate), 0);
    assert_eq!(found("-----BEGIN PRIVATE KEY-----\nMIIB"), 1);
    assert_eq!(found(&format!("{certificate}\n-----BEGIN PRIVATE KEY-----\nMIIB")), 1);
}
