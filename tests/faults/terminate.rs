//! SIGTERM under load: calls that run are answered, and what they did is there afterwards.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep},
};
use tonic::{Code, Status};
use weft_proto::weft::graph::v1::Node;
use weft_tests::{
    client::Client,
    graphs::{self, put_node},
    process::Process,
};

const CALLERS: usize = 6;
/// Large enough that a call takes a while.
const BATCH: usize = 2_000;
/// A call that was begun so long before the signal is surely on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(20);

/// A call: when it was begun and ended, and how.
struct Call {
    began: Instant,
    ended: Instant,
    result: Result<i64, Status>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_run_are_answered_and_kept() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"));
    process.start();
    let graph = graphs::create(&process.client(), "g").await;
    let acknowledged = Arc::new(Notify::new());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(call_until_the_end(process.client(), graph.clone(), caller, Arc::clone(&acknowledged)));
    }
    for _ in 0..CALLERS {
        acknowledged.notified().await;
    }
    // Somewhere in the middle of calls.
    sleep(2 * ON_ITS_WAY).await;
    process.terminate();
    let signalled = Instant::now();
    let status = process.ended().await;
    assert!(status.success(), "{status:?}");
    assert!(!process.log().contains("given up"), "every task ends by itself: {}", process.log());

    let calls: Vec<Call> = callers.join_all().await.into_iter().flatten().collect();
    let (mut running, mut highest) = (0, 0);
    for Call { began, ended, result } in calls {
        match result {
            Ok(revision) => highest = highest.max(revision),
            Err(status) => {
                assert!(began + ON_ITS_WAY > signalled, "a call that ran was not answered: {status:?}");
                // INTERNAL is the client library's word for a connection that was closed in order.
                let gone = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal];
                assert!(gone.contains(&status.code()), "{status:?}");
            }
        }
        running += usize::from(began + ON_ITS_WAY <= signalled && ended > signalled);
    }
    assert!(running > 0, "no call was running when the signal came: the test proves nothing");
    process.start();
    assert!(
        graphs::get(&process.client(), &graph).await.revision >= highest,
        "what was acknowledged is lost"
    );
}

async fn call_until_the_end(
    client: Client,
    graph: String,
    caller: usize,
    acknowledged: Arc<Notify>,
) -> Vec<Call> {
    let mut calls = Vec::new();
    loop {
        let key = |index: usize| format!("c{caller}.{index}");
        let batch = (0..BATCH).map(|index| put_node(Node { key: key(index), ..Node::default() })).collect();
        let request = graphs::changes(&graph, batch);
        let began = Instant::now();
        let result = client.graphs().apply_changes(request).await.map(|answer| answer.into_inner().revision);
        let is_over = result.is_err();
        calls.push(Call { began, ended: Instant::now(), result });
        if is_over {
            return calls;
        }
        acknowledged.notify_one();
    }
}
