//! The task that evaluates rules and has notices delivered, in the process that has the log.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prost::Message;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;
use weft_kit::Lifecycle;
use weft_proto::weft::telemetry::v1::{Alert, AlertChanges, AlertRule, AlertState, Silence};
use weft_series::{
    promql::{self, Answer, Query},
    value::is_absent,
};
use weft_store::{AlertSettingKind, AlertSettingRow, AlertStateRow, StoreError};

use super::{
    board::{self, Board},
    deliver::{self, Deliverer, GIVEN_UP},
    kept::{KeptAlerts, KeptRule, Notice},
    notices, rule,
    silence::{self, Compiled},
    step::{self, Held},
};
use crate::{Error, state::State};

/// Rows that are read at once.
const PAGE: u32 = 500;
/// Notices of one rule that wait; the oldest are dropped.
const WAITING: usize = 1_000;
/// Notices on their way at once.
const UNDER_WAY: usize = 64;
/// Those of one project, so that one whose webhooks hang does not hold up the others.
const UNDER_WAY_OF_ONE: usize = 8;
/// Alerts in one message of the bus.
const ON_THE_BUS: usize = 200;
/// The topic of the bus that names projects of which alerts have begun to fire or are over.
const CHANGED: &str = "telemetry.alerts";
/// A silence is shown for so long after its end, in milliseconds.
const SILENCES_KEPT: i64 = 5 * 24 * 3_600_000;

/// Waits for the log, and evaluates for as long as this process has it.
///
/// # Errors
/// The store fails.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    let mut epochs = state.epoch.subscribe();
    loop {
        let epoch = *epochs.borrow_and_update();
        if epoch > 0 && state.is_ready.load(Ordering::Acquire) {
            let mut evaluator = Evaluator::open(Arc::clone(&state), epoch, life.clone()).await?;
            let ended = evaluator.run(&mut epochs).await;
            state.alerts.show(Board::default(), HashMap::new());
            match ended {
                // Somebody else has the log, and evaluates.
                Err(StoreError::Stale { .. }) => {}
                ended => ended?,
            }
            // It may have come back meanwhile.
            if *epochs.borrow() != epoch && !life.is_draining() {
                continue;
            }
        }
        tokio::select! {
            _ = epochs.changed() => {}
            () = life.draining() => return Ok(()),
        }
    }
}

/// A rule, and the sealed secrets of its webhooks.
struct Known {
    row: AlertSettingRow,
    rule: AlertRule,
    secrets: BTreeMap<String, Vec<u8>>,
}

/// What became of an attempt.
struct Posted {
    rule: Uuid,
    notice: String,
    url: String,
    result: Result<(), String>,
}

struct Evaluator {
    state: Arc<State>,
    epoch: i64,
    life: Lifecycle,
    deliverer: Deliverer,
    states: HashMap<Uuid, KeptAlerts>,
    rules: Vec<Known>,
    /// The projects of rules.
    projects: HashMap<Uuid, Arc<str>>,
    silences: HashMap<String, Vec<Compiled>>,
    problems: HashMap<Uuid, String>,
    /// Why webhooks could not be reached the last time, by rule.
    unheard: HashMap<Uuid, String>,
    /// Webhooks of rules that something is on its way to, and their projects: one after the other, so that they hear
    /// in order.
    busy: HashMap<(Uuid, String), Arc<str>>,
    posted: mpsc::Receiver<Posted>,
    post: mpsc::Sender<Posted>,
}

impl Evaluator {
    async fn open(state: Arc<State>, epoch: i64, life: Lifecycle) -> Result<Self, StoreError> {
        let mut states = HashMap::new();
        let mut after = Uuid::nil();
        loop {
            let page = state.alert_store.alert_states(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.rule;
            for row in &page {
                states.insert(row.rule, KeptAlerts::read(row)?);
            }
        }
        let (post, posted) = mpsc::channel(UNDER_WAY);
        let deliverer = Deliverer { egress: state.egress.clone(), seal: state.seal.clone() };
        Ok(Self {
            state,
            epoch,
            life,
            deliverer,
            states,
            rules: Vec::new(),
            projects: HashMap::new(),
            silences: HashMap::new(),
            problems: HashMap::new(),
            unheard: HashMap::new(),
            busy: HashMap::new(),
            posted,
            post,
        })
    }

    /// Until somebody else has the log, or the process ends.
    async fn run(&mut self, epochs: &mut tokio::sync::watch::Receiver<i64>) -> Result<(), StoreError> {
        let period = self.state.options.alert_interval.max(Duration::from_millis(50));
        let mut rounds = interval(period);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let pause = self.until_due();
            tokio::select! {
                biased;
                () = self.life.draining() => return Ok(()),
                _ = epochs.changed() => {
                    if *epochs.borrow() != self.epoch {
                        return Ok(());
                    }
                }
                Some(posted) = self.posted.recv() => self.settle(posted).await?,
                () = sleep(pause.unwrap_or(period)), if pause.is_some() => {}
                _ = rounds.tick() => self.round().await?,
            }
            self.deliver();
        }
    }

