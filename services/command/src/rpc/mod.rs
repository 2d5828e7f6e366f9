//! One file for each RPC.

mod accept;
pub(crate) mod cancel_command;
pub(crate) mod cancel_target;
pub(crate) mod create_command;
pub(crate) mod create_command_type;
pub(crate) mod decide_command;
pub(crate) mod delete_command_type;
mod find;
pub(crate) mod get_command;
pub(crate) mod get_command_type;
pub(crate) mod get_statistics;
pub(crate) mod get_target;
pub(crate) mod list_command_types;
pub(crate) mod list_commands;
pub(crate) mod list_targets;
pub(crate) mod retry_command;
pub(crate) mod stream_output;
pub(crate) mod update_command_type;
pub(crate) mod watch_command;
