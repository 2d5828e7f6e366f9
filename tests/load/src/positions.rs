//! Positions of 100,000 nodes to 1, 10 and 100 viewers, each on a socket of its own.

use std::{
    collections::HashMap,
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures::future::join_all;
use tonic::{Streaming, transport::Endpoint};
use weft_compute::frames::Header;
use weft_proto::weft::compute::v1::{
    CreateLayoutRequest, DeleteLayoutRequest, Dimensions, FrameEncoding, FrameOptions, Layout, LayoutState,
    WatchPositionsRequest, WatchPositionsResponse, layout_event, layout_service_client::LayoutServiceClient,
};
use weft_tests::runtime::signed;

use crate::{
    graph::import,
    mesh::Mesh,
    report::{Better, Report, median, percentile},
    rpc::now,
    shown::Shown,
};

const NODES: u32 = 100_000;
const EDGES_PER_NODE: u32 = 3;
/// Length of one measurement.
const SPAN: Duration = Duration::from_secs(3);
/// The most that the service gives, and twice what a layout makes: a viewer never waits for its own
/// rate, so that what it waits for is the service.
const FRAMES_PER_SECOND: f64 = 120.0;

/// What one viewer saw.
struct Seen {
    frames: u64,
    bytes: u64,
    /// When each frame was there whole, by its number.
    arrivals: Vec<(u64, Instant)>,
}

/// What all viewers of one round saw.
struct Round {
    frames_per_second: f64,
    bytes_per_node: f64,
    /// Milliseconds between the frames of a viewer, all viewers' together.
    gaps: Vec<f64>,
    /// Milliseconds from a step's result to its frame at a viewer.
    latencies: Vec<f64>,
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let mesh = Mesh::start().await?;
    let graph = mesh.create_graph("synthetic").await?;
    import(&mesh, &graph, &[("edges.tsv", edge_list().as_bytes())]).await?;

    let mut report = Report::new("positions");
    for (encoding, what, bytes) in ENCODINGS {
        for (viewers, limits) in [(1, LIMITS_FEW), (10, LIMITS_FEW), (100, LIMITS_MANY)] {
            let mut all = Vec::new();
            for _ in 0..rounds.min(3) {
                all.push(round(&mesh, &graph, viewers, encoding).await?);
            }
            add(&mut report, &format!("{what}, {viewers} to look"), &all, &limits, bytes);
        }
    }
    let calm = calm(&mesh, &graph).await?;
    report.add("size of a frame, differences, calm", calm, "bytes/node", 0.5, Better::Lower);
    mesh.stop().await;
    Ok(report)
}

/// What frames are encoded as, and the bytes of a node in one of a layout that settles.
const ENCODINGS: [(FrameEncoding, &str, f64); 2] =
    [(FrameEncoding::ColumnsQ16, "columns", 4.1), (FrameEncoding::Delta, "differences", 3.0)];
/// The last frames of a layout before it is settled: those in which it is calm.
const CALM: usize = 100;

/// Goals.
struct Limits {
    frames_per_second: f64,
    gap_p99: f64,
    latency_p50: f64,
    latency_p99: f64,
}

const LIMITS_FEW: Limits =
    Limits { frames_per_second: 10.0, gap_p99: 200.0, latency_p50: 25.0, latency_p99: 100.0 };
const LIMITS_MANY: Limits =
    Limits { frames_per_second: 20.0, gap_p99: 1_000.0, latency_p50: 250.0, latency_p99: 1_000.0 };

fn add(report: &mut Report, of: &str, rounds: &[Round], limits: &Limits, bytes: f64) {
    let over = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let rate = over(&|round| round.frames_per_second);
    report.add(format!("frames to each of {of}"), rate, "frames/s", limits.frames_per_second, Better::Higher);
    let size = over(&|round| round.bytes_per_node);
    report.add(format!("size of a frame, {of}"), size, "bytes/node", bytes, Better::Lower);
    let gap = over(&|round| percentile(round.gaps.clone(), 0.99));
    report.add(format!("between frames, {of}, p99"), gap, "ms", limits.gap_p99, Better::Lower);
    for (share, name, goal) in [(0.5, "p50", limits.latency_p50), (0.99, "p99", limits.latency_p99)] {
        let latency = over(&|round| percentile(round.latencies.clone(), share));
        report.add(format!("step to socket, {of}, {name}"), latency, "ms", goal, Better::Lower);
    }
}

/// A fresh layout, which moves all the time that is measured, and its viewers.
async fn round(mesh: &Mesh, graph: &str, viewers: usize, encoding: FrameEncoding) -> Result<Round> {
    let name = create(mesh, graph).await?;
    let shown = Shown::watch(mesh.compute(), mesh.key.clone(), name.clone());
    let seen = join_all((0..viewers).map(|_| view(mesh, &name, encoding))).await;
    let shown = shown.stop()?;
    delete(mesh, name).await?;
    summary(&seen.into_iter().collect::<Result<Vec<_>>>()?, &shown)
}

async fn create(mesh: &Mesh, graph: &str) -> Result<String> {
    let mut layouts = LayoutServiceClient::new(mesh.channel.clone());
    let request = CreateLayoutRequest {
        parent: graph.to_owned(),
        layout: Some(Layout { dimensions: Dimensions::Two.into(), ..Layout::default() }),
        ..CreateLayoutRequest::default()
    };
    Ok(layouts.create_layout(signed(request, &mesh.key)).await?.into_inner().name)
}

async fn delete(mesh: &Mesh, name: String) -> Result<()> {
    let mut layouts = LayoutServiceClient::new(mesh.channel.clone());
    layouts.delete_layout(signed(DeleteLayoutRequest { name, etag: String::new() }, &mesh.key)).await?;
    Ok(())
}

/// Bytes of a node in the last frames of differences before a layout has settled.
async fn calm(mesh: &Mesh, graph: &str) -> Result<f64> {
    let name = create(mesh, graph).await?;
    let mut events = watch(mesh, &name, FrameEncoding::Delta).await?;
    let mut sizes = Vec::new();
    loop {
        match next(&mut events).await? {
            layout_event::Event::Frame(frame) => sizes.push(frame.len() as f64),
            layout_event::Event::Layout(layout) if layout.state() == LayoutState::Settled => break,
            layout_event::Event::Layout(_) => {}
            layout_event::Event::Failed(layout) => bail!("the layout failed: {}", layout.failure_message),
        }
    }
    delete(mesh, name).await?;
    ensure!(sizes.len() > 2 * CALM, "{} frames are too few", sizes.len());
    Ok(median(sizes.split_off(sizes.len() - CALM)) / f64::from(NODES))
}

fn summary(seen: &[Seen], shown: &HashMap<u64, Instant>) -> Result<Round> {
    let frames: u64 = seen.iter().map(|seen| seen.frames).sum();
    let bytes: u64 = seen.iter().map(|seen| seen.bytes).sum();
    let millis = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    let latencies: Vec<f64> = seen
        .iter()
        .flat_map(|seen| &seen.arrivals)
        .filter_map(|(sequence, at)| Some(millis(*shown.get(sequence)?, *at)))
        .collect();
    let gaps = seen.iter().flat_map(|seen| seen.arrivals.windows(2).map(|two| millis(two[0].1, two[1].1)));
    ensure!(
        latencies.len() as u64 * 10 > frames * 9,
        "of {frames} frames only {} were seen as they were made: the latency says nothing",
        latencies.len()
    );
    Ok(Round {
        frames_per_second: frames as f64 / seen.len() as f64 / SPAN.as_secs_f64(),
        bytes_per_node: bytes as f64 / frames.max(1) as f64 / f64::from(NODES),
        gaps: gaps.collect(),
        latencies,
    })
}

/// Watches on a connection with the windows that our own clients have.
async fn watch(
    mesh: &Mesh,
    layout: &str,
    encoding: FrameEncoding,
) -> Result<Streaming<WatchPositionsResponse>> {
    let options = FrameOptions {
        encodings: vec![encoding.into()],
        max_frames_per_second: FRAMES_PER_SECOND,
        region: None,
        max_nodes: 0,
    };
    let request = WatchPositionsRequest { name: layout.to_owned(), options: Some(options) };
    let channel = Endpoint::from_shared(mesh.url())?
        .tcp_nodelay(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .connect()
        .await?;
    let mut client = LayoutServiceClient::new(channel).max_decoding_message_size(64 * 1024 * 1024);
    Ok(client.watch_positions(signed(request, &mesh.key)).await?.into_inner())
}

async fn next(events: &mut Streaming<WatchPositionsResponse>) -> Result<layout_event::Event> {
    let event = tokio::time::timeout(SPAN * 10, events.message()).await??;
    event.and_then(|response| response.event).and_then(|event| event.event).context("the stream ended")
}

/// Watches for a while after the keyframe.
async fn view(mesh: &Mesh, layout: &str, encoding: FrameEncoding) -> Result<Seen> {
    let mut events = watch(mesh, layout, encoding).await?;
    let mut seen = Seen { frames: 0, bytes: 0, arrivals: Vec::new() };
    // The keyframe carries the ids and is not a frame like the others.
    let mut began = None;
    while began.is_none_or(|began: Instant| began.elapsed() < SPAN) {
        let layout_event::Event::Frame(frame) = next(&mut events).await? else { continue };
        let at = now();
        if began.is_none() {
            began = Some(at);
            continue;
        }
        seen.frames += 1;
        seen.bytes += frame.len() as u64;
        seen.arrivals.push((Header::read(&frame)?.sequence, at));
    }
    Ok(seen)
}

/// Preferential attachment: each node joins three that are there, those with many edges likelier.
fn edge_list() -> String {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        // xorshift64*: any even generator would do, but it must be the same everywhere.
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        (random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    };
    let mut ends: Vec<u32> = vec![0];
    let mut text = String::new();
    for node in 1..NODES {
        for _ in 0..EDGES_PER_NODE.min(node) {
            let other = ends[next(ends.len())];
            writeln!(text, "n{node}\tn{other}").expect("writing to a string does not fail");
            ends.push(other);
        }
        ends.push(node);
    }
    text
}
