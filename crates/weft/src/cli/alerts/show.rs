//! Alerts, rules and silences as people read them.

use weft_proto::weft::telemetry::v1::{Alert, AlertMatcher, AlertRule, AlertSeverity, AlertState, Silence};

use crate::cli::output;

pub(super) fn alerts(alerts: &[Alert]) {
    let rows = alerts.iter().map(|alert| {
        let state = match alert.state() {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
            AlertState::Unspecified => "",
        };
        let mut labels: Vec<String> = alert
            .labels
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        labels.sort();
        vec![
            if alert.silences.is_empty() { state.to_owned() } else { format!("{state}, silent") },
            severity(alert.severity()).to_owned(),
            alert.alert_rule.rsplit('/').next().unwrap_or_default().to_owned(),
            labels.join(" "),
            alert.value.to_string(),
            output::time(alert.active_time.as_ref()),
        ]
    });
    output::table(&["state", "severity", "rule", "labels", "value", "since"], &[4], rows);
}

pub(super) fn rules(rules: &[AlertRule]) {
    let rows = rules.iter().map(|rule| {
        let hold = rule.hold_duration.as_ref().map(|hold| format!("{}s", hold.seconds)).unwrap_or_default();
        let told: Vec<&str> = rule.webhooks.iter().map(|webhook| webhook.url.as_str()).collect();
        let note = if rule.disabled { "disabled" } else { rule.problem.as_str() };
        vec![
            rule.name.clone(),
            severity(rule.severity()).to_owned(),
            hold,
            rule.expression.clone(),
            told.join(" "),
            note.to_owned(),
        ]
    });
    output::table(&["name", "severity", "for", "expression", "tells", "note"], &[], rows);
}

pub(super) fn silences(silences: &[Silence]) {
    let rows = silences.iter().map(|silence| {
        let matchers: Vec<String> = silence.matchers.iter().map(matcher).collect();
        vec![
            silence.name.clone(),
            matchers.join(" "),
            output::time(silence.start_time.as_ref()),
            output::time(silence.end_time.as_ref()),
            silence.creator.clone(),
            silence.comment.clone(),
        ]
    });
    output::table(&["name", "alerts", "from", "until", "by", "why"], &[], rows);
}

fn matcher(matcher: &AlertMatcher) -> String {
    let sign = match (matcher.regex, matcher.negated) {
        (false, false) => "=",
        (false, true) => "!=",
        (true, false) => "=~",
        (true, true) => "!~",
    };
    format!("{}{sign}{:?}", matcher.label, matcher.value)
}

fn severity(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Info => "info",
        AlertSeverity::Unspecified | AlertSeverity::Warning => "warning",
        AlertSeverity::Critical => "critical",
    }
}
