//! How fast is a store? Not a test: `cargo run --release -p weft-store-… --example …-throughput`.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;

use super::{commit, done, graph, uid};
use crate::{Commit, JournalLimit, Position, Stores};

/// Runs every measurement once on an empty database, and gives a line for each.
pub async fn report(stores: &Stores) -> String {
    let mut lines = String::new();
    let mut line = |what: &str, count: f64, unit: &str, took: Duration| {
        let seconds = took.as_secs_f64();
        writeln!(lines, "{what:44} {:>10.0} {unit}/s  ({seconds:.3} s)", count / seconds)
            .expect("a string takes it");
    };
    line("appends, one after another", 500.0, "rev", appends(stores, 1, 500).await);
    line("appends, 16 writers on 16 graphs", 4_000.0, "rev", appends(stores, 16, 250).await);
    line("appends, 256 writers on 256 graphs", 12_800.0, "rev", appends(stores, 256, 50).await);
    let (write, read) = import(stores).await;
    line("one revision of 20 parts of 1 MiB, written", 20.0, "MiB", write);
    line("the same, read", 20.0, "MiB", read);
    line("small revisions, read", 500.0, "rev", replay(stores).await);
    line("checkpoint of 20 parts of 1 MiB, saved", 20.0, "MiB", checkpoint(stores).await);
    lines
}

/// Writers on as many graphs, each appending so many revisions of 200 bytes.
async fn appends(stores: &Stores, writers: u128, each: i64) -> Duration {
    let first = writers * 1_000;
    join_all((first..first + writers).map(|n| async move { graph(stores, &format!("g{n}"), n).await })).await;
    let begin = Instant::now();
    join_all((first..first + writers).map(|n| async move {
        for base in 1..=each {
            let small = Commit { parts: vec![Bytes::from_static(&[7; 200])], ..commit(uid(n), base) };
            done(stores.graph.append(small, None).await);
        }
    }))
    .await;
    begin.elapsed()
}

async fn import(stores: &Stores) -> (Duration, Duration) {
    let row = graph(stores, "import", 7).await;
    let parts = vec![Bytes::from(vec![7; 1 << 20]); 20];
    let begin = Instant::now();
    done(stores.graph.append(Commit { parts, ..commit(row.uid, 1) }, None).await);
    let written = begin.elapsed();
    let begin = Instant::now();
    let all =
        super::read_all(&*stores.graph, row.uid, Position::after_revision(1), JournalLimit::default()).await;
    assert_eq!(all.len(), 20);
    (written, begin.elapsed())
}

async fn replay(stores: &Stores) -> Duration {
    let begin = Instant::now();
    let all =
        super::read_all(&*stores.graph, uid(1_000), Position::after_revision(1), JournalLimit::default())
            .await;
    assert_eq!(all.len(), 500);
    begin.elapsed()
}

async fn checkpoint(stores: &Stores) -> Duration {
    let begin = Instant::now();
    let parts = vec![Bytes::from(vec![9; 1 << 20]); 20];
    stores.graph.save_checkpoint(uid(7), 2, parts).await.expect("the checkpoint is saved");
    begin.elapsed()
}
