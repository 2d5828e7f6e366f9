//! Pages: together they are the list, and their tokens are good for it alone.

use std::collections::BTreeSet;

use tonic::Code;
use weft_proto::weft::graph::v1::{
    Edge, ListEdgesRequest, ListGraphsRequest, ListNodesRequest, ListRelatedNodesRequest, Node,
    SearchNodesRequest,
};

use super::support::{Client, GRAPH, World, apply, create, edge, field_of, put_edge, put_node, refused};

async fn sample() -> (World, Client) {
    let (world, mut client) = World::with_graph().await;
    let mut changes: Vec<_> = (0..57)
        .map(|index| {
            let key = format!("lib{index}-common");
            put_node(Node { key, r#type: format!("t{}", index % 3), ..Node::default() })
        })
        .collect();
    for index in 0..57 {
        changes.push(edge(&format!("lib{index}-common"), &format!("lib{}-common", index * index % 57)));
        for key in ["x", "y"] {
            changes.push(put_edge(Edge {
                key: format!("{key}{index}"),
                source: "lib7-common".into(),
                target: format!("lib{index}-common"),
                ..Edge::default()
            }));
        }
    }
    apply(&mut client, changes).await;
    (world, client)
}

async fn all_nodes(client: &mut Client, filter: &str, order_by: &str, page_size: i32) -> Vec<Node> {
    let mut request = ListNodesRequest {
        graph: GRAPH.into(),
        page_size,
        filter: filter.into(),
        order_by: order_by.into(),
        ..ListNodesRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.list_nodes(request.clone()).await.expect("a page").into_inner();
        assert!(page.nodes.len() <= page_size as usize);
        all.extend(page.nodes);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_nodes_make_the_list() {
    let (_world, mut client) = sample().await;
    for (filter, order_by) in [
        ("", ""),
        ("type = t1", ""),
        ("", "degree desc"),
        ("", "type desc, key"),
        ("degree > 3", "in_degree, out_degree desc"),
    ] {
        let whole = all_nodes(&mut client, filter, order_by, 1_000).await;
        assert!(!whole.is_empty());
        for size in [1, 7, 57] {
            assert_eq!(
                all_nodes(&mut client, filter, order_by, size).await,
                whole,
                "{filter} {order_by} {size}"
            );
        }
    }
    let by_key = all_nodes(&mut client, "", "key desc", 10).await;
    assert!(by_key.is_sorted_by(|a, b| a.key > b.key));
    assert_eq!(all_nodes(&mut client, "", "degree desc", 1).await[0].key, "lib7-common");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_edges_make_the_list() {
    let (_world, mut client) = sample().await;
    for filter in ["", "source = \"lib7-common\"", "key = \"x*\""] {
        let mut lists = Vec::new();
        for page_size in [1_000, 10, 3] {
            let mut request = ListEdgesRequest {
                graph: GRAPH.into(),
                page_size,
                filter: filter.into(),
                ..Default::default()
            };
            let mut all = Vec::new();
            loop {
                let page = client.list_edges(request.clone()).await.expect("a page").into_inner();
                all.extend(page.edges);
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
            }
            lists.push(all);
        }
        assert!(lists[0].len() > 50 && lists.iter().all(|list| *list == lists[0]), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_results_make_the_list() {
    let (_world, mut client) = sample().await;
    let mut found = Vec::new();
    let mut request = SearchNodesRequest {
        graph: GRAPH.into(),
        query: "common".into(),
        page_size: 10,
        ..Default::default()
    };
    loop {
        let page = client.search_nodes(request.clone()).await.expect("a page").into_inner();
        assert_eq!(page.total_size, 57);
        found.extend(page.results.into_iter().map(|result| result.node.expect("it is set").key));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((found.len(), found.iter().collect::<BTreeSet<_>>().len()), (57, 57));

    let mut related = BTreeSet::new();
    let mut request = ListRelatedNodesRequest {
        graph: GRAPH.into(),
        key: "lib7-common".into(),
        page_size: 5,
        ..Default::default()
    };
    loop {
        let page = client.list_related_nodes(request.clone()).await.expect("a page").into_inner();
        for found in page.related {
            assert!(related.insert(found.node.expect("it is set").key), "a double");
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(related.len() > 20 && !related.contains("lib7-common"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_graphs_make_the_list() {
    let (_world, mut client) = World::with_graph().await;
    for index in 0..11 {
        create(&mut client, &format!("h{index}")).await;
    }
    for (filter, order_by, count) in [
        ("", "", 12),
        ("name = \"*/h1*\"", "", 2),
        ("", "create_time desc", 12),
        ("", "node_count, name desc", 12),
    ] {
        let mut names = Vec::new();
        let mut request = ListGraphsRequest {
            parent: "projects/p".into(),
            page_size: 5,
            filter: filter.into(),
            order_by: order_by.into(),
            ..ListGraphsRequest::default()
        };
        loop {
            let page = client.list_graphs(request.clone()).await.expect("a page").into_inner();
            names.extend(page.graphs.into_iter().map(|graph| graph.name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(names.len(), count, "{filter} {order_by}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count);
        if order_by == "create_time desc" {
            assert_eq!((names[0].as_str(), names[11].as_str()), ("projects/p/graphs/h10", GRAPH));
        }
    }
    let wrong =
        ListGraphsRequest { parent: "projects/p".into(), order_by: "size".into(), ..Default::default() };
    let status = refused(client.list_graphs(wrong).await, Code::InvalidArgument, "INVALID_FIELD");
    assert_eq!(field_of(&status), "order_by");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_tampered_with_or_belongs_elsewhere_is_refused() {
    let (_world, mut client) = sample().await;
    let request = |filter: &str, page_token: &str| ListNodesRequest {
        graph: GRAPH.into(),
        page_size: 5,
        filter: filter.into(),
        page_token: page_token.into(),
        ..ListNodesRequest::default()
    };
    let page = client.list_nodes(request("", "")).await.expect("a page").into_inner();
    let token = page.next_page_token;
    for (filter, token) in [
        ("degree > 0", token.as_str()),
        ("", "made-up"),
        ("", "AAAAAAAAAAAAAAAA"),
        ("", &token[..token.len() - 2]),
    ] {
        let status =
            refused(client.list_nodes(request(filter, token)).await, Code::InvalidArgument, "INVALID_FIELD");
        assert_eq!(field_of(&status), "page_token");
    }
    let edges = ListEdgesRequest { graph: GRAPH.into(), page_token: token, ..ListEdgesRequest::default() };
    refused(client.list_edges(edges).await, Code::InvalidArgument, "INVALID_FIELD");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_before_the_message_is_too_large() {
    let (_world, mut client) = World::with_graph().await;
    for part in 0..10 {
        let nodes = (0..100).map(|index| {
            let text = prost_types::value::Kind::StringValue("x".repeat(10_000));
            let value = prost_types::Value { kind: Some(text) };
            let properties = Some(prost_types::Struct { fields: [("text".to_owned(), value)].into() }.into());
            put_node(Node { key: format!("{part}-{index}"), properties, ..Node::default() })
        });
        apply(&mut client, nodes.collect()).await;
    }
    let nodes = all_nodes(&mut client, "", "", 1_000).await;
    assert_eq!(nodes.len(), 1_000);
}
