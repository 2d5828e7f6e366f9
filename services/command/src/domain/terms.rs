//! Under which terms does a command run? What it says, and what its type says.

use std::time::Duration;

use weft_jobs::{Limit, Priority, Retry, Terms};
use weft_kit::span;
use weft_proto::weft::command::v1::{Command, CommandPriority, CommandType, RetryPolicy};
use weft_store::Timestamp;

use crate::Error;

/// How long an attempt may take if the type does not say.
const TIMEOUT: Duration = Duration::from_mins(10);
/// How long at most.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(7 * 24);
/// How long a command may wait for its agent, or for its time.
const LONGEST_WAIT: Duration = Duration::from_hours(366 * 24);
/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// How long an attempt of a type may take.
pub(crate) fn timeout(command_type: &CommandType) -> Duration {
    command_type.attempt_timeout.as_ref().and_then(span::to_std).unwrap_or(TIMEOUT)
}

/// The terms of a command.
pub(crate) fn of(
    command: &Command,
    command_type: &CommandType,
    ttl: Duration,
    now: Timestamp,
) -> Result<Terms, Error> {
    let instant = |field, wanted: Option<&prost_types::Timestamp>| {
        let Some(wanted) = wanted.map(Timestamp::from) else { return Ok(None) };
        if wanted > now.after(LONGEST_WAIT) {
            return Err(Error::field(field, "lies more than a year in the future"));
        }
        Ok(Some(wanted))
    };
    let not_before = instant("command.not_before_time", command.not_before_time.as_ref())?;
    let deadline = instant("command.deadline_time", command.deadline_time.as_ref())?;
    if deadline.is_some_and(|deadline| deadline <= now.max(not_before.unwrap_or(now))) {
        return Err(Error::field("command.deadline_time", "lies before the command can start"));
    }
    let ttl = match &command.ttl {
        None => ttl,
        Some(wanted) => span::to_std(wanted)
            .filter(|ttl| !ttl.is_zero() && *ttl <= LONGEST_WAIT)
            .ok_or_else(|| Error::field("command.ttl", "must be more than nothing, and a year at most"))?,
    };
    let limits = match u32::try_from(command_type.max_parallel) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(most) => vec![Limit { key: command_type.name.clone(), most }],
    };
    Ok(Terms {
        priority: match command.priority() {
            CommandPriority::High => Priority::High,
            CommandPriority::Low => Priority::Low,
            CommandPriority::Normal | CommandPriority::Unspecified => Priority::Normal,
        },
        held: command_type.requires_approval,
        not_before: not_before.map(Timestamp::as_micros),
        start_before: Some(not_before.unwrap_or(now).max(now).after(ttl).as_micros()),
        deadline: deadline.map(Timestamp::as_micros),
        attempt_timeout: Some(timeout(command_type)),
        retry: command_type.retry.as_ref().map(retry).unwrap_or_default(),
        at_once: command.max_parallel.cast_unsigned(),
        stop_after: command.stop_after_failures.cast_unsigned(),
        limits,
    })
}

fn retry(policy: &RetryPolicy) -> Retry {
    let usual = Retry::default();
    let span = |wanted: Option<&prost_types::Duration>, usual| {
        wanted.and_then(span::to_std).unwrap_or(usual).min(LONGEST_PAUSE)
    };
    Retry {
        max_attempts: policy.max_attempts.max(1).cast_unsigned(),
        first_pause: span(policy.first_delay.as_ref(), usual.first_pause),
        longest_pause: span(policy.longest_delay.as_ref(), usual.longest_pause),
        final_reasons: policy.final_reasons.clone(),
    }
}

/// What is wrong with the durations of a type.
pub(crate) fn check(command_type: &CommandType) -> Result<(), Error> {
    let is_span = |wanted: &Option<prost_types::Duration>, most: Duration| {
        wanted.as_ref().is_none_or(|wanted| span::to_std(wanted).is_some_and(|span| span <= most))
    };
    let is_zero = |wanted: &Option<prost_types::Duration>| {
        wanted.as_ref().and_then(span::to_std).is_some_and(|span| span.is_zero())
    };
    if !is_span(&command_type.attempt_timeout, LONGEST_TIMEOUT) || is_zero(&command_type.attempt_timeout) {
        let problem = "must be more than nothing, and a week at most";
        return Err(Error::field("command_type.attempt_timeout", problem));
    }
    if let Some(retry) = &command_type.retry {
        for (field, wanted) in [
            ("command_type.retry.first_delay", &retry.first_delay),
            ("command_type.retry.longest_delay", &retry.longest_delay),
        ] {
            if !is_span(wanted, LONGEST_PAUSE) {
                return Err(Error::field(field, "must not be negative, and a day at most"));
            }
        }
    }
    Ok(())
}
