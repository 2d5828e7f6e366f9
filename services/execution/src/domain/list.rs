//! What can executions be filtered by?

use weft_kit::filter::{Found, Kind, Record, Schema};
use weft_proto::weft::execution::v1::{Execution, ExecutionState};
use weft_store::Timestamp;

use super::name;

/// Fields of an execution.
pub(crate) static EXECUTION: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("graph", Kind::Text),
        ("state", Kind::Name),
        ("creator", Kind::Text),
        ("display_name", Kind::Text),
        ("error", Kind::Text),
        ("graph_revision", Kind::Number),
        ("approval_count", Kind::Number),
        ("create_time", Kind::Time),
        ("end_time", Kind::Time),
    ],
};

/// The word for a state.
fn state_word(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Unspecified => "unspecified",
        ExecutionState::Queued => "queued",
        ExecutionState::Running => "running",
        ExecutionState::Paused => "paused",
        ExecutionState::Succeeded => "succeeded",
        ExecutionState::Failed => "failed",
        ExecutionState::Cancelled => "cancelled",
        ExecutionState::Terminated => "terminated",
    }
}

/// An execution that can be filtered.
pub(crate) struct ExecutionRecord<'a>(pub(crate) &'a Execution);

impl Record for ExecutionRecord<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let execution = self.0;
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            time.is_some_and(|time| test(Found::Number(Timestamp::from(time).as_micros() as f64)))
        };
        match EXECUTION.fields[field].0 {
            "name" => test(Found::Text(&execution.name)),
            "graph" => test(Found::Text(name::graph(&execution.graph).map_or("", |(_, id)| id))),
            "state" => test(Found::Text(state_word(execution.state()))),
            "creator" => test(Found::Text(&execution.creator)),
            "display_name" => test(Found::Text(&execution.display_name)),
            "error" => test(Found::Text(execution.error.as_ref().map_or("", |error| error.reason.as_str()))),
            "graph_revision" => test(Found::Number(execution.graph_revision as f64)),
            "approval_count" => test(Found::Number(execution.approval_count.into())),
            "create_time" => instant(execution.create_time.as_ref(), test),
            _ => instant(execution.end_time.as_ref(), test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let execution = self.0;
        test(&execution.name) || test(&execution.display_name) || test(&execution.graph)
    }
}
