//! kill -9 while analyses wait and run: each that was accepted ends, and none is left running.

use std::time::Duration;

use weft_proto::weft::compute::v1::{
    Algorithm, Analysis, AnalysisState, Betweenness, Cores, CreateAnalysisRequest, GetAnalysisRequest,
    WatchAnalysisRequest, algorithm::Kind,
};
use weft_tests::{
    client::Client,
    graphs::{self, edge},
    process::Process,
};

/// Nodes of a ring, of which exact betweenness takes some seconds.
const NODES: u32 = 16_000;
/// How often the program is killed.
const KILLS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_analyses_outlive_their_processes() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"));
    process.start();
    let client = process.client();
    let graph = graphs::create(&client, "g").await;
    let ring: Vec<_> =
        (0..NODES).map(|at| edge(&format!("n{at}"), &format!("n{}", (at + 1) % NODES))).collect();
    for part in ring.chunks(8_000) {
        graphs::apply(&client, &graph, part.to_vec()).await;
    }
    let long = create(&client, &graph, Kind::Betweenness(Betweenness::default())).await;
    let short = create(&client, &graph, Kind::Cores(Cores {})).await;
    for kill in 0..KILLS {
        let client = process.client();
        loop {
            let request = GetAnalysisRequest { name: long.clone() };
            let state = client.analyses().get_analysis(request).await.expect("it is there").into_inner();
            assert_ne!(state.state(), AnalysisState::Succeeded, "it was quicker than it could be killed");
            // Begun again, once the lease of the process that died has run out.
            if state.attempt_count as usize > kill && state.progress > 0.0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.kill();
        process.start();
    }
    let client = process.client();
    let ended = watch(&client, &long).await;
    assert_eq!(ended.state(), AnalysisState::Succeeded, "{:?}", ended.error);
    assert_eq!(ended.attempt_count as usize, KILLS + 1);
    // Every node of a ring has as many ways over it as any other: (n - 1)(n - 2) / 2 in one direction.
    let expected = f64::from((NODES - 1) * (NODES - 2) / 2);
    let top = ended.result.expect("it succeeded").top;
    assert!((top[0].values[0] - expected).abs() < 1e-6 * expected, "{top:?}");
    assert_eq!(watch(&client, &short).await.state(), AnalysisState::Succeeded);
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}

async fn create(client: &Client, graph: &str, kind: Kind) -> String {
    let algorithm = Algorithm { kind: Some(kind) };
    let request = CreateAnalysisRequest {
        parent: graph.into(),
        analysis: Some(Analysis { algorithm: Some(algorithm), ..Analysis::default() }),
        ..CreateAnalysisRequest::default()
    };
    client.analyses().create_analysis(request).await.expect("it is accepted").into_inner().name
}

/// How it ended.
async fn watch(client: &Client, name: &str) -> Analysis {
    let request = WatchAnalysisRequest { name: name.to_owned() };
    let mut states = client.analyses().watch_analysis(request).await.expect("it is there").into_inner();
    let mut last = Analysis::default();
    while let Some(state) = states.message().await.expect("it goes on") {
        last = state;
    }
    last
}
