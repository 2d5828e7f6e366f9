//! kill -9 in the middle of writes, a hundred times.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinSet};
use weft_tests::{
    client::Client,
    graphs::{self, Follower, Revision},
    process::Process,
};

use crate::{
    ledger,
    writers::{Kind, Writer},
};

/// How often each of the two tests kills the program.
const KILLS: u64 = 50;
/// When: so many milliseconds after the first acknowledgement of a life.
const EARLIEST: u64 = 20;
const LATEST: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_survive_fifty_deaths_whole_and_once() {
    survives(&[Kind::Batch; 4], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_survive_fifty_deaths_whole_and_once() {
    survives(&[Kind::Import, Kind::Import, Kind::Batch], 2).await;
}

async fn survives(kinds: &[Kind], seed: u64) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    // Small, so that the deaths meet checkpoints too; all history, so that it can be compared.
    let mut process = Process::up(&folder.path().join("data"))
        .set("GRAPH__CHECKPOINT_BYTES", "65536")
        .set("GRAPH__HISTORY_REVISIONS", "1000000");
    process.start();
    let graph = graphs::create(&process.client(), "g").await;
    let mut writers: Vec<Writer> =
        kinds.iter().enumerate().map(|(id, kind)| Writer::new(&graph, id, *kind)).collect();
    let mut watcher = Watcher { follower: Follower::new(&graph, 1), heard: Vec::new() };
    let mut moments = Moments(seed);
    for _ in 0..KILLS {
        let client = process.client();
        let first = Arc::new(Notify::new());
        let mut writing = JoinSet::new();
        for writer in writers.drain(..) {
            writing.spawn(writer.write(client.apart(), Arc::clone(&first)));
        }
        let mut watching = JoinSet::new();
        watching.spawn(watcher.watch(client.apart()));
        first.notified().await;
        tokio::time::sleep(moments.next()).await;
        process.kill();
        while let Some(writer) = writing.join_next().await {
            writers.push(writer.expect("no writer was refused"));
        }
        watcher =
            watching.join_next().await.expect("there is one").expect("the watcher saw no gap and no double");
        process.start();
    }
    let client = process.client();
    for writer in &mut writers {
        writer.write_next(&client).await.expect("a repeat is as good as the first time");
    }
    let head = graphs::get(&client, &graph).await.revision;
    watcher.heard.extend(watcher.follower.until(&client, head).await.expect("it resumes"));
    ledger::check(&client, &graph, &writers, &watcher.heard).await;
    eprintln!("{head} revisions, {KILLS} deaths");
    assert!(head > KILLS as i64, "hardly anything was written");
    // What was read again so often is still sound enough to end in order.
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}

/// Follows the graph through all lives of the program.
struct Watcher {
    follower: Follower,
    heard: Vec<Revision>,
}

impl Watcher {
    /// Watches until the program is gone.
    async fn watch(mut self, client: Client) -> Self {
        while let Ok(revision) = self.follower.next(&client).await {
            self.heard.extend(revision);
        }
        self
    }
}

/// Moments that are the same in every run (Knuth's linear congruential generator).
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(EARLIEST + (self.0 >> 33) % (LATEST - EARLIEST))
    }
}
