//! kill -9 while a folder is brought in.

use std::{fs, time::Duration};

use tonic::Code;
use weft_proto::weft::graph::v1::{
    CreateSourceRequest, FolderLocation, GetRefreshRequest, Refresh, RefreshSourceRequest, RefreshState,
    Source, WatchRefreshRequest, source::Location,
};
use weft_tests::{client::Client, graphs, process::Process};

/// Pages in the folder: so many that the process dies in the middle of them.
const PAGES: i64 = 3_000;
/// A refresh of a process that died is believed to run for half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_whose_process_is_killed_is_whole_or_nothing_and_can_be_done_again() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let notes = folder.path().join("notes");
    fs::create_dir(&notes).expect("a folder can be made");
    for page in 0..PAGES {
        let text = format!("See [[Page{}]].\n{}", (page + 1) % PAGES, "words ".repeat(200));
        fs::write(notes.join(format!("Page{page}.md")), text).expect("it can be written");
    }
    let mut process = Process::up(&folder.path().join("data"))
        .set("GRAPH__FOLDERS__NOTES__PATH", &notes.display().to_string())
        .set("GRAPH__FOLDERS__NOTES__PROJECTS", "[p]");
    process.start();
    let client = process.client();
    let graph = graphs::create(&client, "g").await;
    let location = FolderLocation { folder: "projects/p/folders/notes".into(), ..FolderLocation::default() };
    let create = CreateSourceRequest {
        parent: graph.clone(),
        source_id: "notes".into(),
        source: Some(Source { location: Some(Location::Folder(location)), ..Source::default() }),
        ..CreateSourceRequest::default()
    };
    let source = client.sources().create_source(create).await.expect("the folder is open").into_inner().name;
    let begun = client
        .sources()
        .refresh_source(RefreshSourceRequest { name: source.clone() })
        .await
        .expect("none runs")
        .into_inner();
    process.kill();
    process.start();

    let client = process.client();
    let count = graphs::get(&client, &graph).await.node_count;
    assert!([0, PAGES].contains(&count), "{count} nodes: it is neither whole nor nothing");
    let get = GetRefreshRequest { name: begun.name };
    let state = client.sources().get_refresh(get.clone()).await.expect("it is kept").into_inner().state();
    assert_eq!(state, RefreshState::Running, "nobody can know yet that it is dead");

    let again = again(&client, &source).await;
    assert_eq!(again.state(), RefreshState::Succeeded, "{again:?}");
    let after = graphs::get(&client, &graph).await;
    assert_eq!((after.node_count, after.edge_count), (PAGES, PAGES));
    let dead = client.sources().get_refresh(get).await.expect("it is kept").into_inner();
    assert_eq!(dead.state(), RefreshState::Interrupted);
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}

/// Refreshes as soon as the dead one is known to be dead, and waits for the end.
async fn again(client: &Client, source: &str) -> Refresh {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let begun = loop {
        match client.sources().refresh_source(RefreshSourceRequest { name: source.into() }).await {
            Ok(begun) => break begun.into_inner(),
            Err(status) => {
                assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
                assert!(tokio::time::Instant::now() < deadline, "the dead refresh is never given up");
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let watch = WatchRefreshRequest { name: begun.name };
    let mut states = client.sources().watch_refresh(watch).await.expect("it is there").into_inner();
    let mut last = None;
    while let Some(state) = states.message().await.expect("the stream does not break") {
        last = Some(state);
    }
    last.expect("its state is told")
}
