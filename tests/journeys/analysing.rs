//! Analysing a graph: every algorithm over gRPC, one over REST with its progress as events, values against what can be
//! counted, values as properties, one that is cancelled, and who may not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tonic::Code;
use weft_proto::weft::{
    compute::v1::{
        self as api, Algorithm, Analysis, AnalysisState, CancelAnalysisRequest, CreateAnalysisRequest,
        ListAnalysisValuesRequest, WatchAnalysisRequest, algorithm::Kind,
    },
    graph::v1::{GetNodeRequest, GetStatisticsRequest},
    identity::v1::Role,
};
use weft_tests::{
    client::Client,
    graphs::{self, edge},
    refused::{refused, refused_rest},
};

pub(crate) async fn analyse(client: &Client, graph: &str) {
    let small = graphs::create(client, "small").await;
    graphs::apply(client, &small, vec![edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("c", "d")]).await;
    let from = || api::BreadthFirst { source: "a".into(), ..Default::default() };
    let known: [(Kind, &[f64]); 11] = [
        (Kind::WeakComponents(api::WeakComponents {}), &[0.0, 0.0, 0.0, 0.0]),
        (Kind::StrongComponents(api::StrongComponents {}), &[0.0, 0.0, 0.0, 3.0]),
        (Kind::BreadthFirst(from()), &[0.0, 1.0, 2.0, 3.0]),
        (Kind::ShortestPaths(api::ShortestPaths { source: "a".into(), direction: 2 }), &[0.0, 2.0, 1.0]),
        (Kind::Betweenness(api::Betweenness::default()), &[1.0, 2.0, 3.0, 0.0]),
        (Kind::Closeness(api::Closeness::default()), &[0.5, 0.6, 0.75, 0.0]),
        (Kind::Cores(api::Cores {}), &[2.0, 2.0, 2.0, 1.0]),
        (Kind::Triangles(api::Triangles {}), &[1.0, 1.0, 1.0, 0.0]),
        (Kind::LabelPropagation(api::LabelPropagation::default()), &[0.0, 0.0, 0.0, 0.0]),
        (Kind::Communities(api::Communities { resolution: Some(0.0), ..Default::default() }), &[0.0; 4]),
        (Kind::PageRank(api::PageRank { damping: Some(0.0), ..Default::default() }), &[0.25; 4]),
    ];
    for (kind, expected) in known {
        let analysis = succeed(client, &small, "", kind).await;
        let found = values(client, &analysis.name).await;
        let first = found.values().next().expect("a is there")[0];
        // Groups are named by ordinals, of which the first is a's.
        let ordinals = analysis.result.as_ref().is_some_and(|result| !result.groups.is_empty());
        let base = if ordinals { first } else { 0.0 };
        let found: Vec<f64> = found.values().map(|values| values[0] - base).collect();
        assert!(
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9),
            "{:?}: {found:?} are not {expected:?}",
            analysis.algorithm
        );
    }
    let cyclic = run(client, &small, "", Kind::Precedence(api::Precedence::default())).await;
    assert!(cyclic.error.is_some_and(|error| error.message.contains("cycle")));

    let written = succeed(client, &small, "core", Kind::Cores(api::Cores {})).await;
    assert!(written.result.expect("it succeeded").written_revision > 0);
    let request = GetNodeRequest { graph: small.clone(), key: "d".into() };
    let node = client.graphs().get_node(request).await.expect("it is there").into_inner();
    assert!(node.properties.expect("it has some").fields.contains_key("core"));

    packages(client, graph).await;
    over_rest(client, &small).await;
    who_may(client, &small).await;
}

/// A graph of people's: as many components as the graph service counts, and Leiden finds parts.
async fn packages(client: &Client, graph: &str) {
    let weak = succeed(client, graph, "", Kind::WeakComponents(api::WeakComponents {})).await;
    let request = GetStatisticsRequest { graph: graph.into() };
    let statistics = client.graphs().get_statistics(request).await.expect("it is there").into_inner();
    let numbers = weak.result.expect("it succeeded").numbers;
    assert_eq!(numbers["component_count"] as i64, statistics.component_count);
    let leiden = succeed(client, graph, "", Kind::Communities(api::Communities::default())).await;
    let result = leiden.result.expect("it succeeded");
    assert!(result.numbers["modularity"] > 0.5 && result.groups.len() > 5, "{:?}", result.numbers);

    // Exact betweenness of a long ring takes a while: time to end it.
    let ring = graphs::create(client, "ring").await;
    for part in 0..2 {
        let ends = (part * 8_000..(part + 1) * 8_000).map(|at| (at, (at + 1) % 16_000));
        let edges = ends.map(|(from, to)| edge(&format!("n{from}"), &format!("n{to}")));
        graphs::apply(client, &ring, edges.collect()).await;
    }
    let long = create(client, &ring, "", Kind::Betweenness(api::Betweenness::default())).await;
    let mut states = client
        .analyses()
        .watch_analysis(WatchAnalysisRequest { name: long.name.clone() })
        .await
        .expect("it is there")
        .into_inner();
    while states.message().await.expect("it goes on").expect("it has not ended").progress <= 0.0 {}
    let request = CancelAnalysisRequest { name: long.name };
    client.analyses().cancel_analysis(request).await.expect("it runs");
    let mut last = None;
    while let Some(state) = states.message().await.expect("it goes on") {
        last = Some(state);
    }
    assert_eq!(last.expect("its end").state(), AnalysisState::Cancelled);
}

