//! Who is to be told what: groups of which other alerts fire than was told, or whose time it is again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use weft_proto::weft::telemetry::v1::{AlertRule, AlertState};

use super::{
    kept::{KeptAlert, KeptAlerts, KeptGroup},
    rule, template,
};
use crate::domain::time;

/// What is to be said of a group.
#[derive(Debug)]
pub(crate) struct Said {
    /// The group's labels.
    pub(crate) group: BTreeMap<String, String>,
    /// Those that fire, and those of which it was told that they do and that do not any more.
    pub(crate) alerts: Vec<KeptAlert>,
    /// Whether any fires.
    pub(crate) is_firing: bool,
}

/// Looks at all groups of a rule, and takes what is said as told. `is_silent`: of which alerts nobody is told.
pub(crate) fn due(
    kept: &mut KeptAlerts,
    rule: &AlertRule,
    is_silent: impl Fn(&KeptAlert) -> bool,
    now: i64,
) -> Vec<Said> {
    let repeat = rule.repeat_interval.as_ref().map_or(0, time::span);
    let group_of = |alert: &KeptAlert| -> BTreeMap<String, String> {
        let value = |label: &String| alert.labels.get(label).cloned().unwrap_or_default();
        rule.group_labels.iter().map(|label| (label.clone(), value(label))).collect()
    };
    let mut members: BTreeMap<BTreeMap<String, String>, Vec<&KeptAlert>> = BTreeMap::new();
    for alert in &kept.alerts {
        members.entry(group_of(alert)).or_default().push(alert);
    }
    // Groups of before that nobody is in any more: a rule that groups in another way now tells of all anew.
    let before: BTreeMap<_, _> =
        std::mem::take(&mut kept.groups).into_iter().map(|group| (group.labels.clone(), group)).collect();
    let mut said = Vec::new();
    let mut groups = Vec::new();
    for (labels, alerts) in members {
        let known = before.get(&labels);
        let told: BTreeSet<&str> =
            known.map(|group| group.told.iter().map(String::as_str).collect()).unwrap_or_default();
        let of = |alert: &KeptAlert| alert.fingerprint();
        let fires = |alert: &&&KeptAlert| alert.state() == AlertState::Firing;
        let firing: BTreeSet<String> =
            alerts.iter().filter(fires).filter(|alert| !is_silent(alert)).map(|alert| of(alert)).collect();
        // One that fires on while it is silent stays told, without a word.
        let silent: BTreeSet<String> = alerts
            .iter()
            .filter(fires)
            .map(|alert| of(alert))
            .filter(|print| !firing.contains(print) && told.contains(print.as_str()))
            .collect();
        let is_over = |print: &str| !firing.contains(print) && !silent.contains(print);
        let over: Vec<&KeptAlert> = alerts
            .iter()
            .filter(|alert| told.contains(of(alert).as_str()) && is_over(&of(alert)))
            .copied()
            .collect();
        let is_new = firing.iter().any(|print| !told.contains(print.as_str()));
        let told_at = known.map_or(0, |group| group.told_at);
        let is_time = repeat > 0 && !firing.is_empty() && now - told_at >= repeat;
        let speaks = is_new || is_time || !over.is_empty();
        if speaks {
            let now_firing = alerts.iter().filter(|alert| firing.contains(&of(alert))).copied();
            let alerts: Vec<KeptAlert> = now_firing.chain(over).cloned().collect();
            said.push(Said { group: labels.clone(), is_firing: !firing.is_empty(), alerts });
        }
        let told: Vec<String> = firing.into_iter().chain(silent).collect();
        if !told.is_empty() {
            groups.push(KeptGroup { labels, told, told_at: if speaks { now } else { told_at } });
        }
    }
    kept.groups = groups;
    said
}

