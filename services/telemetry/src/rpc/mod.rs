//! One file for each RPC.

pub(crate) mod alert;
pub(crate) mod attach_reporter;
pub(crate) mod find_anomalies;
pub(crate) mod get_forecast;
pub(crate) mod get_statistics;
pub(crate) mod list_label_values;
pub(crate) mod list_metrics;
pub(crate) mod list_series;
pub(crate) mod log;
pub(crate) mod query_instant;
pub(crate) mod query_range;
pub(crate) mod trace;
pub(crate) mod watch_query;
pub(crate) mod write_samples;