async fn over_rest(client: &Client, graph: &str) {
    let body = json!({ "algorithm": { "pageRank": {} }, "timeout": "60s" });
    let made = client.rest(&format!("POST /v1/{graph}/analyses?analysisId=rest"), Some(&body)).await.ok();
    assert_eq!(made["name"], format!("{graph}/analyses/rest"));
    let watch = format!("GET /v1/{graph}/analyses/rest:watch");
    let events = client.rest_raw(&watch, &[("accept", "text/event-stream")], "").await;
    assert!(events.text().contains("ANALYSIS_STATE_SUCCEEDED"), "{}", events.text());
    let top = format!("GET /v1/{graph}/analyses/rest/values?orderBy=value%20desc&pageSize=1");
    let top = client.rest(&top, None).await.ok();
    assert_eq!(top["values"][0]["node"], "c", "{top}");
    let columns = format!("GET /v1/{graph}/analyses/rest:streamValues");
    let columns = client.rest_raw(&columns, &[("accept", "application/json")], "").await;
    let sum: f64 = columns.json()[0]["columns"]["columns"][0]["values"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    let listed =
        client.rest(&format!("GET /v1/{graph}/analyses?filter=algorithm%3Dpage_rank"), None).await.ok();
    assert!(listed["analyses"].as_array().is_some_and(|found| found.len() == 2), "{listed}");
    client.rest(&format!("DELETE /v1/{graph}/analyses/rest"), None).await.ok();
    let gone = client.rest(&format!("GET /v1/{graph}/analyses/rest"), None).await;
    refused_rest(&gone, 404).is(Code::NotFound, "ANALYSIS_NOT_FOUND", "");
}

/// Viewers look; and what writes to the graph needs the right to.
async fn who_may(client: &Client, graph: &str) {
    let viewer = client.as_other(Some(&client.new_key("projects/p", Role::Viewer, &[]).await));
    let request = |write_property: &str| {
        let algorithm = Algorithm { kind: Some(Kind::Cores(api::Cores {})) };
        let write_property = write_property.to_owned();
        CreateAnalysisRequest {
            parent: graph.into(),
            analysis: Some(Analysis { algorithm: Some(algorithm), write_property, ..Analysis::default() }),
            ..CreateAnalysisRequest::default()
        }
    };
    let status = viewer.analyses().create_analysis(request("")).await;
    refused(status).is(Code::PermissionDenied, "ROLE_REQUIRED", "");
    let scopes = ["compute.write", "compute.read"];
    let narrow = client.as_other(Some(&client.new_key("projects/p", Role::Operator, &scopes).await));
    narrow.analyses().create_analysis(request("")).await.expect("it computes");
    let status = narrow.analyses().create_analysis(request("x")).await;
    refused(status).is(Code::PermissionDenied, "SCOPE_REQUIRED", "");
}

async fn create(client: &Client, graph: &str, write_property: &str, kind: Kind) -> Analysis {
    let request = CreateAnalysisRequest {
        parent: graph.into(),
        analysis: Some(Analysis {
            algorithm: Some(Algorithm { kind: Some(kind) }),
            write_property: write_property.into(),
            ..Analysis::default()
        }),
        ..CreateAnalysisRequest::default()
    };
    client.analyses().create_analysis(request).await.expect("it is accepted").into_inner()
}

/// Runs to its end, and sees that progress only grows.
async fn run(client: &Client, graph: &str, write_property: &str, kind: Kind) -> Analysis {
    let created = create(client, graph, write_property, kind).await;
    let request = WatchAnalysisRequest { name: created.name };
    let mut states = client.analyses().watch_analysis(request).await.expect("it is there").into_inner();
    let mut last = Analysis::default();
    while let Some(state) = states.message().await.expect("it goes on") {
        assert!(state.progress >= last.progress && state.state >= last.state);
        last = state;
    }
    last
}

async fn succeed(client: &Client, graph: &str, write_property: &str, kind: Kind) -> Analysis {
    let ended = run(client, graph, write_property, kind).await;
    assert_eq!(ended.state(), AnalysisState::Succeeded, "{:?}", ended.error);
    ended
}

/// All values, by node; by pages of three, each node once.
async fn values(client: &Client, name: &str) -> BTreeMap<String, Vec<f64>> {
    let (mut found, mut seen, mut page_token) = (BTreeMap::new(), BTreeSet::new(), String::new());
    loop {
        let (name, order_by) = (name.to_owned(), "node".to_owned());
        let request = ListAnalysisValuesRequest { name, page_size: 3, page_token, order_by };
        let page = client.analyses().list_analysis_values(request).await.expect("it succeeded").into_inner();
        for value in page.values {
            assert!(seen.insert(value.ordinal), "{} came twice", value.node);
            found.insert(value.node, value.values);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}
