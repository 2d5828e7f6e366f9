//! The journey with each service in a process of its own over PostgreSQL and Redis; the one that keeps
//! the graphs dies on the way.

use std::{fs, path::Path, time::Duration};

use tonic::Code;
use weft_proto::weft::graph::v1::{ApplyChangesRequest, ApplyChangesResponse};
use weft_tests::{
    client::Client,
    database::Backends,
    graphs::{self, Follower, edge, node},
    layouts::Viewer,
    process::Process,
};

use crate::{analysing, dragging, filling, folders, questions, ways_in};

/// Four processes that make one mesh.
struct Mesh {
    identity: Process,
    graph: Process,
    _compute: Process,
    gateway: Process,
}

impl Mesh {
    fn start(folder: &Path, backends: &Backends) -> Self {
        let objects = folder.join("objects");
        fs::create_dir(&objects).expect("a folder can be made");
        let service = |name: &str, peers: &[(&str, &Process)]| {
            let data = folder.join(name);
            let mut process = Process::serve(&data, &[name])
                .set("STORAGE__DATABASE", &backends.postgres)
                .set("STORAGE__BUS", &backends.redis)
                .set("STORAGE__OBJECTS", &format!("file://{}", objects.display()));
            if name == "graph" {
                let notes = folder.join("notes");
                folders::write_notes(&notes);
                process = process
                    .set("GRAPH__FOLDERS__NOTES__PATH", &notes.display().to_string())
                    .set("GRAPH__FOLDERS__NOTES__PROJECTS", "[p]");
            }
            for (peer, running) in peers {
                process = process.set(&format!("PEERS__{peer}"), &running.url());
            }
            if name != "identity" {
                // The mesh's secret is made by the identity service, and handed to the others.
                fs::create_dir(&data).expect("a folder can be made");
                fs::copy(folder.join("identity/mesh.key"), data.join("mesh.key")).expect("it was made");
            }
            process.start();
            process
        };
        let identity = service("identity", &[]);
        let graph = service("graph", &[("IDENTITY", &identity)]);
        let compute = service("compute", &[("IDENTITY", &identity), ("GRAPH", &graph)]);
        let gateway =
            service("gateway", &[("IDENTITY", &identity), ("GRAPH", &graph), ("COMPUTE", &compute)]);
        Self { identity, graph, _compute: compute, gateway }
    }

    fn client(&self) -> Client {
        Client::new(&self.gateway.url(), Some(&self.identity.key()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_with_each_service_alone_and_one_that_dies() {
    let Some(backends) = Backends::find().await else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut mesh = Mesh::start(folder.path(), &backends);
    let client = mesh.client();
    let graph = filling::create_and_import(&client).await;
    filling::change_and_watch(&client, &graph).await;
    let layout = dragging::lay_out(&client, &graph).await;

    survive(&mut mesh, &client, &graph, &layout).await;

    analysing::analyse(&client, &graph).await;
    questions::ask(&client, &graph).await;
    filling::export_and_import(&client, &graph).await;
    folders::keep_true(&client, &folder.path().join("notes")).await;
    dragging::drag(&client, &layout).await;
    dragging::drag_in_browser(&client, &layout).await;
    ways_in::rest(&client).await;
    ways_in::streams(&client, &graph).await;
    ways_in::socket(&client, &graph).await;
    drop(mesh);
    backends.remove().await;
}

/// The graph service dies and comes back: watchers resume, layouts go on, nothing is lost.
async fn survive(mesh: &mut Mesh, client: &Client, graph: &str, layout: &str) {
    let first = graphs::get(client, graph).await.revision;
    let mut follower = Follower::new(graph, first);
    assert_eq!(follower.next(client).await.expect("it begins"), None);
    graphs::apply(client, graph, vec![node("before")]).await;
    follower.until(client, first + 1).await.expect("it lives");
    let count = graphs::get(client, graph).await.node_count;

    mesh.graph.kill();
    let broken = follower.next(client).await.expect_err("the process is gone");
    assert!(
        matches!(broken.code(), Code::Unavailable | Code::Cancelled | Code::Internal | Code::Unknown),
        "{broken:?}"
    );
    // Whoever looks at the layout goes on looking: the compute service has what it needs.
    let mut viewer = Viewer::open(client, layout).await.expect("layouts go on");
    viewer.until(|eyes| eyes.frame.is_some()).await.expect("layouts go on");
    mesh.graph.start();

    let request = ApplyChangesRequest {
        request_id: "6a1f0f5e-8f3c-4ac6-9a57-000000000001".into(),
        ..graphs::changes(graph, vec![node("after"), edge("before", "after")])
    };
    let applied = until_back(client, request).await;
    assert_eq!(
        (applied.revision, applied.node_count),
        (first + 2, count + 1),
        "nothing is lost, nothing is doubled"
    );
    let missed = follower.until(client, first + 2).await.expect("it resumes");
    assert_eq!(missed[0].node_keys(), ["after"]);
    viewer
        .until(|eyes| eyes.header().is_some_and(|header| i64::from(header.count) == count + 1))
        .await
        .expect("the layout hears of the newcomer");
}

/// A change that is repeated until the service is there again: its id makes the repeat harmless.
async fn until_back(client: &Client, request: ApplyChangesRequest) -> ApplyChangesResponse {
    for _ in 0..100 {
        match client.graphs().apply_changes(request.clone()).await {
            Ok(answer) => return answer.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        // The pause that UNAVAILABLE asks for: there is nothing to wait on from outside.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the graph service did not come back");
}
