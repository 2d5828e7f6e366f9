//! Reading what there is into memory, when this process has got the log: the directories of segments and blocks, and
//! then the log.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;
use weft_series::{Batch, BatchLimits, DecodeError};
use weft_store::{LogEntry, OwnedLog, SegmentRow, StoreError, TelemetryKind, Timestamp};

use super::{
    apply::{apply, apply_events, base},
    directory,
    incoming::{Known, REPORTERS_KEPT},
    log::Log,
    project::{Metric, Place},
    projects::Shared,
    record::{self, Record},
    segment,
};
use crate::{
    events::{Kind, block::Block, chunk::Chunk, seal::Pending},
    state::State,
};

/// Entries that are read at once.
const READ: u32 = 8;
/// Objects that are listed at once.
const OBJECTS: usize = 1_000;
/// Segments that are read at once.
const SEGMENTS: u32 = 64;

/// Reads segments and log into memory.
pub(super) async fn load(state: &State, owned: &OwnedLog) -> Result<Log, StoreError> {
    let mut after = Uuid::nil();
    loop {
        let rows = state.store.list_telemetry_segments(after, SEGMENTS).await?;
        let Some(last) = rows.last() else { break };
        after = last.uid;
        for row in &rows {
            let opened = open(state, row);
            opened.map_err(|error| damaged("telemetry_segments", "directory", row.uid, &error))?;
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
        events: Kind::ALL.map(Pending::new),
    };
    let mut read = Replay::default();
    loop {
        let entries = state.store.telemetry_log(log.applied, READ).await?;
        let Some(last) = entries.last() else { break };
        log.applied = last.number;
        for entry in &entries {
            let applied = read.entry(state, &mut log, entry);
            applied.map_err(|error| damaged("telemetry_log", "content", entry.number, &error))?;
        }
    }
    log.last = log.last.max(log.applied);
    log.applied = log.last;
    // What the log has defined is known under numbers of the process before: it is told again.
    Ok(log)
}

/// Brings a segment, or a block, into memory.
fn open(state: &State, row: &SegmentRow) -> Result<(), DecodeError> {
    let project = state.projects.get(&row.project);
    let mut project = project.write();
    let kind = match row.kind {
        TelemetryKind::Samples => {
            let segment = directory::open(row, &mut project)?;
            project.segments.push(Arc::new(segment));
            return Ok(());
        }
        TelemetryKind::Logs => Kind::Logs,
        TelemetryKind::Spans => Kind::Spans,
    };
    let block = Block::open(row)?;
    let mut repeats = state.repeats();
    block.exports.iter().for_each(|(digest, time)| repeats.remember(*digest, *time));
    drop(repeats);
    project.kept_mut(kind).add_block(block);
    Ok(())
}

/// Removes objects that have no row: whoever wrote them ended before it was said that they are there.
async fn sweep(state: &State) -> Result<(), StoreError> {
    let projects = state.projects.all();
    let mut known = HashSet::new();
    for project in &projects {
        let project = project.read();
        known.extend(project.segments.iter().map(|segment| segment::key(segment.uid)));
        for kind in Kind::ALL {
            known.extend(project.kept(kind).blocks.iter().map(|block| segment::key(block.uid)));
        }
    }
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
    error: &DecodeError,
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
    fn entry(&mut self, state: &State, log: &mut Log, entry: &LogEntry) -> Result<(), DecodeError> {
        let mut base = base(entry.number);
        for record in record::read(&entry.content)? {
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
                        log.samples += apply(&mut project.write(), group, &part);
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
                Record::Events { project, digest, time, chunk } => {
                    let kind = if entry.kind == TelemetryKind::Spans { Kind::Spans } else { Kind::Logs };
                    let chunk = Chunk::decode(chunk, base)?;
                    base += chunk.rows as u64;
                    // An entry of which it was not known that it is there, and that was sent again.
                    if state.repeats().knows(&digest, time) {
                        continue;
                    }
                    let project = state.projects.get(project);
                    apply_events(state, log, kind, &project, (digest, time), chunk);
                }
            }
        }
        Ok(())
    }
}
