//! The journey with all services in one process on SQLite.

use weft_graph::FolderOptions;
use weft_tests::mesh::Mesh;

use crate::{analysing, dragging, filling, folders, questions, ways_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_from_its_files_to_a_node_that_is_dragged() {
    let notes = tempfile::tempdir().expect("a folder can be made");
    folders::write_notes(notes.path());
    let open =
        FolderOptions { path: notes.path().into(), projects: vec!["p".into()], description: String::new() };
    let mesh = Mesh::with(|config| drop(config.graph.folders.insert("notes".into(), open))).await;
    let client = mesh.client();
    let graph = filling::create_and_import(&client).await;
    filling::change_and_watch(&client, &graph).await;
    questions::ask(&client, &graph).await;
    filling::export_and_import(&client, &graph).await;
    folders::keep_true(&client, notes.path()).await;
    analysing::analyse(&client, &graph).await;
    let layout = dragging::lay_out(&client, &graph).await;
    dragging::drag(&client, &layout).await;
    dragging::drag_in_browser(&client, &layout).await;
    ways_in::rest(&client).await;
    ways_in::streams(&client, &graph).await;
    ways_in::socket(&client, &graph).await;
    mesh.stop_unhurt().await;
}
