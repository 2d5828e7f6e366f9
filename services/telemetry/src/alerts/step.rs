//! From how far a rule's alerts were, and what its expression says now, to how far they are.

use std::collections::{BTreeMap, HashMap, HashSet};

use weft_proto::weft::telemetry::v1::AlertState;

use super::kept::{KeptAlert, KeptAlerts};

/// How long an alert that was resolved is still shown.
pub(crate) const SHOWN: i64 = 15 * 60_000;
/// Alerts of one rule. What is more is left out: nobody reads a thousand notices.
pub(crate) const MOST: usize = 1_000;

/// Series for which an expression holds: labels of the alert, and the value.
pub(crate) type Held = Vec<(BTreeMap<String, String>, f64)>;

/// Takes what holds now. Gives whether anything is to be written: a value alone is not.
pub(crate) fn step(kept: &mut KeptAlerts, held: Held, hold: i64, now: i64) -> bool {
    let mut places: HashMap<BTreeMap<String, String>, usize> =
        kept.alerts.iter().enumerate().map(|(at, alert)| (alert.labels.clone(), at)).collect();
    let mut seen: HashSet<usize> = HashSet::with_capacity(held.len());
    let mut changed = false;
    for (labels, value) in held.into_iter().take(MOST) {
        let at = *places.entry(labels.clone()).or_insert_with(|| {
            kept.alerts.push(KeptAlert { labels, ..KeptAlert::default() });
            kept.alerts.len() - 1
        });
        // Two series that the same labels are left of: the first one counts.
        if !seen.insert(at) {
            continue;
        }
        let alert = &mut kept.alerts[at];
        alert.value = value;
        if !matches!(alert.state(), AlertState::Pending | AlertState::Firing) {
            alert.set_state(AlertState::Pending);
            (alert.active, alert.fired, alert.resolved) = (now, 0, 0);
            changed = true;
        }
        if alert.state() == AlertState::Pending && now - alert.active >= hold {
            alert.set_state(AlertState::Firing);
            alert.fired = now;
            changed = true;
        }
    }
    for (at, alert) in kept.alerts.iter_mut().enumerate() {
        if !seen.contains(&at) && alert.state() == AlertState::Firing {
            alert.set_state(AlertState::Resolved);
            alert.resolved = now;
            changed = true;
        }
    }
    let before = kept.alerts.len();
    let mut at = 0;
    kept.alerts.retain(|alert| {
        let is_held = seen.contains(&at);
        at += 1;
        match alert.state() {
            AlertState::Pending => is_held,
            AlertState::Resolved => now - alert.resolved < SHOWN,
            _ => true,
        }
    });
    changed || kept.alerts.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(hosts: &[&str]) -> Held {
        hosts.iter().map(|host| ([("host".to_owned(), (*host).to_owned())].into(), 1.0)).collect()
    }

    fn states(kept: &KeptAlerts) -> Vec<(&str, AlertState)> {
        kept.alerts.iter().map(|alert| (alert.labels["host"].as_str(), alert.state())).collect()
    }

    #[test]
    fn an_alert_waits_fires_is_resolved_and_forgotten() {
        let mut kept = KeptAlerts::default();
        assert!(step(&mut kept, held(&["a", "b"]), 60_000, 1_000));
        assert_eq!(states(&kept), [("a", AlertState::Pending), ("b", AlertState::Pending)]);
        // Nothing new, nothing to write; and what stops before its time never was.
        assert!(!step(&mut kept, held(&["a", "b"]), 60_000, 30_000));
        assert!(step(&mut kept, held(&["a"]), 60_000, 31_000));
        assert_eq!(states(&kept), [("a", AlertState::Pending)]);
        assert!(step(&mut kept, held(&["a", "b"]), 60_000, 61_000));
        assert_eq!(states(&kept), [("a", AlertState::Firing), ("b", AlertState::Pending)]);
        assert_eq!((kept.alerts[0].active, kept.alerts[0].fired), (1_000, 61_000));
        assert!(step(&mut kept, held(&["b"]), 60_000, 62_000));
        assert_eq!(states(&kept)[0], ("a", AlertState::Resolved));
        // It comes again, and waits again.
        assert!(step(&mut kept, held(&["a", "b"]), 60_000, 63_000));
        assert_eq!((states(&kept)[0], kept.alerts[0].active), (("a", AlertState::Pending), 63_000));
        step(&mut kept, held(&["b"]), 60_000, 200_000);
        step(&mut kept, Held::new(), 60_000, 300_000);
        assert_eq!(states(&kept), [("b", AlertState::Resolved)]);
        assert!(step(&mut kept, Held::new(), 60_000, 300_000 + SHOWN));
        assert!(kept.alerts.is_empty());
    }

    #[test]
    fn without_a_hold_it_fires_at_once_and_equal_labels_are_one() {
        let mut kept = KeptAlerts::default();
        let twice: Held = held(&["a"]).into_iter().chain(held(&["a"])).collect();
        assert!(step(&mut kept, twice, 0, 5));
        assert_eq!(states(&kept), [("a", AlertState::Firing)]);
        let many: Vec<String> = (0..MOST + 10).map(|n| format!("h{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        step(&mut kept, held(&many), 0, 6);
        assert_eq!(kept.alerts.iter().filter(|alert| alert.state() == AlertState::Firing).count(), MOST);
    }
}
