//! Whether what there is no memory or no place for is refused before it is brought in, and finds room when others are left alone.

use tonic::Code;
use tonic_types::StatusExt;
use weft_compute::Options;
use weft_proto::weft::compute::v1::{FrameOptions, GetLayoutRequest, LayoutState};

use crate::{
    graph::TestGraph,
    mesh::{Mesh, create, quick, reason, soon},
};

#[tokio::test]
async fn a_layout_that_there_is_no_memory_for_is_refused() {
    let options = Options { layout_memory_mib: 16, ..quick() };
    let mesh = Mesh::start_with(TestGraph::ring(50_000, 0), options).await;
    let layout = mesh.layout().await;
    let refused = mesh.watch(&layout.name, FrameOptions::default()).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "NO_MEMORY_FOR_LAYOUT".into()));
    let details = refused.get_error_details();
    let violation = &details.quota_failure().unwrap().violations[0];
    assert_eq!(violation.subject, layout.name);
    assert_eq!(violation.description, "layouts of a process may use 16 MiB");
    assert_eq!(details.error_info().unwrap().metadata["needed_mib"], "32");
    // It is there, and can be read.
    let request = GetLayoutRequest { name: layout.name.clone() };
    let got = mesh.client.clone().get_layout(request).await.unwrap().into_inner();
    assert_eq!((&got.uid, got.state()), (&layout.uid, LayoutState::Loading));
}

#[tokio::test]
async fn layouts_that_nobody_needs_make_room_in_memory() {
    // Room for one of them.
    let options = Options { layout_memory_mib: 16, ..quick() };
    let mesh = Mesh::start_with(TestGraph::ring(20_000, 0), options).await;
    let first = mesh.create(create("first")).await.unwrap();
    let mut eyes = mesh.look(&first.name).await;
    eyes.until_frame(|_| true).await;
    let second = mesh.create(create("second")).await.unwrap();
    let refused = mesh.watch(&second.name, FrameOptions::default()).await.unwrap_err();
    assert_eq!(reason(&refused).1, "NO_MEMORY_FOR_LAYOUT");
    let stop = weft_proto::weft::compute::v1::StopLayoutRequest { name: first.name.clone() };
    mesh.client.clone().stop_layout(stop).await.unwrap();
    eyes.until_state(LayoutState::Stopped).await;
    drop(eyes);
    // The stream is let go of a moment after its client.
    soon(async {
        while let Err(refused) = mesh.watch(&second.name, FrameOptions::default()).await {
            assert_eq!(reason(&refused).1, "NO_MEMORY_FOR_LAYOUT");
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_project_has_so_many_layouts_in_a_process() {
    let options = Options { max_loaded_per_project: 1, ..quick() };
    let mesh = Mesh::start_with(TestGraph::ring(6, 0), options).await;
    let first = mesh.create(create("first")).await.unwrap();
    let mut eyes = mesh.look(&first.name).await;
    eyes.until_frame(|_| true).await;
    let second = mesh.create(create("second")).await.unwrap();
    let refused = mesh.watch(&second.name, FrameOptions::default()).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_LOADED_LAYOUTS".into()));
    let details = refused.get_error_details();
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "projects/p");
    eyes.until_state(LayoutState::Settled).await;
    drop(eyes);
    soon(async {
        while let Err(refused) = mesh.watch(&second.name, FrameOptions::default()).await {
            assert_eq!(reason(&refused).1, "TOO_MANY_LOADED_LAYOUTS");
            tokio::task::yield_now().await;
        }
    })
    .await;
}
