//! Ending one process of this host, and never another that has its number by now.
//!
//! A number may be used again between any two looks. So the process is held by a descriptor (pidfd_open(2)) before it
//! is made sure that it is the one that is meant, and the signals go to what is held.

use std::{os::fd::OwnedFd, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::time::{Instant, sleep};
use weft_proto::weft::agent::v1::{HostRefusal, ProcessState, StopOutcome, StopProcessRequest};

use super::{
    proc::{self, Stat},
    refusal,
};

/// How long the end by force is waited for: a process may wait for a device that does not answer.
const LONGEST_KILL: Duration = Duration::from_secs(5);
/// Between two looks whether it has ended.
const BETWEEN: Duration = Duration::from_millis(20);

/// Ends it. `boot`: when the host started, as it was when the process's start was told.
pub(super) async fn stop(request: &StopProcessRequest, boot: i64) -> Result<StopOutcome, HostRefusal> {
    let pid = i32::try_from(request.process_id).ok().and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| *pid != Pid::INIT) else {
        return Err(refusal::invalid("process_id", "is 2 or more"));
    };
    if pid == rustix::process::getpid() {
        return Err(refusal::denied("it is the agent itself"));
    }
    let held = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => held,
        Err(Errno::SRCH) => return Ok(StopOutcome::Gone),
        Err(error) => return Err(refusal::failed(&error.to_string())),
    };
    let meant = Stat::read(request.process_id).map(|stat| stat.start);
    let Some(start) = meant.filter(|start| Some(proc::start_time(boot, *start)) == request.start_time) else {
        return Ok(StopOutcome::Gone);
    };
    let grace = request.grace_period.and_then(|grace| Duration::try_from(grace).ok()).unwrap_or_default();
    if !grace.is_zero() {
        if !send(&held, Signal::TERM)? {
            return Ok(StopOutcome::Gone);
        }
        if has_ended(request.process_id, start, grace).await {
            return Ok(StopOutcome::Ended);
        }
    }
    if !send(&held, Signal::KILL)? {
        return Ok(StopOutcome::Ended);
    }
    if has_ended(request.process_id, start, LONGEST_KILL).await {
        Ok(StopOutcome::Killed)
    } else {
        Err(refusal::failed("it was told to end by force, and has not: it waits for a device"))
    }
}

/// Whether it was there to be told.
fn send(held: &OwnedFd, signal: Signal) -> Result<bool, HostRefusal> {
    match pidfd_send_signal(held, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(Errno::PERM) => Err(refusal::denied("the process is another user's")),
        Err(error) => Err(refusal::failed(&error.to_string())),
    }
}

/// Whether the process that began then ends in time. Whoever began it may never ask how it ended: then it is a zombie,
/// which does nothing any more.
async fn has_ended(process: i64, start: u64, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let there = Stat::read(process).filter(|stat| stat.start == start);
        if there.is_none_or(|stat| stat.state == ProcessState::Zombie) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeping(script: &str) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a shell");
        // It says a line when it is ready.
        let mut line = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().expect("it is piped"), &mut line)
            .expect("it is ready");
        child
    }

    fn request(child: &Child, boot: i64, seconds: i64) -> StopProcessRequest {
        let start = Stat::read(child.id().into()).expect("it runs").start;
        StopProcessRequest {
            process_id: child.id().into(),
            start_time: Some(proc::start_time(boot, start)),
            grace_period: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..StopProcessRequest::default()
        }
    }

    #[tokio::test]
    async fn it_is_asked_first_and_forced_where_it_does_not_listen() {
        let boot = proc::boot().expect("the kernel tells");
        let mut willing = sleeping("echo; exec sleep 600");
        assert_eq!(stop(&request(&willing, boot, 20), boot).await, Ok(StopOutcome::Ended));
        willing.wait().expect("it has ended");
        let mut deaf = sleeping("trap '' TERM; echo; while :; do sleep 0.1; done");
        assert_eq!(stop(&request(&deaf, boot, 1), boot).await, Ok(StopOutcome::Killed));
        deaf.wait().expect("it has ended");
    }

    #[tokio::test]
    async fn another_process_with_its_number_is_not_touched() {
        let boot = proc::boot().expect("the kernel tells");
        let mut child = sleeping("echo; exec sleep 600");
        let right = request(&child, boot, 0);
        let mut earlier = right.clone();
        earlier.start_time =
            right.start_time.map(|time| prost_types::Timestamp { seconds: time.seconds - 1, ..time });
        assert_eq!(stop(&earlier, boot).await, Ok(StopOutcome::Gone));
        assert!(child.try_wait().expect("it is ours").is_none(), "it sleeps on");
        assert_eq!(stop(&right, boot).await, Ok(StopOutcome::Killed));
        child.wait().expect("it has ended");
        assert_eq!(stop(&right, boot).await, Ok(StopOutcome::Gone), "a repeat does nothing");
        let own = StopProcessRequest { process_id: std::process::id().into(), ..right };
        assert!(stop(&own, boot).await.is_err());
    }
}
