//! What is decided without a clock, a disk or a wire: what a workflow is, whether it can be run, and what happens next.

pub(crate) mod address;
pub(crate) mod cache;
pub(crate) mod duration;
pub(crate) mod event;
pub(crate) mod expression;
pub(crate) mod fault;
pub(crate) mod gate;
pub(crate) mod journal;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod plan;
pub(crate) mod published;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod run_limit;
pub(crate) mod secret;
pub(crate) mod template;
pub(crate) mod topic_message;
pub(crate) mod validate;
pub(crate) mod workflow;
