//! Traces: one file for each RPC.

pub(crate) mod get_trace;
pub(crate) mod search_traces;
pub(crate) mod write_spans;
