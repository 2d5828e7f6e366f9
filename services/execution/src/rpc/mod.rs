//! One file for each RPC, or for those that differ in a word.

pub(crate) mod attach_worker;
pub(crate) mod clear_kept_results;
pub(crate) mod control;
pub(crate) mod create_execution;
pub(crate) mod create_run_limit;
pub(crate) mod decide_approval;
pub(crate) mod delete_execution;
pub(crate) mod delete_run_limit;
mod find;
pub(crate) mod find_execution_ends;
pub(crate) mod find_topic_messages;
pub(crate) mod get_execution;
pub(crate) mod get_run_limit;
pub(crate) mod get_step;
pub(crate) mod list_approvals;
pub(crate) mod list_executions;
pub(crate) mod list_node_kinds;
pub(crate) mod list_run_limits;
pub(crate) mod list_steps;
pub(crate) mod list_task_queues;
pub(crate) mod list_workers;
pub(crate) mod retry_execution;
pub(crate) mod signal_execution;
pub(crate) mod update_run_limit;
pub(crate) mod validate_workflow;
pub(crate) mod watch_execution;

pub(crate) use delete_execution::forget;

/// What a repeat of a request is known by in its run's journal; nothing where the client gave no id.
fn once(caller: &str, request_id: &str) -> Option<String> {
    (!request_id.is_empty()).then(|| format!("{caller} {}", request_id.to_lowercase()))
}
