//! GraphML, GEXF and JSON: small documents of other programs, whose meaning is known.

use serde_json::json;
use weft_graph::formats::FormatErrorKind;
use weft_proto::weft::graph::v1::{Edge, GraphFormat, Node};

use crate::support::{edge, node, properties, read, try_read};

#[test]
fn graphml_keys_become_typed_properties() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="node" attr.name="color" attr.type="string"><default>yellow</default></key>
  <key id="d1" for="edge" attr.name="weight" attr.type="double"/>
  <key id="d2" for="all" attr.name="big" attr.type="long"/>
  <key id="d3" for="node" attr.name="name" attr.type="string"/>
  <key id="d4" for="node" attr.name="open" attr.type="boolean"/>
  <graph id="G" edgedefault="undirected">
    <data key="d0">of the graph</data>
    <node id="n0"><data key="d0">gr&#233;en &amp; <![CDATA[<blue>]]></data><data key="d3">Zero</data></node>
    <node id="n1"><data key="d2">9007199254740993</data><data key="d4">true</data>
      <graph edgedefault="directed"><node id="n1::a"/></graph>
    </node>
    <edge id="e0" source="n0" target="n1"><data key="d1">1.5</data></edge>
    <edge source="n1" target="n0" directed="true"/>
    <hyperedge><endpoint node="n0"/></hyperedge>
  </graph>
</graphml>"#;
    let found = read(&[("g.graphml", text)]);
    let yellow = |key: &str| Node { properties: properties(json!({"color": "yellow"})), ..node(key, "") };
    let expected = [
        Node {
            display_name: "Zero".to_owned(),
            properties: properties(json!({"color": "gréen & <blue>"})),
            ..node("n0", "")
        },
        yellow("n1::a"),
        Node {
            properties: properties(json!({"color": "yellow", "big": "9007199254740993", "open": true})),
            ..node("n1", "")
        },
    ];
    assert_eq!(found.nodes, expected);
    let expected =
        [Edge { key: "e0".to_owned(), weight: Some(1.5), ..edge("n0", "", "n1") }, edge("n1", "", "n0")];
    assert_eq!(found.edges, expected);
    assert_eq!(
        found.warning_texts(),
        [
            "g.graphml:12 nested graphs are flattened",
            "g.graphml:14 undirected edges are kept as edges from source to target",
            "g.graphml:16 a hyperedge is left out: an edge joins two nodes here",
        ]
    );
}

#[test]
fn yeds_labels_become_names() {
    let text = r#"<graphml xmlns:y="http://www.yworks.com/xml/graphml"><key for="node" id="d6" yfiles.type="nodegraphics"/>
<graph edgedefault="directed"><node id="n0"><data key="d6"><y:ShapeNode><y:NodeLabel> Start </y:NodeLabel></y:ShapeNode></data></node></graph></graphml>"#;
    assert_eq!(read(&[("g.graphml", text)]).nodes[0].display_name, "Start");
}

#[test]
fn gexf_attributes_become_typed_properties() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://www.gexf.net/1.2draft" xmlns:viz="http://www.gexf.net/1.2draft/viz" version="1.2">
  <meta lastmodifieddate="2009-03-20"><creator>Gexf.net</creator></meta>
  <graph defaultedgetype="undirected">
    <attributes class="node">
      <attribute id="0" title="url" type="string"/>
      <attribute id="1" title="indegree" type="float"/>
      <attribute id="2" title="frog" type="boolean"><default>true</default></attribute>
      <attribute id="3" title="names" type="liststring"/>
    </attributes>
    <nodes>
      <node id="0" label="Gephi"><attvalues><attvalue for="0" value="http://gephi.org"/><attvalue for="1" value="1"/>
        <attvalue for="3" value="a|b"/></attvalues><viz:color r="1" g="2" b="3"/><viz:size value="2"/></node>
      <node id="1" label="1"><attvalues><attvalue for="2" value="false"/></attvalues>
        <nodes><node id="2"/></nodes></node>
    </nodes>
    <edges>
      <edge id="0" source="0" target="1" weight="2.5" label="sees"/>
      <edge source="1" target="2" type="directed" kind="owns"><spells><spell start="2000"/></spells></edge>
    </edges>
  </graph>
</gexf>"#;
    let found = read(&[("g.xml", text)]);
    let expected = [
        Node {
            display_name: "Gephi".to_owned(),
            properties: properties(
                json!({"url": "http://gephi.org", "indegree": 1.0, "frog": true, "names": ["a", "b"]}),
            ),
            ..node("0", "")
        },
        Node { properties: properties(json!({"frog": true})), ..node("2", "") },
        Node { properties: properties(json!({"frog": false})), ..node("1", "") },
    ];
    assert_eq!(found.nodes, expected);
    let expected = [
        Edge {
            key: "0".to_owned(),
            weight: Some(2.5),
            properties: properties(json!({"label": "sees"})),
            ..edge("0", "", "1")
        },
        edge("1", "owns", "2"),
    ];
    assert_eq!(found.edges, expected);
    assert_eq!(
        found.warning_texts(),
        [
            "g.xml:15 hierarchies of nodes are flattened",
            "g.xml:18 undirected edges are kept as edges from source to target",
            "g.xml:0 2 elements of drawing (viz) are ignored",
            "g.xml:0 1 elements of time (spells, dynamic values) are ignored",
        ]
    );
}

