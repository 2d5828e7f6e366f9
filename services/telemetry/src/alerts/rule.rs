//! Rules: what can be one, what is kept of it, and as clients see it.

use std::collections::BTreeMap;

use http::Uri;
use prost::Message;
use weft_kit::{Ids, egress::Egress, seal::Seal};
use weft_proto::weft::telemetry::v1::{AlertRule, AlertSeverity, AlertWebhook};
use weft_series::{Labels, promql::Query};
use weft_store::{AlertSettingRow, StoreError};

use super::{kept::KeptRule, signature};
use crate::{
    Error,
    domain::{name, time},
};

/// Longest time that an alert may be pending, in milliseconds.
const LONGEST_HOLD: i64 = 7 * 24 * 3_600_000;
/// How often it may be said again what is firing, in milliseconds.
const REPEAT: std::ops::RangeInclusive<i64> = 60_000..=366 * 24 * 3_600_000;

/// What is needed to look at a rule and to keep it.
pub(crate) struct Keeper<'k> {
    pub(crate) egress: &'k Egress,
    pub(crate) seal: &'k Seal,
    pub(crate) ids: &'k Ids,
}

impl Keeper<'_> {
    /// What is kept of a rule, if it can be one. Webhooks that bring no secret keep the one that their address had.
    ///
    /// # Errors
    /// The field that is wrong.
    pub(crate) fn checked(&self, rule: AlertRule, known: &KeptRule) -> Result<KeptRule, Error> {
        Query::parse(&rule.expression)
            .map_err(|failure| Error::field("alert_rule.expression", failure.to_string()))?;
        let hold = rule.hold_duration.as_ref().map_or(0, time::span);
        if !(0..=LONGEST_HOLD).contains(&hold) {
            return Err(Error::field("alert_rule.hold_duration", "must be 0 seconds to a week"));
        }
        if rule.repeat_interval.as_ref().is_some_and(|repeat| !REPEAT.contains(&time::span(repeat))) {
            return Err(Error::field("alert_rule.repeat_interval", "must be a minute to a year"));
        }
        if rule.labels.keys().any(|label| matches!(label.as_str(), "alertname" | "severity" | "__name__")) {
            return Err(Error::field(
                "alert_rule.labels",
                "alertname, severity and __name__ are the rule's own",
            ));
        }
        let mut secrets = BTreeMap::new();
        for webhook in &rule.webhooks {
            let sealed = self.sealed(webhook, known)?;
            if secrets.insert(webhook.url.clone(), sealed).is_some() {
                return Err(Error::field("alert_rule.webhooks", "name one address twice"));
            }
        }
        let webhooks = rule.webhooks.iter();
        let webhooks =
            webhooks.map(|webhook| AlertWebhook { url: webhook.url.clone(), secret: String::new() });
        let rule = AlertRule {
            name: String::new(),
            uid: String::new(),
            create_time: None,
            update_time: None,
            etag: String::new(),
            problem: String::new(),
            webhooks: webhooks.collect(),
            ..rule
        };
        Ok(KeptRule { rule: Some(rule), secrets })
    }

    fn sealed(&self, webhook: &AlertWebhook, known: &KeptRule) -> Result<Vec<u8>, Error> {
        let uri: Uri =
            webhook.url.parse().map_err(|_| Error::field("alert_rule.webhooks.url", "is no address"))?;
        self.egress.check(&uri).map_err(|error| Error::WebhookRefused(error.to_string()))?;
        if webhook.secret.is_empty() {
            return known.secrets.get(&webhook.url).cloned().ok_or_else(|| {
                Error::field("alert_rule.webhooks.secret", "is needed for an address that has none yet")
            });
        }
        let key = signature::key(&webhook.secret).ok_or_else(|| {
            Error::field("alert_rule.webhooks.secret", "must be whsec_ and 24 to 64 bytes as base64")
        })?;
        Ok(self.seal.seal(&[], &key, self.ids.bytes()).into())
    }
}

/// What a rule's row has.
pub(crate) fn settings(kept: &KeptRule) -> bytes::Bytes {
    kept.encode_to_vec().into()
}

/// A rule of the store as clients see it.
pub(crate) fn read(row: &AlertSettingRow) -> Result<AlertRule, StoreError> {
    Ok(shown(row, KeptRule::read(row)?))
}

/// The same, of what was read already.
pub(crate) fn shown(row: &AlertSettingRow, kept: KeptRule) -> AlertRule {
    let at = |time: weft_store::Timestamp| Some(time::timestamp(time.as_micros() / 1_000));
    AlertRule {
        name: name::of_alert_rule(&row.project, &row.id),
        uid: row.uid.to_string(),
        create_time: at(row.created),
        update_time: at(row.updated),
        etag: row.version.to_string(),
        ..kept.rule.unwrap_or_default()
    }
}

/// Labels of the alert that a series makes.
pub(crate) fn labels(rule: &AlertRule, series: &Labels) -> BTreeMap<String, String> {
    let own = [("alertname", name::last(&rule.name)), ("severity", severity_name(rule.severity()))];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let series = series.iter().filter(|(name, _)| *name != "__name__").map(owned);
    let added = rule.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    series.chain(added).chain(own.map(owned)).collect()
}

/// As labels and notices have it.
pub(crate) fn severity_name(severity: AlertSeverity) -> &'static str {
    match severity {
        AlertSeverity::Info => "info",
        AlertSeverity::Unspecified | AlertSeverity::Warning => "warning",
        AlertSeverity::Critical => "critical",
    }
}