/// The body of a notice.
pub(crate) fn body(said: &Said, rule: &AlertRule, now: i64) -> Value {
    let time = |millis: i64| (millis > 0).then(|| time::timestamp(millis).to_string());
    let alerts: Vec<Value> = said
        .alerts
        .iter()
        .map(|alert| {
            json!({
                "fingerprint": alert.fingerprint(),
                "state": if alert.state() == AlertState::Firing { "firing" } else { "resolved" },
                "labels": alert.labels,
                "annotations": template::all(&rule.annotations, alert),
                "value": if alert.value.is_finite() { json!(alert.value) } else { json!(alert.value.to_string()) },
                "activeTime": time(alert.active),
                "fireTime": time(alert.fired),
                "resolveTime": time(alert.resolved),
            })
        })
        .collect();
    json!({
        "type": if said.is_firing { "alert.firing" } else { "alert.resolved" },
        "timestamp": time(now),
        "data": {
            "alertRule": rule.name,
            "displayName": rule.display_name,
            "severity": rule::severity_name(rule.severity()),
            "group": said.group,
            "alerts": alerts,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::step::{Held, step};

    struct World {
        kept: KeptAlerts,
        rule: AlertRule,
        silent: Vec<&'static str>,
    }

    impl World {
        fn new(group_labels: &[&str]) -> Self {
            let group_labels = group_labels.iter().map(|label| (*label).to_owned()).collect();
            Self {
                kept: KeptAlerts::default(),
                rule: AlertRule { group_labels, ..AlertRule::default() },
                silent: Vec::new(),
            }
        }

        /// What is said when these hosts are wrong now: "+a" for firing, "-a" for resolved, for each group.
        fn now(&mut self, hosts: &[&str], now: i64) -> Vec<String> {
            let held: Held = hosts
                .iter()
                .map(|host| {
                    let site = if *host < "m" { "north" } else { "south" };
                    let labels = [("host", *host), ("site", site)];
                    (labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), 1.0)
                })
                .collect();
            step(&mut self.kept, held, 0, now);
            let silent = self.silent.clone();
            let said =
                due(&mut self.kept, &self.rule, |alert| silent.contains(&alert.labels["host"].as_str()), now);
            let sign = |alert: &KeptAlert| if alert.state() == AlertState::Firing { "+" } else { "-" };
            let text = |alert: &KeptAlert| format!("{}{}", sign(alert), alert.labels["host"]);
            said.iter().map(|said| said.alerts.iter().map(text).collect::<Vec<_>>().join(" ")).collect()
        }
    }

    #[test]
    fn what_was_told_is_told_once() {
        let mut world = World::new(&[]);
        assert_eq!(world.now(&["a"], 1), ["+a"]);
        assert!(world.now(&["a"], 2).is_empty());
        assert_eq!(world.now(&["a", "b"], 3), ["+a +b"]);
        assert_eq!(world.now(&["b"], 4), ["+b -a"]);
        assert!(world.now(&["b"], 5).is_empty());
        assert_eq!(world.now(&[], 6), ["-b"]);
        assert!(world.now(&[], 7).is_empty());
        assert_eq!(world.now(&["a"], 8), ["+a"]);
    }

    #[test]
    fn groups_are_told_apart_and_again_after_a_while() {
        let mut world = World::new(&["site"]);
        world.rule.repeat_interval = Some(prost_types::Duration { seconds: 60, nanos: 0 });
        assert_eq!(world.now(&["a", "b", "x"], 1_000), ["+a +b", "+x"]);
        assert_eq!(world.now(&["a", "b", "x", "y"], 31_000), ["+x +y"]);
        assert_eq!(world.now(&["a", "b", "x", "y"], 61_000), ["+a +b"]);
        assert_eq!(world.now(&["a", "b", "x", "y"], 91_000), ["+x +y"]);
    }

    #[test]
    fn of_what_is_silent_nobody_is_told_until_it_is_not() {
        let mut world = World::new(&[]);
        world.silent = vec!["a"];
        assert!(world.now(&["a"], 1).is_empty());
        assert_eq!(world.now(&["a", "b"], 2), ["+b"]);
        world.silent = vec![];
        assert_eq!(world.now(&["a", "b"], 3), ["+a +b"]);
        // One that was told and is silent then: nothing, until it is over.
        world.silent = vec!["a"];
        assert!(world.now(&["a", "b"], 4).is_empty());
        assert_eq!(world.now(&["b"], 5), ["+b -a"]);
    }
}
