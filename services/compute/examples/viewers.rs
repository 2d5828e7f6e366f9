//! How much 1, 10 and 100 viewers of one large layout cost, in this process: frames a second, bytes a
//! node, steps a second. `cargo run --release -p weft-compute --example viewers [NODES] [SECONDS] [ENCODING]`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

#[path = "../tests/layouts/graph.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod graph;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use weft_compute::{ComputeService, Deps, Options};
use weft_kit::{Clock, Ids, Lifecycle, Peer};
use weft_proto::weft::compute::v1::{
    CreateLayoutRequest, FrameEncoding, FrameOptions, GetLayoutRequest, Layout, WatchPositionsRequest,
    layout_event::Event, layout_service_client::LayoutServiceClient,
};
use weft_store::objects::Objects;

fn argument(at: usize, default: u32) -> u32 {
    std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (nodes, seconds) = (argument(1, 100_000), argument(2, 10));
    let encoding = FrameEncoding::try_from(argument(3, FrameEncoding::Delta as u32) as i32)?;
    let folder = tempfile::tempdir()?;
    let stores =
        weft_store_sqlite::open(&format!("sqlite:{}", folder.path().join("weft.db").display())).await?;
    let lifecycle = Lifecycle::new();
    let deps = Deps {
        store: stores.layout,
        analyses: stores.analysis,
        objects: Objects::open(&format!("file://{}", folder.path().join("objects").display()), None)?,
        graph: graph::TestGraph::ring(nodes, 0).peer(),
        sharing: None,
        clock: Clock::system(),
        ids: Ids::system(),
        lifecycle: lifecycle.clone(),
    };
    let service = ComputeService::open(Options::default(), deps)?;
    let mut client = LayoutServiceClient::new(Peer::new(service.into_server()));
    let request = CreateLayoutRequest {
        parent: graph::GRAPH.into(),
        layout: Some(Layout::default()),
        ..CreateLayoutRequest::default()
    };
    let name = client.create_layout(request).await?.into_inner().name;
    for viewers in [1, 10, 100] {
        let (frames, bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..viewers {
            let options = FrameOptions {
                encodings: vec![encoding.into()],
                max_frames_per_second: 60.0,
                ..FrameOptions::default()
            };
            let request = WatchPositionsRequest { name: name.clone(), options: Some(options) };
            let mut stream = client.watch_positions(request).await?.into_inner();
            let (frames, bytes, over) = (Arc::clone(&frames), Arc::clone(&bytes), Arc::clone(&over));
            lifecycle.spawn_future(async move {
                while !over.load(Ordering::Relaxed)
                    && let Ok(Some(message)) = stream.message().await
                {
                    if let Some(Event::Frame(frame)) = message.event.and_then(|event| event.event) {
                        frames.fetch_add(1, Ordering::Relaxed);
                        bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
                    }
                }
            });
        }
        let get = || GetLayoutRequest { name: name.clone() };
        // The first keyframes are not what is measured.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let first = client.get_layout(get()).await?.into_inner().tick;
        frames.store(0, Ordering::Relaxed);
        bytes.store(0, Ordering::Relaxed);
        let began = Instant::now();
        tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
        let (frames, bytes) = (frames.load(Ordering::Relaxed) as f64, bytes.load(Ordering::Relaxed) as f64);
        let took = began.elapsed().as_secs_f64();
        let layout = client.get_layout(get()).await?.into_inner();
        println!(
            "{viewers:>3} viewers of {nodes} nodes: {:.1} frames/s each, {:.2} bytes a node, {:.1} steps/s of {:.1} ms ({:?})",
            frames / took / f64::from(viewers),
            bytes / frames.max(1.0) / f64::from(nodes),
            (layout.tick - first) as f64 / took,
            layout.tick_duration_ms,
            layout.state(),
        );
        over.store(true, Ordering::Relaxed);
    }
    lifecycle.shut_down(Duration::from_secs(20)).await;
    Ok(())
}
