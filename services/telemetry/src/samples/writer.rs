//! The task that writes: it takes what came in, puts it into the log, then into memory, then tells who sent it.
//!
//! What waits shares an entry of the log, and so a flush of the disk. The task has the log by a lease, and ends where
//! it loses it; it is then begun again, and reads everything anew.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;
use weft_kit::Lifecycle;
use weft_series::{Batch, BatchLimits};
use weft_store::{LogEntry, OwnedLog, StoreError, Timestamp};

use super::{
    directory,
    incoming::{Incoming, Known, Progress, REPORTERS_KEPT},
    log::Log,
    project::{Metric, Place, Project},
    projects::Shared,
    record::{self, Record},
    retention, seal, segment,
};
use crate::state::State;

/// Bytes of an entry after which no more joins it.
const ENTRY: usize = 1 << 20;
/// How long the log is had without being asked for again.
const LEASE: Duration = Duration::from_secs(15);
/// Entries that are read at once.
const READ: u32 = 8;
/// Objects that are listed at once.
const OBJECTS: usize = 1_000;
/// Segments that are read at once.
const SEGMENTS: u32 = 64;

/// Has the log until it is lost or the process ends.
///
/// # Errors
/// The store fails, or somebody else has the log.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    let Some(owned) = own(&state, &life).await? else { return Ok(()) };
    let mut incoming = state.incoming.lock().await;
    state.projects.clear();
    state.reporters().clear();
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

/// Reads segments and log into memory.
async fn load(state: &State, owned: &OwnedLog) -> Result<Log, StoreError> {
    let mut after = Uuid::nil();
    loop {
        let rows = state.store.list_telemetry_segments(after, SEGMENTS).await?;
        let Some(last) = rows.last() else { break };
        after = last.uid;
        for row in &rows {
            let project = state.projects.get(&row.project);
            let mut project = project.write();
            let segment = directory::open(row, &mut project);
            let segment =
                segment.map_err(|error| damaged("telemetry_segments", "directory", row.uid, &error))?;
            project.segments.push(Arc::new(segment));
        }
    }
    sweep(state).await?;
    for project in state.projects.all() {
        project.write().segments.sort_by_key(|segment| segment.created);
    }
    let since = Timestamp::from(state.clock.now() - REPORTERS_KEPT);
    for row in state.store.list_telemetry_reporters(since).await? {
        let known = Known { incarnation: row.incarnation, sequence: row.sequence, is_sealed: true };
        state.reporters().insert((row.project.into(), row.source), known);
    }
    let mut log = Log {
        epoch: owned.epoch,
        last: owned.last_entry,
        applied: 0,
        defined: HashMap::new(),
        next_group: 0,
        samples: 0,
        since: Instant::now(),
    };
    let mut read = Replay::default();
    loop {
        let entries = state.store.telemetry_log(log.applied, READ).await?;
        let Some(last) = entries.last() else { break };
        log.applied = last.number;
        for entry in &entries {
            let applied = read.entry(state, &entry.content);
            log.samples +=
                applied.map_err(|error| damaged("telemetry_log", "content", entry.number, &error))?;
        }
    }
    log.last = log.last.max(log.applied);
    log.applied = log.last;
    // What the log has defined is known under numbers of the process before: it is told again.
    Ok(log)
}

/// Removes objects that have no row: whoever wrote them ended before it was said that they are there.
async fn sweep(state: &State) -> Result<(), StoreError> {
    let projects = state.projects.all();
    let segments = projects.iter().flat_map(|project| project.read().segments.clone());
    let known: HashSet<String> = segments.map(|segment| segment::key(segment.uid)).collect();
    let objects = state.cached.objects();
    let mut after = String::new();
    loop {
        let found = objects.list(segment::FOLDER, &after, OBJECTS).await?;
        for object in found.iter().filter(|object| !known.contains(&object.key)) {
            objects.delete(&object.key).await?;
        }
        match found.last() {
            Some(last) if found.len() == OBJECTS => after.clone_from(&last.key),
            _ => return Ok(()),
        }
    }
}

fn damaged(
    table: &'static str,
    column: &'static str,
    row: impl std::fmt::Display + Copy,
    error: &weft_series::DecodeError,
) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_string(), reason: error.to_string() }
}

/// What the log has defined so far.
#[derive(Default)]
struct Replay {
    groups: HashMap<u64, (Shared, String)>,
    series: HashMap<(u64, u32), Place>,
}

