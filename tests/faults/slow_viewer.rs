//! Viewers that read 1 KB a second: others get their frames, and the program does not grow.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval, timeout_at},
};
use weft_proto::weft::compute::v1::{ReheatLayoutRequest, WatchPositionsRequest};
use weft_tests::{
    client::Client,
    graphs,
    layouts::{self, Viewer},
    process::Process,
};

const NODES: usize = 3_000;
const SLOW: usize = 20;
/// How long frames are counted.
const SPAN: Duration = Duration::from_secs(4);
/// What the program may grow by, in MiB, for 20 viewers that take nothing: each may hold what a
/// connection may have on its way (512 KiB and the kernel's), and never a queue of frames.
const MAY_GROW: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_viewers_cost_others_nothing() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"));
    process.start();
    let client = process.client();
    let graph = graphs::create(&client, "g").await;
    let lines: Vec<String> = (0..NODES).map(|index| format!("n{index}\tn{}\n", index * 7 % NODES)).collect();
    graphs::import(&client, &graph, &[("edges.tsv", lines.concat().as_bytes())]).await.expect("a good file");
    let layout = layouts::create(&client, &graph).await;

    let alone = frames_in(SPAN, &client, &layout).await;
    process.peak_memory();
    let before = process.peak_memory();
    let mut slow = JoinSet::new();
    for index in 0..SLOW {
        let (client, layout) = (process.client(), layout.clone());
        if index % 2 == 0 {
            slow.spawn(trickle(process.url(), process.key(), layout));
        } else {
            slow.spawn(stand_still(client, layout));
        }
    }
    let together = frames_in(SPAN, &client, &layout).await;
    let after = process.peak_memory();
    assert!(alone > 20, "{alone} frames in {SPAN:?}: the layout hardly runs");
    assert!(together * 2 >= alone, "{together} frames with slow viewers, {alone} without");
    assert!(after <= before + MAY_GROW, "grown from {before} to {after} MiB");
    eprintln!(
        "{alone} frames alone, {together} beside {SLOW} slow viewers; peak {before} MiB, then {after} MiB"
    );
    let ended = slow.try_join_next();
    assert!(ended.is_none(), "a slow viewer was thrown out: {ended:?}");
}

/// Frames that a viewer who reads gets; the layout is kept hot.
async fn frames_in(span: Duration, client: &Client, layout: &str) -> u32 {
    let reheat = ReheatLayoutRequest { name: layout.into(), reset_positions: true, ..Default::default() };
    client.layouts().reheat_layout(reheat).await.expect("it is there");
    let mut viewer = Viewer::open(&client.apart(), layout).await.expect("it is there");
    viewer.until(|eyes| eyes.frame.is_some()).await.expect("a keyframe comes at once");
    let (end, mut frames) = (Instant::now() + span, 0);
    loop {
        let seen = viewer.eyes.header().expect("it was seen").sequence;
        let newer = viewer.until(|eyes| eyes.header().is_some_and(|header| header.sequence > seen));
        match timeout_at(end, newer).await {
            Ok(ended) => ended.expect("it runs"),
            Err(_) => return frames,
        }
        frames += 1;
    }
}

/// A browser on a very thin line: HTTP/1.1, 1 KB a second.
async fn trickle(url: String, key: String, layout: String) {
    let mut line = TcpStream::connect(url.trim_start_matches("http://")).await.expect("it listens");
    let request = format!(
        "GET /v1/{layout}:watch?options.maxFramesPerSecond=60 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    line.write_all(request.as_bytes()).await.expect("it listens");
    let mut second = interval(Duration::from_secs(1));
    let mut kilobyte = [0; 1024];
    loop {
        second.tick().await;
        line.read_exact(&mut kilobyte).await.expect("it goes on");
    }
}

/// A gRPC client that takes nothing after the first message.
async fn stand_still(client: Client, layout: String) {
    let request = WatchPositionsRequest { name: layout, options: None };
    let mut stream = client.layouts().watch_positions(request).await.expect("it is there").into_inner();
    stream.message().await.expect("it begins");
    std::future::pending::<()>().await;
}
