//! What is refused, and with which words.

use tonic::Code;
use weft_compute::Options;
use weft_proto::weft::compute::v1::{
    Analysis, Betweenness, BreadthFirst, CreateAnalysisRequest, GetAnalysisRequest,
    ListAnalysisValuesRequest, PageRank, WeakComponents, algorithm::Kind,
};

use crate::world::{GRAPH, World, analysis, failure, reason};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let world = World::start().await;
    let wrong: [(Analysis, &str); 6] = [
        (Analysis::default(), "analysis.algorithm"),
        (analysis(Kind::PageRank(PageRank { damping: Some(1.0), ..PageRank::default() })), "damping"),
        (analysis(Kind::PageRank(PageRank { damping: Some(f64::NAN), ..PageRank::default() })), "damping"),
        (analysis(Kind::BreadthFirst(BreadthFirst::default())), "source"),
        (
            analysis(Kind::Betweenness(Betweenness {
                sample_count: 3,
                sources: vec!["a".into()],
                ..Betweenness::default()
            })),
            "sample_count",
        ),
        (
            Analysis {
                timeout: Some(prost_types::Duration { seconds: 7_200, nanos: 0 }),
                ..analysis(Kind::WeakComponents(WeakComponents {}))
            },
            "timeout",
        ),
    ];
    for (sent, field) in wrong {
        let refused = world.create_analysis("a", sent).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::InvalidArgument, "INVALID_FIELD".into()));
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    let property =
        Analysis { write_property: "a.b".into(), ..analysis(Kind::WeakComponents(WeakComponents {})) };
    assert_eq!(world.create_analysis("a", property).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let world = World::start().await;
    let request = CreateAnalysisRequest {
        parent: "projects/p/graphs/other".into(),
        analysis: Some(analysis(Kind::WeakComponents(WeakComponents {}))),
        ..CreateAnalysisRequest::default()
    };
    let refused = world.client.clone().create_analysis(request).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "GRAPH_NOT_FOUND".into()));
    let name = format!("{GRAPH}/analyses/none");
    let refused = world.client.clone().get_analysis(GetAnalysisRequest { name }).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "ANALYSIS_NOT_FOUND".into()));
    let from = BreadthFirst { source: "nobody".into(), ..BreadthFirst::default() };
    let done = world.run(Kind::BreadthFirst(from)).await;
    assert_eq!(failure(&done), (Code::NotFound, "NODE_NOT_FOUND".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_full_says_so() {
    let world = World::start_with(Options { max_open_analyses_per_project: 2, ..Options::default() }).await;
    world.ring(20_000).await;
    let long = || Kind::Betweenness(Betweenness::default());
    world.create("a", long()).await.unwrap();
    let taken = world.create("a", long()).await.unwrap_err();
    assert_eq!(reason(&taken), (Code::AlreadyExists, "ANALYSIS_ALREADY_EXISTS".into()));
    world.create("b", long()).await.unwrap();
    let full = world.create("c", long()).await.unwrap_err();
    assert_eq!(reason(&full), (Code::ResourceExhausted, "TOO_MANY_ANALYSES".into()));

    let small = World::start_with(Options { analysis_memory_mib: 16, ..Options::default() }).await;
    small.ring(200_000).await;
    let large = small.create("a", long()).await.unwrap_err();
    assert_eq!(reason(&large), (Code::ResourceExhausted, "ANALYSIS_TOO_LARGE".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_list_is_refused() {
    let world = World::start().await;
    world.ring(10).await;
    let done = world.run(Kind::WeakComponents(WeakComponents {})).await;
    let list = |order_by: &str, page_token: &str| ListAnalysisValuesRequest {
        name: done.name.clone(),
        page_size: 3,
        order_by: order_by.into(),
        page_token: page_token.into(),
    };
    let page = world.client.clone().list_analysis_values(list("node", "")).await.unwrap().into_inner();
    for (order_by, token) in
        [("value", page.next_page_token.as_str()), ("node", "made up"), ("node, value", "")]
    {
        let refused = world.client.clone().list_analysis_values(list(order_by, token)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}
