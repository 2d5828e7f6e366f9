//! Files that are cut anywhere, or come in pieces of any size.

use serde_json::json;
use weft_graph::formats::{FormatErrorKind, ReadOptions};
use weft_proto::weft::graph::v1::{Edge, GraphFormat, Node};

use crate::support::{FORMATS, edge, node, properties, read_in_steps, write};

fn example() -> (Vec<Node>, Vec<Edge>) {
    let nodes = vec![
        Node {
            display_name: "Ann & \"Bob\"".to_owned(),
            labels: vec!["tag".to_owned(), "two words".to_owned()],
            properties: properties(
                json!({"text": "some **text**\nof [[two]] lines", "n": 1.5, "deep": [{"a": []}]}),
            ),
            ..node("one", "person")
        },
        node("two/three 🦀", ""),
    ];
    let edges = vec![
        edge("one", "knows", "two/three 🦀"),
        Edge {
            weight: Some(0.25),
            key: "e,1".to_owned(),
            properties: properties(json!({"since": "a,\"b\"\nc"})),
            ..edge("two/three 🦀", "", "one")
        },
    ];
    (nodes, edges)
}

fn options(format: GraphFormat) -> ReadOptions {
    ReadOptions { format: Some(format), ..ReadOptions::default() }
}

#[test]
fn a_file_cut_at_any_byte_gives_an_error_or_fewer_elements() {
    let (nodes, edges) = example();
    for format in FORMATS {
        let (name, content) = write(format, false, &nodes, &edges);
        let (whole, done) = read_in_steps(options(format), &[(&name, &content)], 4096);
        done.unwrap();
        let count = whole.nodes.len() + whole.edges.len();
        let mut truncated = 0;
        for end in 0..content.len() {
            let (found, done) = read_in_steps(options(format), &[(&name, &content[..end])], 4096);
            match done {
                Ok(()) => assert!(
                    found.nodes.len() + found.edges.len() <= count + 1,
                    "{format:?} cut at {end}: {found:#?}"
                ),
                Err(error) => {
                    let kind = error.kind();
                    let fair = match kind {
                        FormatErrorKind::Truncated => true,
                        // Lines and archives end anywhere: what is left may be no file, or a wrong one.
                        FormatErrorKind::Unsupported => end < 512,
                        FormatErrorKind::Syntax => format == GraphFormat::EdgeList,
                        _ => false,
                    };
                    assert!(fair, "{format:?} cut at {end} of {}: {error}", content.len());
                    truncated += usize::from(kind == FormatErrorKind::Truncated);
                }
            }
        }
        let least = if format == GraphFormat::EdgeList { 0 } else { content.len() / 3 };
        assert!(truncated >= least, "{format:?}: {truncated} of {} cuts were noticed", content.len());
    }
}

#[test]
fn a_compressed_file_cut_at_any_byte_is_truncated() {
    let (nodes, edges) = example();
    for format in FORMATS {
        let (name, content) = write(format, true, &nodes, &edges);
        for end in 0..content.len() {
            let (_, done) = read_in_steps(options(format), &[(&name, &content[..end])], 4096);
            let error = done.unwrap_err();
            assert_eq!(error.kind(), FormatErrorKind::Truncated, "{format:?} cut at {end}: {error}");
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let (nodes, edges) = example();
    for format in FORMATS {
        let (name, content) = write(format, true, &nodes, &edges);
        let (whole, done) = read_in_steps(options(format), &[(&name, &content)], usize::MAX);
        done.unwrap();
        for step in [1, 2, 3, 7, 64, 1000] {
            let (found, done) = read_in_steps(options(format), &[(&name, &content)], step);
            done.unwrap();
            assert_eq!(found, whole, "{format:?} in steps of {step}");
        }
    }
}

#[test]
fn any_damaged_byte_is_an_error_or_another_graph_but_no_panic() {
    let (nodes, edges) = example();
    for format in FORMATS {
        let (name, content) = write(format, false, &nodes, &edges);
        // Archives are mostly padding.
        for at in (0..content.len()).filter(|at| content[*at] != 0) {
            for byte in [b'"', b'\n', 0xff, content[at] ^ 1] {
                let mut damaged = content.clone();
                damaged[at] = byte;
                let (found, done) = read_in_steps(options(format), &[(&name, &damaged)], 4096);
                if let Err(error) = done {
                    assert!(!error.to_string().is_empty());
                }
                assert!(found.nodes.iter().all(|node| !node.key.is_empty()));
            }
        }
    }
}
