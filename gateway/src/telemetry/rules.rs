//! Alert rules and alerts as Prometheus tells them: Grafana lists them beside its own.

use std::collections::{BTreeMap, HashMap};

use prost_types::Timestamp;
use serde_json::{Value, json};
use weft_proto::weft::telemetry::v1::{Alert, AlertRule, AlertState};

/// The rules of a project, as one group, with what they have raised.
pub(super) fn groups(project: &str, rules: &[AlertRule], alerts: &[Alert]) -> Value {
    let mut raised: HashMap<&str, Vec<&Alert>> = HashMap::new();
    for alert in alerts {
        raised.entry(&alert.alert_rule).or_default().push(alert);
    }
    let rules: Vec<_> = rules
        .iter()
        .filter(|rule| !rule.disabled)
        .map(|rule| told(rule, raised.get(&*rule.name).map_or(&[][..], Vec::as_slice)))
        .collect();
    if rules.is_empty() {
        return json!({ "groups": [] });
    }
    json!({ "groups": [{ "name": project, "file": project, "interval": 0, "limit": 0, "rules": rules }] })
}

fn told(rule: &AlertRule, alerts: &[&Alert]) -> Value {
    let is = |state| alerts.iter().any(|alert| alert.state() == state);
    let state = match () {
        () if is(AlertState::Firing) => "firing",
        () if is(AlertState::Pending) => "pending",
        () => "inactive",
    };
    let hold =
        rule.hold_duration.as_ref().map_or(0.0, |hold| hold.seconds as f64 + f64::from(hold.nanos) / 1e9);
    let name = rule.name.rsplit_once('/').map_or(&*rule.name, |(_, name)| name);
    json!({
        "type": "alerting",
        "name": name,
        "query": rule.expression,
        "duration": hold,
        "labels": sorted(&rule.labels),
        "annotations": sorted(&rule.annotations),
        "state": state,
        "health": if rule.problem.is_empty() { "ok" } else { "err" },
        "lastError": rule.problem,
        "alerts": alerts.iter().copied().filter_map(alert).collect::<Vec<_>>(),
    })
}

/// An alert; nothing of one that is over, of which Prometheus does not tell.
pub(super) fn alert(alert: &Alert) -> Option<Value> {
    let state = match alert.state() {
        AlertState::Firing => "firing",
        AlertState::Pending => "pending",
        AlertState::Resolved | AlertState::Unspecified => return None,
    };
    Some(json!({
        "labels": sorted(&alert.labels),
        "annotations": sorted(&alert.annotations),
        "state": state,
        "activeAt": alert.active_time.as_ref().map(Timestamp::to_string),
        "value": format!("{:e}", alert.value),
    }))
}

/// Sorted, so that equal answers are equal bytes.
fn sorted(labels: &HashMap<String, String>) -> BTreeMap<&String, &String> {
    labels.iter().collect()
}

#[cfg(test)]
mod tests {
    use prost_types::Duration;

    use super::*;

    #[test]
    fn a_rule_tells_what_it_has_raised() {
        let rule = AlertRule {
            name: "projects/p/alertRules/full".into(),
            expression: "free < 1".into(),
            hold_duration: Some(Duration { seconds: 90, nanos: 500_000_000 }),
            ..AlertRule::default()
        };
        let alert = |state: AlertState| Alert {
            alert_rule: rule.name.clone(),
            labels: HashMap::from([("host".into(), "a".into())]),
            state: state.into(),
            value: 0.5,
            active_time: Some(Timestamp { seconds: 60, nanos: 0 }),
            ..Alert::default()
        };
        let alerts = [alert(AlertState::Pending), alert(AlertState::Firing), alert(AlertState::Resolved)];
        let told = groups("projects/p", std::slice::from_ref(&rule), &alerts);
        let of = &told["groups"][0]["rules"][0];
        assert_eq!(
            (&of["name"], &of["state"], &of["duration"]),
            (&json!("full"), &json!("firing"), &json!(90.5))
        );
        assert_eq!((&of["health"], of["alerts"].as_array().map(Vec::len)), (&json!("ok"), Some(2)));
        let first = json!({
            "labels": {"host": "a"}, "annotations": {}, "state": "pending", "activeAt": "1970-01-01T00:01:00Z",
            "value": "5e-1",
        });
        assert_eq!(of["alerts"][0], first);
        let disabled = AlertRule { disabled: true, ..rule };
        assert_eq!(groups("projects/p", &[disabled], &[]), json!({ "groups": [] }));
    }
}