impl Replay {
    fn entry(&mut self, state: &State, content: &[u8]) -> Result<u64, weft_series::DecodeError> {
        let mut samples = 0;
        for record in record::read(content)? {
            match record {
                Record::Group { number, project, key } => {
                    self.groups.insert(number, (state.projects.get(project), key.to_owned()));
                }
                Record::Series { group, column, labels } => {
                    if let Some((project, key)) = self.groups.get(&group)
                        && let Some(place) = project.write().place_or_add(&labels, key, usize::MAX)
                    {
                        self.series.insert((group, column), place);
                    }
                }
                Record::Batch { group, bytes } => {
                    let Some((project, _)) = self.groups.get(&group) else { continue };
                    let batch = Batch::decode(bytes, BatchLimits::default())?;
                    let mut by_group: HashMap<u32, Batch> = HashMap::new();
                    for (column, values) in batch.columns {
                        let Some(place) = self.series.get(&(group, column)) else { continue };
                        let part = by_group.entry(place.group).or_default();
                        part.columns.push((place.number, values));
                    }
                    for (group, mut part) in by_group {
                        part.times.clone_from(&batch.times);
                        part.columns.sort_by_key(|(number, _)| *number);
                        samples += apply(&mut project.write(), group, &part);
                    }
                }
                Record::Reporter { project, source, incarnation, sequence } => {
                    let project = Arc::clone(&state.projects.get(project).id);
                    let known = Known { incarnation, sequence, is_sealed: false };
                    state.reporters().insert((project, source.to_owned()), known);
                }
                Record::Metric { project, metric, kind, unit, description } => {
                    let told = Metric { kind, unit: unit.to_owned(), description: description.to_owned() };
                    let project = state.projects.get(project);
                    let mut project = project.write();
                    project.tell(metric, told);
                    project.untold.clear();
                }
            }
        }
        Ok(samples)
    }
}

/// Puts a batch into memory.
fn apply(project: &mut Project, group: u32, batch: &Batch) -> u64 {
    for (number, _) in &batch.columns {
        project.revive(Place { group, number: *number });
    }
    let added = project.groups[group as usize].newest.add(batch);
    project.counts.received += added.new + added.repeated;
    project.counts.repeated += added.repeated;
    project.counts.late += added.late_rows;
    added.new
}

async fn write(
    state: &State,
    log: &mut Log,
    incoming: &mut mpsc::Receiver<Incoming>,
    life: &Lifecycle,
) -> Result<(), StoreError> {
    let mut renewals = interval(LEASE / 3);
    renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = interval(state.options.housekeeping.max(Duration::from_millis(10)));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            biased;
            _ = renewals.tick() => {
                state.store.keep_telemetry_log(log.epoch, (state.clock.now() + LEASE).into()).await?;
                if seal::is_time(state, log) {
                    seal::seal(state, log).await?;
                }
                continue;
            }
            _ = rounds.tick() => {
                retention::round(state, log.epoch).await?;
                continue;
            }
            first = incoming.recv() => first,
            () = life.draining() => None,
        };
        let Some(first) = first else { return Ok(()) };
        flush(state, log, first, incoming).await?;
        if log.samples >= state.options.seal_samples {
            seal::seal(state, log).await?;
        }
    }
}

/// Writes what waits as one entry.
async fn flush(
    state: &State,
    log: &mut Log,
    first: Incoming,
    incoming: &mut mpsc::Receiver<Incoming>,
) -> Result<(), StoreError> {
    let (mut content, mut waiting) = (Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(one) = next {
        records(log, &one, &mut content);
        waiting.push(one);
        next = if content.len() < ENTRY { incoming.try_recv().ok() } else { None };
    }
    log.last += 1;
    let entry = LogEntry { number: log.last, content: content.into() };
    if let Err(error) = state.store.append_telemetry(log.epoch, entry).await {
        // Whether it is there is not known, so nothing that it defines is.
        log.defined.clear();
        for one in waiting {
            // Fails when the caller has gone.
            let _ = one.done.send(Err(StoreError::unavailable(error.to_string()).into()));
        }
        return if matches!(error, StoreError::Stale { .. }) { Err(error) } else { Ok(()) };
    }
    for one in waiting {
        let mut project = one.project.write();
        for (group, batch) in &one.batches {
            log.samples += apply(&mut project, *group, batch);
        }
        drop(project);
        if let Some(Progress { source, incarnation, sequence }) = one.progress {
            let known = Known { incarnation, sequence, is_sealed: false };
            state.reporters().insert((Arc::clone(&one.project.id), source), known);
        }
        let _ = one.done.send(Ok(()));
    }
    log.applied = log.last;
    Ok(())
}

/// What an entry says of something that came in: what is not defined yet, and then the samples.
fn records(log: &mut Log, one: &Incoming, out: &mut Vec<u8>) {
    let id = &one.project.id;
    for (group, batch) in &one.batches {
        let is_new = !log.defined.contains_key(&(Arc::clone(id), *group));
        let (number, defined) = log.defined.entry((Arc::clone(id), *group)).or_insert_with(|| {
            log.next_group += 1;
            (log.next_group, Vec::new())
        });
        let missing =
            batch.columns.iter().any(|(column, _)| !defined.get(*column as usize).copied().unwrap_or(false));
        if is_new || missing {
            let project = one.project.read();
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
    let untold = std::mem::take(&mut one.project.write().untold);
    if !untold.is_empty() {
        let project = one.project.read();
        for name in untold {
            if let Some(Metric { kind, unit, description }) = project.metrics.get(&name) {
                Record::Metric { project: id, metric: &name, kind: *kind, unit, description }.write(out);
            }
        }
    }
    if let Some(Progress { source, incarnation, sequence }) = &one.progress {
        let (incarnation, sequence) = (*incarnation, *sequence);
        Record::Reporter { project: id, source, incarnation, sequence }.write(out);
    }
}
