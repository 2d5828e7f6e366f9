//! Who is kept out by one door is kept out by all of them, and is told the same: nobody, who may not, and
//! who asks too often.

use prost::Message;
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;
use weft_kit::config::Rates;
use weft_proto::weft::{
    graph::v1::{CreateGraphRequest, GetStatisticsRequest, Graph, StreamSnapshotRequest},
    identity::v1::Role,
};
use weft_tests::{client::Client, graphs, mesh::Mesh};

use super::door::{Door, Question, Told};

const GRAPH: &str = "projects/p/graphs/g";
/// What a call of `GetStatistics` costs, by its contract.
const COST: u32 = 4;

fn statistics() -> Question {
    Question {
        method: "weft.graph.v1.GraphService/GetStatistics",
        is_stream: false,
        message: GetStatisticsRequest { graph: GRAPH.into() }.encode_to_vec(),
        json: json!({ "graph": GRAPH }),
        rest: "GET /v1/projects/p/graphs/g:statistics",
        body: "",
        tool: "graph_get_statistics",
    }
}

fn snapshot() -> Question {
    Question {
        method: "weft.graph.v1.GraphService/StreamSnapshot",
        is_stream: true,
        message: StreamSnapshotRequest { graph: GRAPH.into(), ..StreamSnapshotRequest::default() }
            .encode_to_vec(),
        json: json!({ "graph": GRAPH }),
        rest: "GET /v1/projects/p/graphs/g:snapshot",
        body: "",
        tool: "",
    }
}

fn creation() -> Question {
    let request = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: "new".into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    Question {
        method: "weft.graph.v1.GraphService/CreateGraph",
        is_stream: false,
        message: request.encode_to_vec(),
        json: json!({ "parent": "projects/p", "graphId": "new", "graph": {} }),
        rest: "POST /v1/projects/p/graphs?graphId=new",
        body: "{}",
        tool: "graph_create_graph",
    }
}

/// Checks that each door refuses this with code, reason, and HTTP's status where there is one.
async fn refused_by_all(client: &Client, question: &Question, code: Code, reason: &str, http: u16) {
    for door in question.doors() {
        let told = door.ask(client, question).await;
        check(
            *door,
            &told.unwrap_or_else(|| panic!("{door:?} lets {} in", question.method)),
            code,
            reason,
            http,
        );
    }
}

fn check(door: Door, told: &Told, code: Code, reason: &str, http: u16) {
    assert_eq!((told.refused.code, told.refused.reason.as_str()), (code, reason), "{door:?}: {told:?}");
    assert!(told.refused.fields.is_empty() && !told.refused.message.is_empty(), "{door:?}: {told:?}");
    if let Some((status, headers)) = &told.http {
        assert_eq!(*status, http, "{door:?}");
        let asks_who = headers.get("www-authenticate").is_some_and(|value| value == "Bearer");
        assert_eq!(asks_who, http == 401, "{door:?}: {headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_the_same_behind_each_door() {
    let mesh = Mesh::start().await;
    let admin = mesh.client();
    graphs::create(&admin, "g").await;
    let nobody = admin.as_other(None);
    for question in [statistics(), snapshot()] {
        for door in question.doors() {
            let told = door.ask(&admin, &question).await;
            assert!(told.is_none(), "{door:?} keeps out whom it knows: {told:?}");
        }
        refused_by_all(&nobody, &question, Code::Unauthenticated, "CREDENTIALS_REQUIRED", 401).await;
    }
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_too_low_is_so_behind_each_door() {
    let mesh = Mesh::start().await;
    let admin = mesh.client();
    graphs::create(&admin, "g").await;
    let viewer = admin.as_other(Some(&admin.new_key("projects/p", Role::Viewer, &[]).await));
    refused_by_all(&viewer, &creation(), Code::PermissionDenied, "ROLE_REQUIRED", 403).await;
    let made = admin.rest("GET /v1/projects/p/graphs/new", None).await;
    assert_eq!(made.status, 404, "nobody who may has made it: {made:?}");
    // No contract has a stream for which a viewer is too little: one of another project is nobody here.
    let stranger = admin.as_other(Some(&admin.new_key("projects/q", Role::Viewer, &[]).await));
    refused_by_all(&stranger, &snapshot(), Code::PermissionDenied, "ROLE_REQUIRED", 403).await;
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_bucket_is_empty_behind_each_door() {
    let mesh = Mesh::with(|config| {
        config.limits.rate.read = Rates { per_second: 1, burst: COST };
        config.limits.rate.bulk = Rates { per_second: 1, burst: 1 };
    })
    .await;
    let admin = mesh.client();
    graphs::create(&admin, "g").await;
    let viewer = admin.as_other(Some(&admin.new_key("projects/p", Role::Viewer, &[]).await));
    for (question, cost) in [(statistics(), COST), (snapshot(), 1)] {
        let (began, mut let_in) = (Instant::now(), 0);
        for door in question.doors() {
            // What came back into the bucket since the last door is taken out first.
            let told = loop {
                match door.ask(&viewer, &question).await {
                    Some(told) => break told,
                    None => let_in += u64::from(cost),
                }
                assert!(let_in < 1_000, "{door:?} goes on letting in");
            };
            check(*door, &told, Code::ResourceExhausted, "RATE_LIMITED", 429);
            assert!(told.has_pause, "{door:?} does not say when to come back: {told:?}");
            if let Some((_, headers)) = &told.http {
                let seconds = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                let seconds: u32 = seconds.unwrap_or_else(|| panic!("{door:?}: {headers:?}"));
                assert!((1..=cost).contains(&seconds), "{door:?}: {seconds}");
            }
        }
        // It is one bucket: behind all doors together there was no more than it held and what came back.
        let most = u64::from(cost) + began.elapsed().as_secs() + 1;
        assert!(let_in <= most, "{let_in} of {most} for {}", question.method);
    }
    mesh.stop_unhurt().await;
}
