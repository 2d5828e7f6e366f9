//! GetAlertRule.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{AlertRule, GetAlertRuleRequest};
use weft_store::AlertSettingKind;

use crate::{Error, alerts::rule, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetAlertRuleRequest>) -> Result<AlertRule, Error> {
    let full = &call.message.name;
    let (project, id) = name::alert_rule(full);
    let row = state.alert_store.get_alert_setting(AlertSettingKind::Rule, project, id).await;
    let row = row.map_err(Error::of_setting(full))?;
    Ok(AlertRule { problem: state.alerts.problem(row.uid), ..rule::read(&row)? })
}
