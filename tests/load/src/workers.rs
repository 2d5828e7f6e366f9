//! The workers of `executions --remote`: a process of their own that does tasks over gRPC, and gives what it is given.

use std::{
    io::{BufRead, Write},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use weft_proto::weft::execution::v1::{TaskResult, task_result::Outcome};
use weft_tests::{
    client::Client,
    worker::{Worker, open},
};

/// The queue of the tasks.
pub(crate) const QUEUE: &str = "load";
/// Streams of the process, and how many tasks each does at a time: together all that can be at work.
const STREAMS: usize = 2;
const SLOTS: i32 = 256;

/// A process that does tasks until this is dropped.
pub(crate) struct Workers(Child);

impl Workers {
    /// Starts it, and waits until it is attached.
    pub(crate) fn start(url: &str, key: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("workers")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().context("it was asked for")?;
        // Not an argument: those are seen by everybody on the machine.
        writeln!(input, "{url}\n{key}")?;
        let mut line = String::new();
        let output = child.stdout.take().context("it was asked for")?;
        let workers = Self(child);
        std::io::BufReader::new(output).read_line(&mut line)?;
        ensure!(line.trim() == "attached", "the workers did not start: {line:?}");
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // It is ours; it may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the process does.
pub(crate) async fn serve() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let mut line = || anyhow::Ok(lines.next().context("an address and a key")??);
    let (url, key) = (line()?, line()?);
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let client = Client::new(&url, Some(&key));
        let worker = Worker::attach(&client, open("projects/default", QUEUE, SLOTS)).await?;
        streams.spawn(worker.work(|task| {
            let outcome = task.input.clone().map(Outcome::Output);
            Some(TaskResult { token: task.token.clone(), outcome })
        }));
    }
    #[expect(clippy::print_stdout, reason = "it is what the other process waits for")]
    {
        println!("attached");
    }
    while let Some(ended) = streams.join_next().await {
        ended??;
    }
    Ok(())
}
