//! Numbers over time, logs and traces: taken in from agents and from whoever else sends them, kept in few bytes,
//! numbers asked in PromQL, logs and traces searched.
//!
//! A **series** is a set of labels and its samples; series of one host are a **group** that shares its times. What
//! comes in goes to the **log** of the store, and then to memory; now and then what is in memory is **sealed** into
//! segments, which are objects, and the log is shortened. `weft-series` knows how samples are written and asked;
//! this service knows where they are.
//!
//! Invariants:
//! - A sample that was acknowledged is on disk, and is found by queries that begin after that.
//! - So is a log record, and a span. An export that is sent again within ten minutes is there once.
//! - A report is counted once, however often it is sent; a sample that comes twice is one sample.
//! - A sample that is thinned out or not stays what it was to the bit; of two of one time the later one counts, before
//!   and after.
//! - Memory is bounded: series by a limit for each project, what waits by bytes, queries by series, samples and time.
//! - What an alert has come to, and what is to be said of it, is on disk before it is said; it is said until it is
//!   heard, and by one process.
//! - One process has the log; another one takes over when its lease ends, and finds all that was acknowledged.
//!
//! Where things are: one file for each RPC in `rpc`, what others send in `ingest`, alerts in `alerts`, logs and spans in
//! `events`, and in `samples` the memory (`project`), the log's records (`record`), segments (`segment`), the task that
//! writes (`writer`), how long what is kept (`policy`), and what is forgotten and thinned out (`choose`, `retention`, `thin`).

#![cfg_attr(test, expect(clippy::float_cmp, reason = "values are kept to the bit"))]

mod alert_service;
mod alerts;
mod config;
mod domain;
mod error;
mod events;
mod ingest;
mod log_service;
mod rpc;
mod samples;
mod service;
mod state;
mod task;
mod trace_service;

pub use alert_service::AlertService;
pub use config::Options;
pub use error::Error;
pub use log_service::LogService;
pub use samples::policy::{BadPolicy, KeepRule, Level, Levels, Selector};
pub use service::TelemetryService;
pub use state::Deps;
pub use trace_service::TraceService;
