//! A program of the allow-list: begun without a shell, within limits, read while it runs, and ended with all of its
//! processes.

use std::{path::Path, process::Stdio, time::Duration};

use bytes::Bytes;
use rustix::process::Pid;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use weft_proto::weft::command::v1::OutputStream;

use super::{event::Event, journal::End, settings::Script, tree};

/// What is read at once.
const CHUNK: usize = 16 << 10;
/// Largest result that a script may write, in bytes.
const LARGEST_RESULT: u64 = 128 << 10;
/// How long what was written last may take to be read when all processes have ended.
const REST: Duration = Duration::from_secs(2);

/// One run of a script.
pub(super) struct Call<'a> {
    pub(super) script: &'a Script,
    pub(super) more: Vec<String>,
    pub(super) input: Vec<u8>,
    pub(super) timeout: Duration,
    pub(super) id: &'a str,
    /// The command's name, for the script.
    pub(super) command: &'a str,
    /// What its processes are known by.
    pub(super) mark: String,
    /// The agent's folder.
    pub(super) folder: &'a Path,
    /// Whether it may write a result of its own.
    pub(super) has_result: bool,
    pub(super) stop: &'a CancellationToken,
    pub(super) events: &'a mpsc::Sender<Event>,
}

/// How it came to its end.
enum Ended {
    Alone(std::io::Result<std::process::ExitStatus>),
    Stopped,
    TooLong,
}

/// Runs it to its end.
pub(super) async fn run(call: Call<'_>) -> End {
    if let Err(error) = std::fs::metadata(&call.script.program) {
        let message = format!("{}: {error}", call.script.program.display());
        return End::failed("PROGRAM_MISSING", message, false);
    }
    let result_file = call.folder.join(format!("result.{}", call.id));
    // Of an attempt before.
    let _ = std::fs::remove_file(&result_file);
    let mut child = match command(&call, &result_file).spawn() {
        Ok(child) => child,
        Err(error) => return End::failed("PROGRAM_MISSING", error.to_string(), true),
    };
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let mut kept = Kept { left: call.script.output_bytes, bytes: 0, is_truncated: false };
    let ended = follow(&call, &mut child, group, &mut kept).await;
    let result = std::fs::metadata(&result_file)
        .ok()
        .filter(|file| call.has_result && file.len() <= LARGEST_RESULT)
        .and_then(|_| std::fs::read(&result_file).ok())
        .and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok())
        .filter(Json::is_object);
    let _ = std::fs::remove_file(&result_file);
    end(&call, ended, &kept, result)
}

fn command(call: &Call<'_>, result_file: &Path) -> Command {
    let script = call.script;
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["agent", "launch", "--memory-bytes", &script.memory_bytes.to_string(), "--"])
        .arg(&script.program)
        .args(&script.arguments)
        .args(&call.more)
        .current_dir(&script.folder)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(&script.environment)
        .env("WEFT_COMMAND", call.command)
        .env(tree::MARK, &call.mark)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if call.has_result {
        command.env("WEFT_RESULT_FILE", result_file);
    }
    command
}

async fn follow(call: &Call<'_>, child: &mut Child, group: Option<Pid>, kept: &mut Kept) -> Ended {
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut input_of) = input {
            // A script need not read it.
            let _ = input_of.write_all(&call.input).await;
        }
    };
    let (chunks, mut read) = mpsc::channel(8);
    let read_out = forward(out, OutputStream::Stdout, chunks.clone());
    let read_err = forward(err, OutputStream::Stderr, chunks);
    let keep = async {
        while let Some((stream, data)) = read.recv().await {
            kept.take(call, stream, data).await;
        }
    };
    let life = async {
        let ended = tokio::select! {
            status = child.wait() => Ended::Alone(status),
            () = call.stop.cancelled() => Ended::Stopped,
            () = sleep(call.timeout) => Ended::TooLong,
        };
        if !matches!(ended, Ended::Alone(_)) {
            tree::ask(group, &call.mark).await;
            drop(timeout(tree::grace(), child.wait()).await);
        }
        // Whoever has ended, children of it may be left.
        tree::end(group, &call.mark).await;
        drop(child.wait().await);
        ended
    };
    let reading = async { tokio::join!(write, read_out, read_err, keep) };
    tokio::pin!(reading, life);
    tokio::select! {
        ended = &mut life => {
            // All that could write are gone.
            drop(timeout(REST, reading).await);
            ended
        }
        _ = &mut reading => life.await,
    }
}

async fn forward(
    stream: Option<impl AsyncRead + Unpin>,
    which: OutputStream,
    chunks: mpsc::Sender<(OutputStream, Bytes)>,
) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        if chunks.send((which, Bytes::copy_from_slice(&chunk[..count]))).await.is_err() {
            return;
        }
    }
}

/// What is kept of the output.
struct Kept {
    left: usize,
    bytes: u64,
    is_truncated: bool,
}

impl Kept {
    async fn take(&mut self, call: &Call<'_>, stream: OutputStream, mut data: Bytes) {
        self.bytes += data.len() as u64;
        if data.len() > self.left {
            data.truncate(self.left);
            self.is_truncated = true;
        }
        self.left -= data.len();
        if !data.is_empty() {
            // The desk ends with the program.
            let _ = call.events.send(Event::Wrote { id: call.id.to_owned(), stream, data }).await;
        }
    }
}

fn end(call: &Call<'_>, ended: Ended, kept: &Kept, result: Option<Json>) -> End {
    let status = match ended {
        Ended::Stopped => return End::cancelled(),
        Ended::TooLong => {
            let message = format!("it ran for more than {} s", call.timeout.as_secs_f64());
            return End::failed("TIMED_OUT", message, true);
        }
        Ended::Alone(Err(error)) => return End::failed("AGENT_FAILED", error.to_string(), true),
        Ended::Alone(Ok(status)) => status,
    };
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    // As shells number them.
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(-1);
    let told = json!({
        "exitCode": code, "outputBytes": kept.bytes, "outputTruncated": kept.is_truncated,
    });
    let result = result.unwrap_or(told);
    match (status.success(), signal) {
        (true, _) => End::completed(result),
        (false, Some(signal)) => {
            End { result, ..End::failed("KILLED", format!("signal {signal} ended it"), true) }
        }
        (false, None) => {
            End { result, ..End::failed("EXIT_CODE", format!("it ended with exit code {code}"), true) }
        }
    }
}