#[test]
fn wrong_documents_are_refused_with_their_place() {
    use FormatErrorKind::{Encoding, Syntax, Truncated, Unsupported};
    for (text, kind, problem) in [
        ("<graphml><graph><node/></graph></graphml>", Syntax, "line 1: a node has no id"),
        ("<graphml>\n<graph>\n<edge source='a'/></graph></graphml>", Syntax, "line 3: an edge has no target"),
        ("<graphml><graph></graphml></graph>", Syntax, "</graphml> where graph is open"),
        ("<graphml><graph>", Truncated, "the document ends inside <graph>"),
        ("<graphml><gra", Truncated, "the document is cut"),
        ("", Truncated, "no element"),
        ("<svg/>", Syntax, "the document is <svg>, not <graphml>"),
        ("<graphml/><graphml/>", Syntax, "a second element"),
        ("<graphml><desc>&nbsp;</desc></graphml>", Syntax, "the entity &nbsp; is not known"),
        ("<graphml a='&x;'/>", Syntax, "an attribute"),
        ("<!DOCTYPE g [<!ENTITY a 'b'>]><graphml/>", Unsupported, "definitions of its own"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><graphml/>", Encoding, "ISO-8859-1"),
        (
            "<graphml><graph><node id='a'><data key='k'>1</data></node></graph></graphml>",
            Syntax,
            "\"k\" is not declared",
        ),
    ] {
        let error = try_read(GraphFormat::Graphml, &[("g.graphml", text)]).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(problem), "{text}: {error}");
    }
}

#[test]
fn a_doctype_without_definitions_is_passed_over() {
    let text =
        "<!DOCTYPE graphml SYSTEM \"file:///etc/passwd\"><graphml><graph><node id='a'/></graph></graphml>";
    assert_eq!(read(&[("g.graphml", text)]).keys(), ["a"]);
}

#[test]
fn json_graph_format_2_and_1_are_read() {
    let second = json!({"graph": {
        "id": "g", "directed": false, "metadata": {"x": [1, {"y": 2}]},
        "nodes": {
            "a": {"label": "Ann", "metadata": {"type": "person", "labels": ["x"], "age": 7, "properties": {"type": 1}}},
            "b": {},
        },
        "edges": [{"source": "a", "target": "b", "relation": "knows", "id": "e", "metadata": {"weight": 2, "since": 1}}],
        "hyperedges": [{"nodes": ["a", "b"]}],
    }});
    let found = read(&[("g.json", &second.to_string())]);
    let ann = Node {
        display_name: "Ann".to_owned(),
        labels: vec!["x".to_owned()],
        properties: properties(json!({"age": 7, "type": 1})),
        ..node("a", "person")
    };
    assert_eq!(found.nodes, [ann, node("b", "")]);
    let expected = Edge {
        key: "e".to_owned(),
        weight: Some(2.0),
        properties: properties(json!({"since": 1})),
        ..edge("a", "knows", "b")
    };
    assert_eq!(found.edges, [expected]);
    assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);

    let first = json!({"graphs": [
        {"nodes": [{"id": "a", "label": "A"}, {"id": 2, "type": "t"}], "edges": [{"source": "a", "target": 2}]},
        {"nodes": [{"id": "c"}]},
    ]});
    let found = read(&[("g.json", &first.to_string())]);
    assert_eq!((found.keys(), found.arrows()), (vec!["a", "2", "c"], vec!["a --> 2".to_owned()]));
    assert_eq!(found.warning_texts(), ["g.json:1 several graphs are read into one"]);
}

#[test]
fn node_link_documents_are_read() {
    let by_position = json!({
        "nodes": [{"name": "Myriel", "group": 1}, {"name": "Napoleon"}, {}],
        "links": [{"source": 1, "target": 0, "value": 3}, {"source": 2, "target": 1}],
    });
    let found = read(&[("miserables.json", &by_position.to_string())]);
    assert_eq!(found.keys(), ["Myriel", "Napoleon", "2"]);
    assert_eq!(found.nodes[0].properties, properties(json!({"group": 1})));
    assert_eq!(found.edges[0], Edge { weight: Some(3.0), ..edge("Napoleon", "", "Myriel") });
    assert_eq!(found.arrows()[1], "2 --> Napoleon");

    let networkx = json!({
        "directed": true, "multigraph": false, "graph": {"name": "x"},
        "nodes": [{"id": 1, "size": 2}, {"id": 0}], "links": [{"source": 1, "target": 0}],
    });
    let found = read(&[("nx.json", &networkx.to_string())]);
    assert_eq!((found.keys(), found.arrows()), (vec!["1", "0"], vec!["1 --> 0".to_owned()]));
    assert!(found.warnings.is_empty());
}

#[test]
fn wrong_json_is_refused_with_its_place() {
    use FormatErrorKind::{Syntax, Truncated};
    for (text, kind, problem) in [
        ("{\"nodes\":[\n{\"id\":\"a\"},\n]}", Syntax, "line 3: this is not JSON"),
        ("{\"nodes\":[{\"id\":\"a\"}", Truncated, "ends before it is complete"),
        ("", Truncated, "ends before it is complete"),
        ("[]", Syntax, "the document is an array"),
        ("7", Syntax, "a single value"),
        ("{\"a\":1}", Syntax, "no `nodes` or `edges`"),
        ("{\"nodes\":[1]}", Syntax, "a node is not an object"),
        ("{\"edges\":[{\"source\":\"a\"}]}", Syntax, "an edge has no `target`"),
        ("{\"edges\":[{\"source\":\"a\",\"target\":[]}]}", Syntax, "`target` of an edge is neither"),
        ("{\"nodes\":[{}],\"links\":[{\"source\":0,\"target\":1}]}", Syntax, "there is no node 1"),
        ("{\"nodes\":[{\"id\":\"\\ud800\"}]}", Syntax, "line 1"),
        ("{\"nodes\":[]} x", Syntax, "this is not JSON"),
    ] {
        let error = try_read(GraphFormat::JsonGraph, &[("g.json", text)]).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(problem), "{text}: {error}");
    }
}
