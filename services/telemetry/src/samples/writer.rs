//! The task that writes: it takes what came in, puts it into the log, then into memory, then tells who sent it.
//!
//! What waits shares an entry of the log, and so a flush of the disk. The task has the log by a lease, and ends where
//! it loses it; it is then begun again, and reads everything anew.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use weft_kit::Lifecycle;
use weft_series::Batch;
use weft_store::{LogEntry, OwnedLog, StoreError, TelemetryKind};

use super::{
    apply::{apply, apply_events, base, place},
    incoming::{Content, Incoming, Known, Progress},
    load::load,
    log::Log,
    project::Metric,
    projects::Shared,
    record::Record,
    retention::Keeper,
    seal,
};
use crate::{
    events::{self, Kind, repeats::Digest},
    state::State,
};

/// Bytes of an entry after which no more joins it.
const ENTRY: usize = 1 << 20;
/// How long the log is had without being asked for again.
const LEASE: Duration = Duration::from_secs(15);
/// Logs or spans of an entry after which no more joins it: their numbers have 20 bits.
const ROWS: usize = 500_000;

/// Has the log until it is lost or the process ends.
///
/// # Errors
/// The store fails, or somebody else has the log.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    let Some(owned) = own(&state, &life).await? else { return Ok(()) };
    let mut incoming = state.incoming.lock().await;
    state.projects.clear();
    state.reporters().clear();
    state.repeats().clear();
    state.merged().clear();
    let mut log = load(&state, &owned).await?;
    tracing::info!(entries = log.last, samples = log.samples, "the samples are ready");
    state.is_ready.store(true, Ordering::Release);
    state.epoch.send_replace(log.epoch);
    let ended = write(&state, &mut log, &mut incoming, &life).await;
    state.is_ready.store(false, Ordering::Release);
    state.epoch.send_replace(0);
    if ended.is_ok() {
        state.store.leave_telemetry_log(log.epoch).await?;
    }
    ended
}

/// Waits for the log; `None` when the process ends.
async fn own(state: &State, life: &Lifecycle) -> Result<Option<OwnedLog>, StoreError> {
    loop {
        let now = state.clock.now();
        match state.store.own_telemetry_log(&state.owner, now.into(), (now + LEASE).into()).await {
            Ok(owned) => return Ok(Some(owned)),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LEASE / 30) => {}
            () = life.draining() => return Ok(None),
        }
    }
}

async fn write(
    state: &Arc<State>,
    log: &mut Log,
    incoming: &mut mpsc::Receiver<Incoming>,
    life: &Lifecycle,
) -> Result<(), StoreError> {
    let mut renewals = interval(LEASE / 3);
    renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = interval(state.options.housekeeping.max(Duration::from_millis(10)));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keeper = Keeper::default();
    loop {
        let first = tokio::select! {
            biased;
            _ = renewals.tick() => {
                state.store.keep_telemetry_log(log.epoch, (state.clock.now() + LEASE).into()).await?;
                seal_what_is_due(state, log, true).await?;
                continue;
            }
            _ = rounds.tick() => {
                keeper.wake();
                events::retention::round(state, log.epoch).await?;
                events::merge::round(state, log.epoch).await?;
                continue;
            }
            turn = keeper.turn() => {
                keeper.go_on(state, log.epoch, turn).await?;
                continue;
            }
            first = incoming.recv() => first,
            () = life.draining() => None,
        };
        let Some(first) = first else { return Ok(()) };
        flush(state, log, first, incoming).await?;
        seal_what_is_due(state, log, false).await?;
    }
}

/// Seals what is much, and now and then what is old.
async fn seal_what_is_due(state: &State, log: &mut Log, by_time: bool) -> Result<(), StoreError> {
    if log.samples >= state.options.seal_samples || (by_time && seal::is_time(state, log)) {
        seal::seal(state, log).await?;
    }
    let (epoch, applied) = (log.epoch, log.applied);
    let after = if by_time { state.options.seal_after } else { Duration::MAX };
    for pending in &mut log.events {
        if pending.is_due(state.options.event_seal_bytes, after) {
            events::seal::seal(state, epoch, applied, pending).await?;
        }
    }
    Ok(())
}

/// Writes what waits as one: an entry for each kind, and one flush of the disk for all.
async fn flush(
    state: &State,
    log: &mut Log,
    first: Incoming,
    incoming: &mut mpsc::Receiver<Incoming>,
) -> Result<(), StoreError> {
    let mut written = Written::default();
    let mut next = Some(first);
    while let Some(one) = next {
        written.add(state, log, one);
        next = if written.has_room() { incoming.try_recv().ok() } else { None };
    }
    let entries = written.entries(log);
    let appended =
        if entries.is_empty() { Ok(()) } else { state.store.append_telemetry(log.epoch, entries).await };
    if let Err(error) = appended {
        // Whether it is there is not known, so nothing that it defines is.
        log.defined.clear();
        for one in written.waiting {
            // Fails when the caller has gone.
            let _ = one.done.send(Err(StoreError::unavailable(error.to_string()).into()));
        }
        return if matches!(error, StoreError::Stale { .. }) { Err(error) } else { Ok(()) };
    }
    written.apply(state, log);
    log.applied = log.last;
    Ok(())
}

