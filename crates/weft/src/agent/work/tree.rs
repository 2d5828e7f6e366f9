//! Processes of work: all of them are found, however far they have gone from their parents, and none survives it.
//!
//! A process group is left with one call (`setsid`); an environment is inherited by every child that does not take
//! care to lose it. So both are looked at.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable that says whose work a process is.
pub(in crate::agent) const MARK: &str = "WEFT_WORK";
/// How long processes may take to end by themselves when they are asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How often those that are left are looked for.
const LOOKS: u32 = 200;
const BETWEEN: Duration = Duration::from_millis(10);

/// Processes whose mark is this, or begins with it where it ends in a colon.
fn marked(mark: &str) -> Vec<Pid> {
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // Of other users' processes nothing can be read, and of those that have ended nothing is there.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let is_it = environment.split(|byte| *byte == 0).any(|variable| {
            variable == wanted.as_bytes()
                || (wanted.ends_with(':') && variable.starts_with(wanted.as_bytes()))
        });
        if let (true, Some(pid)) = (is_it && pid.cast_unsigned() != std::process::id(), Pid::from_raw(pid)) {
            found.push(pid);
        }
    }
    found
}

fn signal(mark: &str, signal: Signal) -> usize {
    let found = marked(mark);
    for pid in &found {
        // It may have ended meanwhile.
        let _ = kill_process(*pid, signal);
    }
    found.len()
}

/// Ends what an earlier life of this agent has left running.
pub(super) fn end_leftovers(home: &str) {
    let mark = format!("{home}:");
    let mut looks = 0;
    while looks < LOOKS && signal(&mark, Signal::KILL) > 0 {
        looks += 1;
        std::thread::sleep(BETWEEN);
    }
    if looks > 0 {
        tracing::warn!("processes that an earlier life has begun were ended");
    }
}

/// Asks a group and all that are marked to end. They have a moment in which to do so.
pub(in crate::agent) async fn ask(group: Option<Pid>, mark: &str) {
    if let Some(group) = group {
        // It may have ended.
        let _ = kill_process_group(group, Signal::TERM);
    }
    let mark = mark.to_owned();
    drop(tokio::task::spawn_blocking(move || signal(&mark, Signal::TERM)).await);
}

/// How long they have.
pub(super) const fn grace() -> Duration {
    GRACE
}

/// Ends a group and all that are marked, and comes back when none is left.
pub(in crate::agent) async fn end(group: Option<Pid>, mark: &str) {
    if let Some(group) = group {
        // It may have ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
    for _ in 0..LOOKS {
        let mark = mark.to_owned();
        let left = tokio::task::spawn_blocking(move || signal(&mark, Signal::KILL)).await;
        if left.is_ok_and(|left| left == 0) {
            return;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    tracing::error!("processes of a command or a service cannot be ended");
}
