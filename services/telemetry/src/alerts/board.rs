//! What clients are shown: all alerts as they were when they were evaluated last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;
use weft_proto::weft::telemetry::v1::{Alert, AlertSeverity, AlertState};

use super::{kept::KeptAlert, silence::Compiled, template};
use crate::domain::time;

/// Alerts of all projects.
#[derive(Clone, Default)]
pub(crate) struct Board {
    /// When they were evaluated, in milliseconds since 1970; 0: not yet.
    pub(crate) evaluated: i64,
    /// By project, the worst first.
    pub(crate) projects: HashMap<String, Arc<Vec<Alert>>>,
}

/// The newest board, and what is wrong with rules.
pub(crate) struct Boards {
    newest: watch::Sender<Arc<Board>>,
    problems: Mutex<HashMap<Uuid, String>>,
}

impl Default for Boards {
    fn default() -> Self {
        Self { newest: watch::Sender::new(Arc::default()), problems: Mutex::default() }
    }
}

impl Boards {
    pub(crate) fn show(&self, board: Board, problems: HashMap<Uuid, String>) {
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
        self.newest.send_replace(Arc::new(board));
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Board>> {
        self.newest.subscribe()
    }

    pub(crate) fn newest(&self) -> Arc<Board> {
        Arc::clone(&self.newest.borrow())
    }

    /// What was wrong with a rule the last time; empty if nothing.
    pub(crate) fn problem(&self, rule: Uuid) -> String {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.get(&rule).cloned().unwrap_or_default()
    }
}

/// An alert as clients see it.
pub(crate) fn alert(
    kept: &KeptAlert,
    rule: &weft_proto::weft::telemetry::v1::AlertRule,
    silences: &[Compiled],
    now: i64,
) -> Alert {
    let at = |millis: i64| (millis > 0).then(|| time::timestamp(millis));
    let silences = silences.iter().filter(|silence| silence.silences(&kept.labels, now));
    Alert {
        fingerprint: kept.fingerprint(),
        alert_rule: rule.name.clone(),
        labels: kept.labels.clone().into_iter().collect(),
        annotations: template::all(&rule.annotations, kept).into_iter().collect(),
        severity: if rule.severity() == AlertSeverity::Unspecified {
            AlertSeverity::Warning.into()
        } else {
            rule.severity
        },
        state: kept.state,
        value: kept.value,
        active_time: at(kept.active),
        fire_time: at(kept.fired),
        resolve_time: at(kept.resolved),
        silences: silences.map(|silence| silence.name.clone()).collect(),
    }
}

/// The worst first: what fires, by severity; then what waits; then what is over, the newest first.
pub(crate) fn sort(alerts: &mut [Alert]) {
    let rank = |alert: &Alert| match alert.state() {
        AlertState::Firing => 0,
        AlertState::Pending => 1,
        _ => 2,
    };
    let since = |alert: &Alert| alert.active_time.as_ref().map_or(0, time::millis);
    alerts.sort_by(|one, other| {
        let key = |alert: &Alert| (rank(alert), -alert.severity, -since(alert));
        key(one)
            .cmp(&key(other))
            .then_with(|| one.alert_rule.cmp(&other.alert_rule))
            .then_with(|| one.fingerprint.cmp(&other.fingerprint))
    });
}