/// What is written at once.
#[derive(Default)]
struct Written {
    /// What the entries say: of samples, logs and spans.
    contents: [Vec<u8>; 3],
    /// How many logs and spans there are in them.
    rows: usize,
    /// Exports in them.
    exports: HashSet<Digest>,
    waiting: Vec<Incoming>,
    /// Numbers of the entries.
    numbers: [i64; 3],
}

impl Written {
    fn has_room(&self) -> bool {
        self.contents.iter().map(Vec::len).sum::<usize>() < ENTRY && self.rows < ROWS
    }

    fn add(&mut self, state: &State, log: &mut Log, mut one: Incoming) {
        match &mut one.content {
            Content::Samples { batches, progress } => {
                records(log, &one.project, batches, progress.as_ref(), &mut self.contents[0]);
            }
            Content::Events(kind, new) => {
                let time = state.now();
                if state.repeats().knows(&new.digest, time) || !self.exports.insert(new.digest) {
                    // It is there, or will be with this entry: nothing of it is written again.
                    new.chunk.rows = 0;
                } else {
                    self.rows += new.chunk.rows;
                    let (project, digest) = (&*one.project.id, new.digest);
                    let record = Record::Events { project, digest, time, chunk: &new.packed };
                    record.write(&mut self.contents[place(*kind)]);
                }
                new.packed = Vec::new();
            }
        }
        self.waiting.push(one);
    }

    /// The entries, with the next numbers.
    fn entries(&mut self, log: &mut Log) -> Vec<LogEntry> {
        let kinds = [TelemetryKind::Samples, TelemetryKind::Logs, TelemetryKind::Spans];
        let mut entries = Vec::new();
        for ((kind, content), number) in kinds.into_iter().zip(&mut self.contents).zip(&mut self.numbers) {
            if !content.is_empty() {
                log.last += 1;
                *number = log.last;
                let content = std::mem::take(content).into();
                entries.push(LogEntry { number: log.last, kind, content });
            }
        }
        entries
    }

    /// Puts all of it into memory, and tells who has sent it.
    fn apply(self, state: &State, log: &mut Log) {
        let mut bases = self.numbers.map(base);
        for Incoming { project, content, done, .. } in self.waiting {
            match content {
                Content::Samples { batches, progress } => {
                    let mut memory = project.write();
                    for (group, batch) in &batches {
                        log.samples += apply(&mut memory, *group, batch);
                    }
                    drop(memory);
                    if let Some(Progress { source, incarnation, sequence }) = progress {
                        let known = Known { incarnation, sequence, is_sealed: false };
                        state.reporters().insert((Arc::clone(&project.id), source), known);
                    }
                }
                Content::Events(kind, mut new) if new.chunk.rows > 0 => {
                    let base = &mut bases[place(kind)];
                    new.chunk.base = *base;
                    *base += new.chunk.rows as u64;
                    let chunk =
                        apply_events(state, log, kind, &project, (new.digest, state.now()), new.chunk);
                    if kind == Kind::Logs {
                        // Fails when nobody watches.
                        let _ = state.arrivals.send((Arc::clone(&project.id), chunk));
                    }
                }
                Content::Events(..) => {}
            }
            let _ = done.send(Ok(()));
        }
    }
}

/// What an entry says of something that came in: what is not defined yet, and then the samples.
fn records(
    log: &mut Log,
    shared: &Shared,
    batches: &[(u32, Batch)],
    progress: Option<&Progress>,
    out: &mut Vec<u8>,
) {
    let id = &shared.id;
    for (group, batch) in batches {
        let is_new = !log.defined.contains_key(&(Arc::clone(id), *group));
        let (number, defined) = log.defined.entry((Arc::clone(id), *group)).or_insert_with(|| {
            log.next_group += 1;
            (log.next_group, Vec::new())
        });
        let missing =
            batch.columns.iter().any(|(column, _)| !defined.get(*column as usize).copied().unwrap_or(false));
        if is_new || missing {
            let project = shared.read();
            let kept = &project.groups[*group as usize];
            if is_new {
                Record::Group { number: *number, project: id, key: &kept.key }.write(out);
            }
            defined.resize(kept.series.len(), false);
            for (column, _) in &batch.columns {
                let column = *column;
                if !std::mem::replace(&mut defined[column as usize], true) {
                    let labels = kept.series[column as usize].labels.clone();
                    Record::Series { group: *number, column, labels }.write(out);
                }
            }
        }
        Record::Batch { group: *number, bytes: &batch.encode() }.write(out);
    }
    let untold = std::mem::take(&mut shared.write().untold);
    if !untold.is_empty() {
        let project = shared.read();
        for name in untold {
            if let Some(Metric { kind, unit, description }) = project.metrics.get(&name) {
                Record::Metric { project: id, metric: &name, kind: *kind, unit, description }.write(out);
            }
        }
    }
    if let Some(Progress { source, incarnation, sequence }) = progress {
        let (incarnation, sequence) = (*incarnation, *sequence);
        Record::Reporter { project: id, source, incarnation, sequence }.write(out);
    }
}
