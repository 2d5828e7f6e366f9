//! What can commands be filtered by?

use weft_kit::filter::{Found, Kind, Record, Schema};
use weft_proto::weft::command::v1::{
    Command, CommandApproval, CommandApprovalState, CommandPriority, CommandState,
};

use super::{message, name};

/// Fields of a command.
pub(crate) static COMMAND: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("command_type", Kind::Text),
        ("state", Kind::Name),
        ("priority", Kind::Name),
        ("creator", Kind::Text),
        ("display_name", Kind::Text),
        ("agent_filter", Kind::Text),
        ("agents", Kind::Texts),
        ("target_count", Kind::Number),
        ("completed_count", Kind::Number),
        ("failed_count", Kind::Number),
        ("cancelled_count", Kind::Number),
        ("create_time", Kind::Time),
        ("end_time", Kind::Time),
        ("approval", Kind::Name),
    ],
};

/// The word for a state.
pub(crate) fn state_word(state: CommandState) -> &'static str {
    match state {
        CommandState::Unspecified => "unspecified",
        CommandState::Pending => "pending",
        CommandState::Executing => "executing",
        CommandState::Completed => "completed",
        CommandState::Failed => "failed",
        CommandState::Cancelled => "cancelled",
    }
}

/// The word for where an approval stands; none for a command that waits for nobody.
fn approval_word(state: CommandApprovalState) -> Option<&'static str> {
    match state {
        CommandApprovalState::Unspecified => None,
        CommandApprovalState::Waiting => Some("waiting"),
        CommandApprovalState::Approved => Some("approved"),
        CommandApprovalState::Rejected => Some("rejected"),
    }
}

/// A command that can be filtered.
pub(crate) struct CommandRecord<'a>(pub(crate) &'a Command);

impl Record for CommandRecord<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let command = self.0;
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            message::micros(time).is_some_and(|micros| test(Found::Number(micros as f64)))
        };
        match COMMAND.fields[field].0 {
            "name" => test(Found::Text(&command.name)),
            "command_type" => {
                let id = name::command_type(&command.command_type).map_or("", |(_, id)| id);
                test(Found::Text(id))
            }
            "state" => test(Found::Text(state_word(command.state()))),
            "priority" => test(Found::Text(match command.priority() {
                CommandPriority::High => "high",
                CommandPriority::Low => "low",
                CommandPriority::Normal | CommandPriority::Unspecified => "normal",
            })),
            "creator" => test(Found::Text(&command.creator)),
            "display_name" => test(Found::Text(&command.display_name)),
            "agent_filter" => test(Found::Text(&command.agent_filter)),
            "agents" => command.agents.iter().any(|agent| test(Found::Element(agent))),
            "target_count" => test(Found::Number(f64::from(command.target_count))),
            "completed_count" => test(Found::Number(f64::from(command.completed_count))),
            "failed_count" => test(Found::Number(f64::from(command.failed_count))),
            "cancelled_count" => test(Found::Number(f64::from(command.cancelled_count))),
            "create_time" => instant(command.create_time.as_ref(), test),
            "end_time" => instant(command.end_time.as_ref(), test),
            _ => {
                let state = command.approval.as_ref().map_or_else(Default::default, CommandApproval::state);
                approval_word(state).is_some_and(|word| test(Found::Text(word)))
            }
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let command = self.0;
        test(&command.name)
            || test(&command.display_name)
            || test(&command.command_type)
            || command.agents.iter().any(|agent| test(agent))
    }
}
