//! One file for each RPC.

pub(crate) mod attach_agent;
pub(crate) mod challenge;
pub(crate) mod create_enrollment_token;
pub(crate) mod delete_agent;
pub(crate) mod enroll_agent;
pub(crate) mod get_statistics;
pub(crate) mod issue_agent_token;
pub(crate) mod key_conflict;
pub(crate) mod list_agents;
pub(crate) mod list_enrollment_tokens;
pub(crate) mod maintenance;
mod once;
pub(crate) mod revoke_enrollment_token;
mod token_message;
pub(crate) mod update_agent;
pub(crate) mod watch_agents;
