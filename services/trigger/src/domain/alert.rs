//! Which alerts are news to a trigger.
//!
//! An alert is a state, not a row of a journal: a trigger remembers of which it knows, and what is not among them is
//! news, whatever clocks say. Of one that comes, goes and comes again while nobody looks the last counts.

use std::collections::BTreeSet;

use weft_proto::weft::{
    telemetry::v1::{Alert, AlertState},
    trigger::v1::AlertSource,
};
use weft_store::Timestamp;

use super::place::Place;

/// What tells this state of an alert from all others.
pub(crate) fn id_of(alert: &Alert) -> String {
    let rule = alert.alert_rule.rsplit('/').next().unwrap_or_default();
    let fired = alert.fire_time.as_ref().map_or(0, |time| Timestamp::from(time).as_micros());
    format!("{rule}/{}/{fired}/{}", alert.fingerprint, state_word(alert.state()))
}

/// A state as events say it.
pub(crate) fn state_word(state: AlertState) -> &'static str {
    if state == AlertState::Firing { "firing" } else { "resolved" }
}

/// What is new among the alerts of a project, and the place of a trigger that has seen it.
pub(crate) fn news<'a>(place: &Place, alerts: &'a [Alert], source: &AlertSource) -> (Vec<&'a Alert>, Place) {
    let known: BTreeSet<&str> = place.seen.iter().map(String::as_str).collect();
    let (mut news, mut seen) = (Vec::new(), BTreeSet::new());
    for alert in alerts.iter().filter(|alert| is_of(alert, source)) {
        let id = id_of(alert);
        let is_known = known.contains(&id[..]);
        // Of what is silenced nobody is told, until it is not.
        if !is_known && !alert.silences.is_empty() {
            continue;
        }
        let is_wanted = source.states.is_empty() || source.states.contains(&alert.state);
        // The first look only looks.
        if !is_known && is_wanted && place.number > 0 {
            news.push(alert);
        }
        seen.insert(id);
    }
    (news, Place { number: 1, seen: seen.into_iter().collect(), ..Place::default() })
}

/// Whether a trigger looks at an alert at all.
fn is_of(alert: &Alert, source: &AlertSource) -> bool {
    let is_rule = source.alert_rule.is_empty() || source.alert_rule == alert.alert_rule;
    is_rule
        && alert.severity >= source.min_severity
        && alert.fire_time.is_some()
        && matches!(alert.state(), AlertState::Firing | AlertState::Resolved)
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::telemetry::v1::AlertSeverity;

    use super::*;

    fn alert(host: &str, fired: i64, state: AlertState) -> Alert {
        Alert {
            fingerprint: host.into(),
            alert_rule: "projects/p/alertRules/disk".into(),
            severity: AlertSeverity::Warning.into(),
            fire_time: Some(prost_types::Timestamp { seconds: fired, nanos: 0 }),
            state: state.into(),
            ..Alert::default()
        }
    }

    /// What is new, look by look.
    fn looks(source: &AlertSource, boards: &[Vec<Alert>]) -> Vec<Vec<String>> {
        let mut place = Place { number: 1, ..Place::default() };
        let mut all = Vec::new();
        for board in boards {
            let (news, next) = news(&place, board, source);
            all.push(news.into_iter().map(id_of).collect());
            place = next;
        }
        all
    }

    #[test]
    fn each_state_is_news_once() {
        let (firing, over) = (AlertState::Firing, AlertState::Resolved);
        let any = AlertSource::default();
        let boards = [
            vec![alert("a", 5, firing)],
            vec![alert("a", 5, firing), alert("b", 3, firing)],
            vec![alert("a", 5, over), alert("b", 3, firing), alert("c", 9, AlertState::Pending)],
            vec![alert("b", 3, firing)],
            vec![alert("a", 4, firing), alert("b", 3, firing)],
        ];
        let a_again: &[&str] = &["disk/a/4000000/firing"];
        let expected: [&[&str]; 5] = [
            &["disk/a/5000000/firing"],
            &["disk/b/3000000/firing"],
            &["disk/a/5000000/resolved"],
            &[],
            a_again,
        ];
        assert_eq!(looks(&any, &boards), expected);
        let over_only = AlertSource { states: vec![over.into()], ..any.clone() };
        assert_eq!(looks(&over_only, &boards).concat(), ["disk/a/5000000/resolved"]);
        let bad = AlertSource { min_severity: AlertSeverity::Critical.into(), ..any.clone() };
        assert!(looks(&bad, &boards).concat().is_empty());
        let other = AlertSource { alert_rule: "projects/p/alertRules/load".into(), ..any };
        assert!(looks(&other, &boards).concat().is_empty());
    }

    #[test]
    fn what_is_silenced_is_no_news_until_it_is_not() {
        let any = AlertSource::default();
        let loud = alert("a", 5, AlertState::Firing);
        let silent = Alert { silences: vec!["projects/p/silences/s".into()], ..loud.clone() };
        let found =
            looks(&any, &[vec![silent.clone()], vec![loud.clone()], vec![silent], vec![loud.clone()]]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0, 0]);
        let (news, place) = news(&Place::default(), std::slice::from_ref(&loud), &any);
        assert!(news.is_empty(), "the first look only looks");
        assert_eq!((place.number, place.seen), (1, vec![id_of(&loud)]));
    }
}
