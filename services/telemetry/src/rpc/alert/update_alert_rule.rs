//! UpdateAlertRule.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{AlertRule, UpdateAlertRuleRequest};
use weft_store::{AlertSettingKind, AlertSettingUpdate, StoreError};

use crate::{
    Error,
    alerts::{kept::KeptRule, rule},
    domain::name,
    state::State,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn handle(state: &State, call: Call<UpdateAlertRuleRequest>) -> Result<AlertRule, Error> {
    let wanted = call.message.alert_rule.unwrap_or_default();
    let paths = call.message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let (project, id) = name::alert_rule(&wanted.name);
    let mut tries = 0;
    loop {
        let row = state.alert_store.get_alert_setting(AlertSettingKind::Rule, project, id).await;
        let row = row.map_err(Error::of_setting(&wanted.name))?;
        if !wanted.etag.is_empty() && wanted.etag != row.version.to_string() {
            return Err(Error::EtagMismatch(wanted.name));
        }
        let known = KeptRule::read(&row)?;
        let rule = changed(known.rule.clone().unwrap_or_default(), &wanted, &paths)?;
        let kept = state.rules().checked(rule, &known)?;
        let update = AlertSettingUpdate {
            uid: row.uid,
            expected_version: row.version,
            settings: rule::settings(&kept),
            at: state.clock.now().into(),
        };
        match state.alert_store.update_alert_setting(update).await {
            Err(StoreError::Stale { .. }) if tries < TRIES => tries += 1,
            written => return Ok(rule::read(&written.map_err(Error::of_setting(&wanted.name))?)?),
        }
    }
}

/// Fields that can be changed, whether a rule has them set, and how one takes another's.
type Field = (&'static str, fn(&AlertRule) -> bool, fn(&mut AlertRule, &AlertRule));

const FIELDS: &[Field] = &[
    ("display_name", |r| !r.display_name.is_empty(), |r, w| r.display_name.clone_from(&w.display_name)),
    ("expression", |r| !r.expression.is_empty(), |r, w| r.expression.clone_from(&w.expression)),
    ("hold_duration", |r| r.hold_duration.is_some(), |r, w| r.hold_duration = w.hold_duration),
    ("severity", |r| r.severity != 0, |r, w| r.severity = w.severity),
    ("labels", |r| !r.labels.is_empty(), |r, w| r.labels.clone_from(&w.labels)),
    ("annotations", |r| !r.annotations.is_empty(), |r, w| r.annotations.clone_from(&w.annotations)),
    ("group_labels", |r| !r.group_labels.is_empty(), |r, w| r.group_labels.clone_from(&w.group_labels)),
    ("webhooks", |r| !r.webhooks.is_empty(), |r, w| r.webhooks.clone_from(&w.webhooks)),
    ("repeat_interval", |r| r.repeat_interval.is_some(), |r, w| r.repeat_interval = w.repeat_interval),
    ("disabled", |r| r.disabled, |r, w| r.disabled = w.disabled),
];

fn changed(mut now: AlertRule, wanted: &AlertRule, paths: &[String]) -> Result<AlertRule, Error> {
    if let Some(path) =
        paths.iter().find(|path| *path != "*" && FIELDS.iter().all(|field| field.0 != path.as_str()))
    {
        return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
    }
    for (name, is_set, take) in FIELDS {
        let is_meant = if paths.is_empty() {
            is_set(wanted)
        } else {
            paths.iter().any(|path| path == "*" || path == name)
        };
        if is_meant {
            take(&mut now, wanted);
        }
    }
    Ok(now)
}