    async fn round(&mut self) -> Result<(), StoreError> {
        self.read().await?;
        self.problems.clear();
        let now = self.state.now();
        let mut board = Board { evaluated: now, projects: HashMap::new() };
        for at in 0..self.rules.len() {
            self.evaluate(at, now).await?;
            let Known { row, rule, .. } = &self.rules[at];
            let Some(kept) = self.states.get(&row.uid) else { continue };
            let silences = self.silences.get(&row.project).map_or(&[][..], Vec::as_slice);
            let shown = kept.alerts.iter().map(|alert| board::alert(alert, rule, silences, now));
            let alerts = board.projects.entry(row.project.clone()).or_default();
            Arc::make_mut(alerts).extend(shown);
        }
        for alerts in board.projects.values_mut() {
            board::sort(Arc::make_mut(alerts).as_mut_slice());
        }
        let before = self.state.alerts.newest();
        self.state.alerts.show(board.clone(), self.told_problems());
        self.announce(&before, &board).await;
        Ok(())
    }

    /// Rules and silences as they are now: another process may have changed them.
    async fn read(&mut self) -> Result<(), StoreError> {
        self.rules.clear();
        self.projects.clear();
        self.silences.clear();
        let now = self.state.now();
        let mut after = Uuid::nil();
        loop {
            let page = self.state.alert_store.every_alert_setting(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.uid;
            for row in page {
                match row.kind {
                    AlertSettingKind::Rule => {
                        let mut kept = KeptRule::read(&row)?;
                        let secrets = std::mem::take(&mut kept.secrets);
                        let rule = rule::shown(&row, kept);
                        self.projects.insert(row.uid, row.project.as_str().into());
                        self.rules.push(Known { row, rule, secrets });
                    }
                    AlertSettingKind::Silence => self.take_silence(&row, silence::read(&row)?, now).await?,
                }
            }
        }
        let known: HashSet<Uuid> = self.rules.iter().map(|rule| rule.row.uid).collect();
        self.states.retain(|uid, _| known.contains(uid));
        self.unheard.retain(|uid, _| known.contains(uid));
        Ok(())
    }

    async fn take_silence(
        &mut self,
        row: &AlertSettingRow,
        silence: Silence,
        now: i64,
    ) -> Result<(), StoreError> {
        let until = silence.end_time.as_ref().map_or(0, crate::domain::time::millis);
        if until > now {
            self.silences.entry(row.project.clone()).or_default().extend(Compiled::of(silence));
        } else if until < now - SILENCES_KEPT {
            let deleted = self.state.alert_store.delete_alert_setting(
                row.kind,
                &row.project,
                &row.id,
                Some(row.version),
            );
            match deleted.await {
                Err(StoreError::Stale { .. } | StoreError::NotFound { .. }) => {}
                deleted => deleted?,
            }
        }
        Ok(())
    }

    async fn evaluate(&mut self, at: usize, now: i64) -> Result<(), StoreError> {
        let Known { row, rule, secrets } = &self.rules[at];
        let uid = row.uid;
        let held = if rule.disabled { Ok(Held::new()) } else { self.ask(&row.project, rule, now).await };
        let held = match held {
            Ok(held) => held,
            // What fired stays so: that it cannot be asked does not make it good.
            Err(error) => {
                self.problems.insert(uid, error.to_string());
                return Ok(());
            }
        };
        if held.len() > step::MOST {
            let problem = format!("it holds for {} series, of which {} are alerts", held.len(), step::MOST);
            self.problems.insert(uid, problem);
        }
        let hold = rule.hold_duration.as_ref().map_or(0, crate::domain::time::span);
        let silences = self.silences.get(&row.project).map_or(&[][..], Vec::as_slice);
        let mut kept = self.states.get(&uid).cloned().unwrap_or_default();
        let groups = kept.groups.clone();
        let mut changed = step::step(&mut kept, held, hold, now);
        let is_silent = |alert: &super::kept::KeptAlert| {
            silences.iter().any(|silence| silence.silences(&alert.labels, now))
        };
        for said in notices::due(&mut kept, rule, is_silent, now) {
            let body: bytes::Bytes = notices::body(&said, rule, now).to_string().into();
            for (url, secret) in secrets {
                kept.notice_count += 1;
                kept.outbox.push(Notice {
                    id: format!("msg_{}_{}", uid.simple(), kept.notice_count),
                    url: url.clone(),
                    secret: secret.clone(),
                    body: body.clone(),
                    made: now,
                    failures: 0,
                    next: now,
                });
            }
            changed = true;
        }
        let lost = kept.outbox.len().saturating_sub(WAITING);
        if lost > 0 {
            tracing::warn!(rule = rule.name, lost, "notices are dropped: too many wait for webhooks");
            kept.outbox.drain(..lost);
        }
        changed |= kept.groups != groups;
        self.keep(uid, kept, changed).await
    }

    /// Series for which an expression holds now.
    async fn ask(&self, project: &str, rule: &AlertRule, now: i64) -> Result<Held, Error> {
        let query = Query::parse(&rule.expression)?;
        let limits = self.state.limits();
        let answer = self.state.ask(project, move |view| Ok(promql::instant(&query, view, now, &limits)?));
        match answer.await? {
            Answer::Vector(rows) => {
                let held = rows.iter().filter_map(|row| {
                    let value = row.values.first().copied().filter(|value| !is_absent(*value))?;
                    Some((rule::labels(rule, &row.labels), value))
                });
                Ok(held.collect())
            }
            Answer::Scalar(values) => {
                // As where the number is compared: zero is nothing.
                let value = values.first().copied().unwrap_or(0.0);
                let labels = rule::labels(rule, &weft_series::Labels::default());
                Ok(if value == 0.0 { Held::new() } else { vec![(labels, value)] })
            }
            _ => Err(Error::field("alert_rule.expression", "gives neither series nor a number")),
        }
    }

    /// Keeps how far a rule is: on disk if something of it has changed that must not be lost.
    async fn keep(&mut self, uid: Uuid, kept: KeptAlerts, changed: bool) -> Result<(), StoreError> {
        if changed {
            let row = AlertStateRow { rule: uid, content: kept.encode_to_vec().into() };
            match self.state.alert_store.keep_alert_state(self.epoch, row).await {
                // It was deleted meanwhile.
                Err(StoreError::NotFound { .. }) => {
                    self.states.remove(&uid);
                    return Ok(());
                }
                kept => kept?,
            }
        }
        self.states.insert(uid, kept);
        Ok(())
    }

    /// Starts what is due: of each webhook the oldest notice, and no two at once.
    fn deliver(&mut self) {
        let now = self.state.now();
        let (mut room, mut under_way) = (UNDER_WAY.saturating_sub(self.busy.len()), self.under_way());
        let mut due = Vec::new();
        for (uid, notice) in self.first_notices().filter(|(_, notice)| notice.next <= now) {
            let project = self.project(uid);
            let of_one = under_way.entry(Arc::clone(&project)).or_default();
            if room > 0 && *of_one < UNDER_WAY_OF_ONE {
                (room, *of_one) = (room - 1, *of_one + 1);
                due.push((uid, project, notice.clone()));
            }
        }
        for (uid, project, notice) in due {
            self.busy.insert((uid, notice.url.clone()), project);
            let (deliverer, post) = (self.deliverer.clone(), self.post.clone());
            self.life.spawn_future(async move {
                let result = deliverer.post(&notice, now.div_euclid(1_000)).await;
                let posted = Posted { rule: uid, notice: notice.id, url: notice.url, result };
                // Fails where this process evaluates no more: who does sends it again.
                drop(post.send(posted).await);
            });
        }
    }

    /// The project of a rule; of one that was not read yet, none.
    fn project(&self, rule: Uuid) -> Arc<str> {
        self.projects.get(&rule).cloned().unwrap_or_default()
    }

    /// How many notices of each project are on their way.
    fn under_way(&self) -> HashMap<Arc<str>, usize> {
        self.busy.values().fold(HashMap::new(), |mut counts, project| {
            *counts.entry(Arc::clone(project)).or_default() += 1;
            counts
        })
    }

    /// Of each webhook that nothing is on its way to the oldest notice: those after it wait for it.
    fn first_notices(&self) -> impl Iterator<Item = (Uuid, &Notice)> {
        self.states.iter().flat_map(|(uid, kept)| {
            let mut seen = HashSet::new();
            let firsts = kept.outbox.iter().filter(move |notice| seen.insert(notice.url.as_str()));
            let idle = firsts.filter(|notice| !self.busy.contains_key(&(*uid, notice.url.clone())));
            idle.map(|notice| (*uid, notice))
        })
    }

    /// How long until a notice is to be tried again; nothing where none waits, or all must wait for others that are under
    /// way.
    fn until_due(&self) -> Option<Duration> {
        if self.busy.len() >= UNDER_WAY {
            return None;
        }
        let (now, under_way) = (self.state.now(), self.under_way());
        let has_room = |uid| under_way.get(&self.project(uid)).is_none_or(|count| *count < UNDER_WAY_OF_ONE);
        let may_go = self.first_notices().filter(|(uid, _)| has_room(*uid));
        let next = may_go.map(|(_, notice)| notice.next).min()?;
        Some(Duration::from_millis(u64::try_from(next - now).unwrap_or(0)).max(Duration::from_millis(10)))
    }

    async fn settle(&mut self, posted: Posted) -> Result<(), StoreError> {
        self.busy.remove(&(posted.rule, posted.url.clone()));
        let Some(kept) = self.states.get(&posted.rule) else { return Ok(()) };
        let mut kept = kept.clone();
        let Some(at) = kept.outbox.iter().position(|notice| notice.id == posted.notice) else {
            return Ok(());
        };
        let now = self.state.now();
        match posted.result {
            Ok(()) => {
                kept.outbox.remove(at);
                self.unheard.remove(&posted.rule);
            }
            Err(reason) if now - kept.outbox[at].made >= GIVEN_UP => {
                tracing::warn!(rule = %posted.rule, url = host(&posted.url), reason, "a notice is given up");
                kept.outbox.remove(at);
            }
            Err(reason) => {
                let notice = &mut kept.outbox[at];
                notice.failures += 1;
                let chance = self.state.ids.fraction();
                let pause = deliver::pause(self.state.options.webhook_pause, notice.failures, chance);
                notice.next = now + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
                tracing::info!(rule = %posted.rule, url = host(&posted.url), reason, failures = notice.failures, "a notice was not heard");
                self.unheard.insert(posted.rule, format!("{} was not told: {reason}", host(&posted.url)));
            }
        }
        self.keep(posted.rule, kept, true).await?;
        let newest = Board::clone(&self.state.alerts.newest());
        self.state.alerts.show(newest, self.told_problems());
        Ok(())
    }

    fn told_problems(&self) -> HashMap<Uuid, String> {
        let mut problems = self.unheard.clone();
        problems.extend(self.problems.clone());
        problems
    }

    /// Tells other services, over the bus, what has begun to fire and what is over.
    async fn announce(&self, before: &Board, now: &Board) {
        for (project, alerts) in &now.projects {
            let known: HashMap<(&str, &str), i32> = before
                .projects
                .get(project)
                .into_iter()
                .flat_map(|alerts| alerts.iter())
                .map(|alert| ((alert.alert_rule.as_str(), alert.fingerprint.as_str()), alert.state))
                .collect();
            let is_new = |alert: &&Alert| {
                let was = known.get(&(alert.alert_rule.as_str(), alert.fingerprint.as_str()));
                alert.state() != AlertState::Pending && was != Some(&alert.state)
            };
            let changed: Vec<Alert> = alerts.iter().filter(is_new).cloned().collect();
            for part in changed.chunks(ON_THE_BUS) {
                let changes = AlertChanges { project: format!("projects/{project}"), alerts: part.to_vec() };
                let topic = format!("telemetry.alerts.{project}");
                if let Err(error) = self.state.bus.publish(&topic, changes.encode_to_vec().into()).await {
                    tracing::warn!(%error, topic, "alerts are not on the bus");
                }
            }
            if !changed.is_empty()
                && let Err(error) = self.state.bus.publish(CHANGED, project.clone().into()).await
            {
                tracing::warn!(%error, "alerts are not on the bus");
            }
        }
    }
}

/// Of an address what may be in logs: its path may be a secret.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
