//! Two meshes in one process: nothing of one is seen in the other.

use serde_json::json;
use tonic::Code;
use weft_proto::weft::{
    graph::v1::ListGraphsRequest,
    identity::v1::{IssueTokenRequest, WhoAmIRequest, issue_token_request::Credential},
};
use weft_tests::{
    graphs::{self, Follower, node},
    layouts::{self, Viewer},
    mesh::Mesh,
    refused::{refused, refused_rest},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_meshes_in_one_process_do_not_see_each_other() {
    let (one, two) = (Mesh::start().await, Mesh::start().await);
    let (first, second) = (one.client(), two.client());
    let list = || ListGraphsRequest { parent: "projects/p".into(), ..ListGraphsRequest::default() };

    // Graphs of the same name are different graphs.
    let graph = graphs::create(&first, "g").await;
    assert!(second.graphs().list_graphs(list()).await.expect("a page").into_inner().graphs.is_empty());
    assert_eq!(graphs::create(&second, "g").await, graph);
    let mut follower = Follower::new(&graph, 1);
    assert_eq!(follower.next(&second).await.expect("it begins"), None);
    graphs::apply(&first, &graph, vec![node("ours")]).await;
    graphs::apply(&second, &graph, vec![node("theirs")]).await;
    assert_eq!(follower.revision(&second).await.expect("it lives").node_keys(), ["theirs"]);
    assert_eq!(graphs::all_nodes(&first, &graph).await[0].key, "ours");

    // Layouts too.
    let layout = layouts::create(&first, &graph).await;
    let mut viewer = Viewer::open(&first, &layout).await.expect("it is there");
    viewer.until(|eyes| eyes.header().is_some_and(|header| header.count == 1)).await.expect("it runs");
    refused(Viewer::open(&second, &layout).await).is(Code::NotFound, "LAYOUT_NOT_FOUND", "");

    // Credentials of one are nothing in the other, by every way in.
    let stranger = second.as_other(Some(&one.key));
    let who = stranger.identity().who_am_i(WhoAmIRequest {}).await;
    refused(who).is(Code::Unauthenticated, "API_KEY_INVALID", "");
    refused_rest(&stranger.rest("GET /v1/me", None).await, 401).is(
        Code::Unauthenticated,
        "API_KEY_INVALID",
        "",
    );
    let request = IssueTokenRequest {
        credential: Some(Credential::ApiKey(one.key.clone())),
        ..IssueTokenRequest::default()
    };
    let token = first.identity().issue_token(request).await.expect("the key is good").into_inner().token;
    assert_eq!(first.as_other(Some(&token)).rest("GET /v1/me", None).await.status, 200);
    let forged = second.as_other(Some(&token)).identity().who_am_i(WhoAmIRequest {}).await;
    refused(forged).is(Code::Unauthenticated, "TOKEN_INVALID", "");
    let ticket = first.rest("POST /v1/tickets", Some(&json!({}))).await.ok()["ticket"].clone();
    let used = second.rest("POST /v1/tokens:issue", Some(&json!({ "ticket": ticket }))).await;
    assert_eq!(used.status, 401, "{}", used.text());

    // The end of one is not the end of the other.
    one.stop_unhurt().await;
    graphs::apply(&second, &graph, vec![node("still")]).await;
    two.stop_unhurt().await;
}
