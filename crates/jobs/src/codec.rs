//! How the engine writes down what the store keeps for it as bytes: terms, the scheduler's part of a job, ends.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use weft_store::{JobRow, StoreError};

use crate::domain::{
    model::{End, JobKey, Limit, Priority, Retry, State, Stop, Terms},
    shard::{Job, KeptJob},
};

#[derive(Clone, PartialEq, Message)]
struct KeptTerms {
    #[prost(int32, tag = "1")]
    priority: i32,
    #[prost(bool, tag = "2")]
    held: bool,
    #[prost(int64, optional, tag = "3")]
    not_before: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    start_before: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    deadline: Option<i64>,
    #[prost(uint64, optional, tag = "6")]
    attempt_timeout: Option<u64>,
    #[prost(uint32, tag = "7")]
    max_attempts: u32,
    #[prost(uint64, tag = "8")]
    first_pause: u64,
    #[prost(uint64, tag = "9")]
    longest_pause: u64,
    #[prost(string, repeated, tag = "10")]
    final_reasons: Vec<String>,
    #[prost(uint32, tag = "11")]
    at_once: u32,
    #[prost(uint32, tag = "12")]
    stop_after: u32,
    #[prost(message, repeated, tag = "13")]
    limits: Vec<KeptLimit>,
}

#[derive(Clone, PartialEq, Message)]
struct KeptLimit {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(uint32, tag = "2")]
    most: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Hot {
    #[prost(uint32, tag = "1")]
    fence: u32,
    #[prost(uint32, tag = "2")]
    failures: u32,
    #[prost(uint32, tag = "3")]
    lost: u32,
    #[prost(int32, tag = "4")]
    stop: i32,
    #[prost(string, tag = "5")]
    worker: String,
    #[prost(int64, tag = "6")]
    at: i64,
    #[prost(int64, tag = "7")]
    ended: i64,
}

#[derive(Clone, PartialEq, Message)]
struct KeptEnd {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(bytes = "bytes", tag = "3")]
    result: Bytes,
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

/// Terms as they are stored.
pub(crate) fn terms_to_bytes(terms: &Terms) -> Bytes {
    let kept = KeptTerms {
        priority: terms.priority as i32,
        held: terms.held,
        not_before: terms.not_before,
        start_before: terms.start_before,
        deadline: terms.deadline,
        attempt_timeout: terms.attempt_timeout.map(micros),
        max_attempts: terms.retry.max_attempts,
        first_pause: micros(terms.retry.first_pause),
        longest_pause: micros(terms.retry.longest_pause),
        final_reasons: terms.retry.final_reasons.clone(),
        at_once: terms.at_once,
        stop_after: terms.stop_after,
        limits: terms
            .limits
            .iter()
            .map(|limit| KeptLimit { key: limit.key.clone(), most: limit.most })
            .collect(),
    };
    kept.encode_to_vec().into()
}

/// Terms as they were stored.
pub(crate) fn terms_from_bytes(batch: i64, bytes: &[u8]) -> Result<Terms, StoreError> {
    let kept = KeptTerms::decode(bytes).map_err(|error| corrupt("job_batches", "terms", batch, error))?;
    let priority = Priority::ALL.get(kept.priority as usize).copied();
    Ok(Terms {
        priority: priority.ok_or_else(|| corrupt("job_batches", "terms", batch, "no such priority"))?,
        held: kept.held,
        not_before: kept.not_before,
        start_before: kept.start_before,
        deadline: kept.deadline,
        attempt_timeout: kept.attempt_timeout.map(Duration::from_micros),
        retry: Retry {
            max_attempts: kept.max_attempts,
            first_pause: Duration::from_micros(kept.first_pause),
            longest_pause: Duration::from_micros(kept.longest_pause),
            final_reasons: kept.final_reasons,
        },
        at_once: kept.at_once,
        stop_after: kept.stop_after,
        limits: kept.limits.into_iter().map(|limit| Limit { key: limit.key, most: limit.most }).collect(),
    })
}

/// The scheduler's part of a job as it is stored.
pub(crate) fn job_to_bytes(job: &Job, worker: &str) -> Bytes {
    let hot = Hot {
        fence: job.fence,
        failures: job.failures,
        lost: job.lost,
        stop: job.stop.map_or(0, |stop| stop as i32),
        worker: worker.to_owned(),
        at: job.at,
        ended: job.ended,
    };
    hot.encode_to_vec().into()
}

/// A job as it was stored.
pub(crate) fn job_from_row(row: &JobRow) -> Result<KeptJob, StoreError> {
    let bad = |column, why: String| corrupt("jobs", column, row.batch, why);
    let hot = Hot::decode(&row.hot[..]).map_err(|error| bad("hot", error.to_string()))?;
    let state = State::from_number(row.state).ok_or_else(|| bad("state", "no such state".into()))?;
    let number = u32::try_from(row.number).map_err(|error| bad("number", error.to_string()))?;
    let stop = Stop::from_number(hot.stop);
    let job = Job::kept(state, hot.fence, hot.failures, hot.lost, stop, hot.at, hot.ended);
    let key = JobKey { batch: row.batch, number };
    Ok(KeptJob { key, job, queue: row.queue.clone(), worker: hot.worker })
}

/// An end as it is stored.
pub(crate) fn end_to_bytes(end: &End) -> Bytes {
    let End { reason, message, result } = end.clone();
    KeptEnd { reason, message, result }.encode_to_vec().into()
}

/// An end as it was stored.
pub(crate) fn end_from_bytes(batch: i64, bytes: &[u8]) -> Result<End, StoreError> {
    let kept = KeptEnd::decode(bytes).map_err(|error| corrupt("jobs", "outcome", batch, error))?;
    Ok(End { reason: kept.reason, message: kept.message, result: kept.result })
}

fn corrupt(
    table: &'static str,
    column: &'static str,
    batch: i64,
    reason: impl std::fmt::Display,
) -> StoreError {
    StoreError::Corrupt { table, column, row: batch.to_string(), reason: reason.to_string() }
}
