//! One file for each RPC of the alert service.

pub(crate) mod create_alert_rule;
pub(crate) mod create_silence;
pub(crate) mod delete_alert_rule;
pub(crate) mod end_silence;
pub(crate) mod get_alert_rule;
pub(crate) mod get_silence;
pub(crate) mod list_alert_rules;
pub(crate) mod list_alerts;
pub(crate) mod list_silences;
pub(crate) mod update_alert_rule;
pub(crate) mod watch_alerts;
