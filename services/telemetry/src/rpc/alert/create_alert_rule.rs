//! CreateAlertRule.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{AlertRule, CreateAlertRuleRequest};
use weft_store::{AlertSettingKind, AlertSettingRow, NewAlertSetting, StoreError, Written, once};

use crate::{
    Error,
    alerts::{kept::KeptRule, rule},
    domain::name,
    state::State,
};

/// Rules that a project may have.
const MOST: u32 = 1_000;

pub(crate) async fn handle(state: &State, call: Call<CreateAlertRuleRequest>) -> Result<AlertRule, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateAlertRule", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.alert_store.recall(once).await.map_err(Error::reused)?
    {
        return once::replay(&answer);
    }
    let kept = state.rules().checked(request.alert_rule.take().unwrap_or_default(), &KeptRule::default())?;
    let project = name::project(&request.parent).to_owned();
    let there = state.alert_store.list_alert_settings(AlertSettingKind::Rule, &project, "", MOST).await?;
    if there.len() >= MOST as usize {
        return Err(Error::TooManyRules(MOST));
    }
    let id = if request.alert_rule_id.is_empty() { state.ids.short() } else { request.alert_rule_id };
    let new = NewAlertSetting {
        kind: AlertSettingKind::Rule,
        project,
        id,
        uid: state.ids.uuid(),
        settings: rule::settings(&kept),
        at: state.clock.now().into(),
    };
    let full = name::of_alert_rule(&new.project, &new.id);
    let answer = rule::shown(&as_row(&new), kept);
    match state.alert_store.create_alert_setting(new, once::remember(once, &answer)).await {
        Ok(Written::Done(row)) => Ok(rule::read(&row)?),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::Exists(full)),
        Err(error) => Err(Error::reused(error)),
    }
}

/// The row that it becomes.
pub(super) fn as_row(new: &NewAlertSetting) -> AlertSettingRow {
    AlertSettingRow {
        kind: new.kind,
        project: new.project.clone(),
        id: new.id.clone(),
        uid: new.uid,
        settings: new.settings.clone(),
        version: 1,
        created: new.at,
        updated: new.at,
    }
}
