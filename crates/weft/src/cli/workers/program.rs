//! One task, done by a program: JSON in, JSON out, nothing left of it when it has ended.

use std::{process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use weft_proto::weft::execution::v1::{Task, TaskError};

/// Most bytes of a result.
const MOST_OUTPUT: usize = 4 << 20;
/// Bytes of what a program has said last that are told of a failure.
const TAIL: usize = 1_500;
/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long what was written last may take to be read, where something that has left the group keeps it open.
const REST: Duration = Duration::from_secs(1);

/// Does a task, until it has ended or is to stop.
pub(super) async fn perform(
    program: &[String],
    task: &Task,
    stop: &CancellationToken,
) -> Result<Json, TaskError> {
    let input = task.input.as_ref().map(weft_kit::json::of_value).unwrap_or_default();
    let mut child = command(program, task)
        .spawn()
        .map_err(|error| failed("PROGRAM_MISSING", format!("{}: {error}", program[0]), true))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let too_much = CancellationToken::new();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program need not read it.
            drop(stdin.write_all(input.to_string().as_bytes()).await);
        }
    };
    let (mut output, mut said) = (Vec::new(), Vec::new());
    let read_output = async {
        if !read_up_to(stdout, &mut output, MOST_OUTPUT).await {
            too_much.cancel();
        }
    };
    let ended = {
        let reading = async { tokio::join!(write, read_output, read_tail(stderr, &mut said)) };
        let life = live(&mut child, group, stop, &too_much);
        tokio::pin!(reading, life);
        tokio::select! {
            ended = &mut life => {
                drop(timeout(REST, reading).await);
                ended
            }
            _ = &mut reading => life.await,
        }
    };
    let tail = String::from_utf8_lossy(&said).trim().to_owned();
    let with_tail = |what: String| if tail.is_empty() { what } else { format!("{what}: {tail}") };
    match ended {
        Ended::Stopped => Err(failed("CANCELLED", "it was stopped".to_owned(), true)),
        Ended::TooMuch => {
            Err(failed("OUTPUT_TOO_LARGE", format!("it wrote more than {MOST_OUTPUT} bytes"), false))
        }
        Ended::Alone(Err(error)) => Err(failed("PROGRAM_LOST", error.to_string(), true)),
        Ended::Alone(Ok(status)) if status.success() => {
            if output.iter().all(u8::is_ascii_whitespace) {
                return Ok(Json::Null);
            }
            serde_json::from_slice(&output).map_err(|error| {
                failed("OUTPUT_INVALID", with_tail(format!("what it wrote is no JSON: {error}")), false)
            })
        }
        Ended::Alone(Ok(status)) => match status.code() {
            Some(code) => {
                Err(failed("EXIT_CODE", with_tail(format!("it ended with exit code {code}")), true))
            }
            None => Err(failed("KILLED", with_tail(format!("it was ended ({status})")), true)),
        },
    }
}

/// How it came to its end.
enum Ended {
    Alone(std::io::Result<std::process::ExitStatus>),
    Stopped,
    TooMuch,
}

fn command(program: &[String], task: &Task) -> Command {
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .env("WEFT_QUEUE", &task.queue)
        .env("WEFT_EXECUTION", &task.execution)
        .env("WEFT_STEP", &task.step)
        .env("WEFT_IDEMPOTENCY_KEY", &task.idempotency_key)
        .env("WEFT_ATTEMPT", task.attempt.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn live(
    child: &mut Child,
    group: Option<Pid>,
    stop: &CancellationToken,
    too_much: &CancellationToken,
) -> Ended {
    let ended = tokio::select! {
        status = child.wait() => Ended::Alone(status),
        () = stop.cancelled() => Ended::Stopped,
        () = too_much.cancelled() => Ended::TooMuch,
    };
    let signal = |signal| {
        // It may have ended.
        group.map(|group| kill_process_group(group, signal))
    };
    if !matches!(ended, Ended::Alone(_)) {
        let _ = signal(Signal::TERM);
        drop(timeout(GRACE, child.wait()).await);
    }
    // Whoever has ended, others of its group may be left.
    let _ = signal(Signal::KILL);
    drop(child.wait().await);
    ended
}

/// Reads all, unless it is more than so much.
async fn read_up_to(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, most: usize) -> bool {
    let Some(stream) = stream else { return true };
    // What cannot be read any more is over.
    drop(stream.take(most as u64 + 1).read_to_end(into).await);
    into.len() <= most
}

/// Reads all, and keeps what came last.
async fn read_tail(stream: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = vec![0; 4 << 10];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        into.extend_from_slice(&chunk[..count]);
        let over = into.len().saturating_sub(TAIL);
        into.drain(..over);
    }
}

pub(super) fn failed(reason: &str, message: String, retryable: bool) -> TaskError {
    TaskError { reason: reason.to_owned(), message, retryable, retry_delay: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    async fn done(script: &str, input: Json) -> Result<Json, TaskError> {
        let input = weft_kit::json::to_struct(json!({"v": input})).fields.remove("v");
        let task = Task { input, idempotency_key: "key-1".into(), attempt: 2, ..Task::default() };
        perform(&shell(script), &task, &CancellationToken::new()).await
    }

    #[tokio::test]
    async fn a_program_is_given_json_and_gives_json() {
        assert_eq!(done("cat", json!({"n": 1})).await, Ok(json!({"n": 1})));
        assert_eq!(done("true", json!(null)).await, Ok(Json::Null), "nothing is null");
        let told = done("printf '[\"%s\",%s]' $WEFT_IDEMPOTENCY_KEY $WEFT_ATTEMPT", json!(null)).await;
        assert_eq!(told, Ok(json!(["key-1", 2])));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_with_what_it_said_last() {
        let error = done("echo no paper >&2; exit 3", json!(null)).await.unwrap_err();
        assert_eq!((&*error.reason, error.retryable), ("EXIT_CODE", true));
        assert_eq!(error.message, "it ended with exit code 3: no paper");
        let error = done("echo nothing", json!(null)).await.unwrap_err();
        assert_eq!((&*error.reason, error.retryable), ("OUTPUT_INVALID", false));
        let error = done("kill -9 $$", json!(null)).await.unwrap_err();
        assert_eq!(error.reason, "KILLED");
        let error = done("yes", json!(null)).await.unwrap_err();
        assert_eq!(error.reason, "OUTPUT_TOO_LARGE");
        let flood = "yes abcdefg | head -c 100000 >&2; exit 1";
        assert!(done(flood, json!(null)).await.unwrap_err().message.len() < 2_000);
    }

    #[tokio::test]
    async fn a_stop_ends_the_whole_group() {
        let stop = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let script = format!("sh -c 'echo $$ > {}; sleep 600' & wait", file.display());
        let (program, task) = (shell(&script), Task::default());
        let end = async {
            while std::fs::read_to_string(&file).unwrap_or_default().trim().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let (result, ()) = tokio::join!(perform(&program, &task, &stop), end);
        assert_eq!(result.unwrap_err().reason, "CANCELLED");
        let child = std::fs::read_to_string(&file).unwrap();
        let is_there = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        let looks = (0..200).take_while(|_| {
            std::thread::sleep(Duration::from_millis(10));
            is_there()
        });
        assert!(looks.count() < 200, "the child is left");
    }
}
