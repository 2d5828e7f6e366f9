//! The real program under attack, and somebody decent who works with it all the while.

use std::{future::Future, time::Duration};

use tempfile::TempDir;
use tokio::time::Instant;
use weft_tests::{client::Client, graphs, process::Process};

/// What somebody decent waits for an answer at most while an attack goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the program may grow by, in MiB.
const MAY_GROW: u64 = 64;
/// The graph that somebody decent asks for.
const GRAPH: &str = "projects/p/graphs/g";

/// The program, with a graph.
pub(crate) struct Program {
    pub(crate) process: Process,
    pub(crate) client: Client,
    before: u64,
    _folder: TempDir,
}

impl Program {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        Self::with(|process| process).await
    }

    /// Starts it with other settings.
    pub(crate) async fn with(change: impl FnOnce(Process) -> Process) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut process = change(Process::up(&folder.path().join("data")));
        process.start();
        let client = process.client();
        graphs::create(&client, "g").await;
        process.peak_memory();
        let before = process.peak_memory();
        Self { process, client, before, _folder: folder }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.process.url().trim_start_matches("http://").to_owned()
    }

    /// Does something evil while somebody decent works, and then lets somebody new in.
    pub(crate) async fn while_somebody_works<T>(&self, evil: impl Future<Output = T>) -> T {
        let mut evil = Box::pin(evil);
        let mut longest = Duration::ZERO;
        let done = loop {
            let began = Instant::now();
            tokio::select! {
                biased;
                graph = graphs::get(&self.client, GRAPH) => assert_eq!(graph.revision, 1),
                done = &mut evil => break done,
            }
            longest = longest.max(began.elapsed());
        };
        assert!(longest < PATIENCE, "somebody decent waited {longest:?}");
        assert_eq!(graphs::get(&self.client.apart(), GRAPH).await.revision, 1, "newcomers are let in");
        done
    }

    /// How many were cut off for this reason.
    pub(crate) async fn cut(&self, why: &str) -> u64 {
        let name = format!("weft_server_cut_total{{why=\"{why}\"}} ");
        let metrics = self.client.metrics().await;
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or_default()
    }

    /// Still there, no larger, and without a fault of its own.
    pub(crate) async fn ends_unhurt(mut self) {
        assert!(self.process.is_alive(), "{}", self.process.log());
        let (before, after) = (self.before, self.process.peak_memory());
        assert!(after <= before + MAY_GROW, "grown from {before} to {after} MiB");
        let metrics = self.client.metrics().await;
        assert_eq!(weft_tests::client::faults(&metrics), Vec::<&str>::new());
        assert!(!self.process.log().contains("panicked"), "{}", self.process.log());
    }
}
