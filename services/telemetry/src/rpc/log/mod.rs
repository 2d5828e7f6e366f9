//! Logs: one file for each RPC.

pub(crate) mod search_logs;
pub(crate) mod watch_logs;
pub(crate) mod write_logs;
