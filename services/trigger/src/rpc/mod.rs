//! One file for each RPC.

pub(crate) mod backfill_trigger;
pub(crate) mod create_trigger;
pub(crate) mod delete_trigger;
pub(crate) mod dismiss_deliveries;
pub(crate) mod dismiss_delivery;
mod find;
pub(crate) mod fire_trigger;
pub(crate) mod get_delivery;
pub(crate) mod get_trigger;
pub(crate) mod list_deliveries;
pub(crate) mod list_ticks;
pub(crate) mod list_triggers;
mod once;
pub(crate) mod pause_trigger;
pub(crate) mod preview_schedule;
pub(crate) mod preview_test_events;
pub(crate) mod receive_webhook;
pub(crate) mod redeliver_deliveries;
pub(crate) mod redeliver_delivery;
pub(crate) mod rotate_trigger_token;
pub(crate) mod update_trigger;
pub(crate) mod watch_deliveries;
