//! Edge lists and CSV: small files whose meaning is known.

use serde_json::json;
use weft_graph::formats::FormatErrorKind;
use weft_proto::weft::graph::v1::{Edge, GraphFormat, Node};

use crate::support::{edge, node, properties, read, try_read};

#[test]
fn a_snap_file_is_an_edge_list() {
    let text = "# Directed graph\n# FromNodeId\tToNodeId\n30\t1412\r\n30\t3352\n\n5 \t 3";
    let found = read(&[("web.txt", text)]);
    assert_eq!(found.arrows(), ["30 --> 1412", "30 --> 3352", "5 --> 3"]);
    assert!(found.nodes.is_empty() && found.warnings.is_empty());
}

#[test]
fn columns_may_be_parted_by_tabs_commas_or_spaces() {
    let expected = vec![
        Edge { weight: Some(2.5), ..edge("a", "knows", "b") },
        Edge { weight: Some(1.0), ..edge("b", "", "c") },
        edge("c", "likes", "a"),
        edge("c", "", "b"),
    ];
    for separator in ["\t", ",", "   "] {
        let text = "a|b|2.5|knows\nb|c|1\nc|a|likes\nc|b\n".replace('|', separator);
        assert_eq!(read(&[("g.edges", &text)]).edges, expected, "{separator:?}");
    }
}

#[test]
fn numbers_are_lines_of_a_nodes_file_without_numbers() {
    let nodes = "0ad\tgames\n2048\tgames\nlibc6\tlibs\n";
    let edges = "0\t2\n1\t2\n";
    let expected = ["0ad --> libc6", "2048 --> libc6"];
    for files in [
        [("d.nodes.tsv", nodes), ("d.edges.tsv", edges)],
        // Sorted by name the edges come first.
        [("d.edges.tsv", edges), ("d.nodes.tsv", nodes)],
    ] {
        let found = read(&files);
        assert_eq!(found.arrows(), expected);
        assert_eq!(found.nodes, [node("0ad", "games"), node("2048", "games"), node("libc6", "libs")]);
    }
}

#[test]
fn numbers_are_keys_where_the_nodes_file_has_them() {
    let found = read(&[("nodes.tsv", "7\tcity\tBerlin\n9\tcity\n"), ("edges.tsv", "7\t9\n9\t8\n")]);
    assert_eq!(found.arrows(), ["7 --> 9", "9 --> 8"]);
    assert_eq!(found.nodes[0], Node { display_name: "Berlin".to_owned(), ..node("7", "city") });
}

#[test]
fn names_in_the_edge_list_make_all_of_it_keys() {
    let found = read(&[("edges.tsv", "1\t2\nann\t1\n"), ("nodes.tsv", "ann\tperson\nbob\tperson\n")]);
    assert_eq!(found.arrows(), ["1 --> 2", "ann --> 1"]);
}

#[test]
fn a_line_that_the_nodes_file_has_not_is_an_error() {
    for files in [
        [("nodes.tsv", "a\nb\n"), ("edges.tsv", "0\t1\n1\t2\n")],
        [("edges.tsv", "0\t1\n1\t2\n"), ("nodes.tsv", "a\nb\n")],
    ] {
        let error = try_read(GraphFormat::EdgeList, &files).unwrap_err();
        assert_eq!(error.to_string(), "edges.tsv, line 2: 2 is no line of the nodes file; it has 2, from 0");
    }
}

#[test]
fn wrong_lines_are_named() {
    for (text, problem) in [
        ("a\tb\nc\n", "line 2: one column; an edge needs a source and a target"),
        ("a\tb\theavy\tknows\n", "line 1: weight \"heavy\" is not a number"),
        ("a\t\n", "line 1: the target is empty; 1 to 512 bytes are needed"),
        ("%%MatrixMarket matrix\n3 3 1\n", "line 1: Matrix Market files are not read"),
    ] {
        let error = try_read(GraphFormat::EdgeList, &[("e.tsv", text)]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("e.tsv, {problem}")), "{error}");
    }
}

