//! One file for each RPC.

pub(crate) mod attach_agent;
pub(crate) mod attach_collector;
pub(crate) mod challenge;
pub(crate) mod collector_configuration;
pub(crate) mod create_enrollment_token;
pub(crate) mod delete_agent;
pub(crate) mod enroll_agent;
pub(crate) mod get_statistics;
pub(crate) mod issue_agent_token;
pub(crate) mod key_conflict;
pub(crate) mod knowledge;
pub(crate) mod list_agents;
pub(crate) mod list_enrollment_tokens;
pub(crate) mod list_ports;
pub(crate) mod list_processes;
pub(crate) mod maintenance;
pub(crate) mod receive_collector_report;
pub(crate) mod restart_collector;
pub(crate) mod revoke_enrollment_token;
pub(crate) mod services;
pub(crate) mod stop_process;
pub(crate) mod token_message;
pub(crate) mod update_agent;
pub(crate) mod watch_agents;
pub(crate) mod watch_service_log;