#[test]
fn weights_that_a_graph_cannot_hold_become_properties() {
    let found = read(&[("e.tsv", "a\tb\t-1\nb\tc\tNaN\n")]);
    assert_eq!(found.edges[0].weight, None);
    assert_eq!(found.edges[0].properties, properties(json!({"weight": -1.0})));
    assert_eq!(found.edges[1].properties, properties(json!({"weight": "NaN"})));
    assert_eq!(found.warnings.len(), 2);
}

#[test]
fn csv_cells_are_typed_by_what_they_look_like() {
    let nodes = "id,label,type,labels,size,open,zip,note,shape:json\r\n\
                 1,\"Big, \"\"red\"\"\",bus,a;b ,1.5,true,00123,\"two\r\nlines\",\"{\"\"x\"\":[1]}\"\r\n\
                 2,,,,,,,,\r\n";
    let edges = "source,target,type,weight,key,since\n1,2,next,2,e1,2020\n";
    let found = read(&[("nodes.csv", nodes), ("edges.csv", edges)]);
    let expected = Node {
        display_name: "Big, \"red\"".to_owned(),
        labels: vec!["a".to_owned(), "b".to_owned()],
        properties: properties(
            json!({"size": 1.5, "open": true, "zip": "00123", "note": "two\r\nlines", "shape": {"x": [1]}}),
        ),
        ..node("1", "bus")
    };
    assert_eq!(found.nodes, [expected, node("2", "")]);
    let expected = Edge {
        key: "e1".to_owned(),
        weight: Some(2.0),
        properties: properties(json!({"since": 2020})),
        ..edge("1", "next", "2")
    };
    assert_eq!(found.edges, [expected]);
}

#[test]
fn a_table_from_gephi_is_read() {
    let text = "Source;Target;Type;Id;Weight\na;b;Undirected;0;1\nb;c;Directed;1;2\n";
    let found = read(&[("x.csv", text)]);
    assert_eq!(found.arrows(), ["a --> b", "b --> c"]);
    assert_eq!(found.warning_texts(), ["x.csv:2 undirected edges are kept as edges from source to target"]);
}

#[test]
fn a_tab_separated_table_with_a_header_is_a_table() {
    let found = read(&[("x.tsv", "source\ttarget\tyear\na\tb\t1999\n")]);
    assert_eq!(found.edges[0].properties, properties(json!({"year": 1999})));
}

#[test]
fn wrong_rows_are_named_with_their_line() {
    for (text, kind, problem) in [
        ("id,a\n1,2\nx,\"\n\n\"\n3\n4,5\n", FormatErrorKind::Syntax, "line 6: 1 columns; the header has 2"),
        ("id,a\r\n1,2\r\n3\r\n4,5\r\n", FormatErrorKind::Syntax, "line 3: 1 columns"),
        ("id,a\n1,2\n3", FormatErrorKind::Truncated, "line 3: 1 columns"),
        ("id,a\n1,\"2\n3,4\n", FormatErrorKind::Truncated, "line 2: the file ends inside quotes"),
        ("a,b\n1,2\n", FormatErrorKind::Syntax, "line 1: the header \"a,b\" has no `key` or `id`"),
        ("id,n:number\nx,many\n", FormatErrorKind::Syntax, "line 2: column \"n\" holds \"many\""),
        ("source,target,weight\na,b,big\n", FormatErrorKind::Syntax, "line 2: weight \"big\""),
        ("id,properties\na,[1]\n", FormatErrorKind::Syntax, "line 2: `properties` is not a JSON object"),
        ("", FormatErrorKind::Truncated, " the table is empty"),
    ] {
        let error = try_read(GraphFormat::Csv, &[("t.csv", text)]).unwrap_err();
        assert_eq!(error.kind(), kind, "{text:?}: {error}");
        assert!(error.to_string().contains(problem), "{text:?}: {error}");
    }
}

#[test]
fn a_control_character_in_a_key_is_refused() {
    let error = try_read(GraphFormat::Csv, &[("t.csv", "id\n\"a\nb\"\n")]).unwrap_err();
    assert!(error.to_string().contains("control character '\\n'"), "{error}");
}
