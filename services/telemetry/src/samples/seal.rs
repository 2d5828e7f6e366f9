//! Sealing: what is in memory becomes segments, and the log is shortened.
//!
//! In this order: objects, then rows with the end of the log in one step, then memory. Whatever ends in between, a
//! sample is in the log or in a segment, or in both, where it is one sample; an object without a row is swept away
//! when the process begins.

use std::sync::Arc;

use bytes::Bytes;
use weft_series::group::Chunk;
use weft_store::{ReporterRow, SealedSegments, SegmentRow, StoreError, Timestamp};

use super::{
    directory::{self, Builder},
    log::Log,
    project::{Metric, Project},
    projects::Shared,
    segment,
};
use crate::state::State;

/// Whether samples have been in memory long enough.
pub(super) fn is_time(state: &State, log: &Log) -> bool {
    log.samples > 0 && log.since.elapsed() >= state.options.seal_after
}

/// Seals all that is in memory.
///
/// # Errors
/// Objects or rows cannot be written: everything stays in the log and in memory.
pub(super) async fn seal(state: &State, log: &mut Log) -> Result<(), StoreError> {
    let now = Timestamp::from(state.clock.now());
    let mut taken = Vec::new();
    let mut made = Vec::new();
    for project in state.projects.all() {
        let chunks = close(&project);
        if !chunks.is_empty() {
            made.extend(build(state, &project, &chunks, now));
            taken.push((project, chunks));
        }
    }
    let reporters = reporters(state, now);
    let mut sealed = SealedSegments { epoch: log.epoch, log_until: log.applied, ..SealedSegments::default() };
    sealed.reporters = reporters;
    for (row, object) in &made {
        state.cached.objects().put(&segment::key(row.uid), object.clone()).await?;
        sealed.added.push(row.clone());
    }
    state.store.seal_telemetry(sealed).await?;
    for (row, object) in made {
        let project = state.projects.get(&row.project);
        state.cached.put(row.uid, object);
        let mut project = project.write();
        let segment =
            directory::open(&row, &mut project).map_err(|error| StoreError::Bug(error.to_string()))?;
        project.segments.push(Arc::new(segment));
    }
    for (project, chunks) in taken {
        let mut project = project.write();
        for (group, chunks) in chunks {
            project.groups[group as usize].newest.drop_chunks(chunks.len());
        }
    }
    state.reporters().values_mut().for_each(|known| known.is_sealed = true);
    tracing::debug!(samples = log.samples, "sealed");
    log.begin_anew();
    Ok(())
}

type GroupChunks = Vec<(u32, Vec<Chunk>)>;

/// Closes what is open, and gives all chunks, which stay in memory until their segments are there.
fn close(project: &Shared) -> GroupChunks {
    let mut project = project.write();
    let mut chunks = Vec::new();
    for (group, kept) in (0..).zip(&mut project.groups) {
        kept.newest.close();
        if !kept.newest.chunks().is_empty() {
            chunks.push((group, kept.newest.chunks().to_vec()));
        }
    }
    chunks
}

fn build(state: &State, shared: &Shared, groups: &GroupChunks, now: Timestamp) -> Vec<(SegmentRow, Bytes)> {
    let project = shared.read();
    let mut made = Vec::new();
    let mut builder = Builder::default();
    for (group, chunks) in groups {
        let kept = &project.groups[*group as usize];
        let series = (0u32..).zip(&kept.series).map(|(number, slot)| (number, &slot.labels));
        let series: Vec<_> = series.collect();
        // A group of very many rows is in several segments, with its names in each.
        for chunks in chunks.chunks(4_096) {
            builder.add(&kept.key, series.iter().copied(), chunks);
        }
        if builder.is_full() {
            made.push(finish(state, &project, shared, std::mem::take(&mut builder), now));
        }
    }
    if !builder.is_empty() {
        made.push(finish(state, &project, shared, builder, now));
    }
    made
}

fn finish(
    state: &State,
    project: &Project,
    shared: &Shared,
    builder: Builder,
    now: Timestamp,
) -> (SegmentRow, Bytes) {
    let metrics: Vec<(&str, &Metric)> =
        project.metrics.iter().map(|(name, metric)| (name.as_str(), metric)).collect();
    builder.finish(state.ids.uuid(), &shared.id, 0, &metrics, now)
}

fn reporters(state: &State, now: Timestamp) -> Vec<ReporterRow> {
    let reporters = state.reporters();
    let unsealed = reporters.iter().filter(|(_, known)| !known.is_sealed);
    unsealed
        .map(|((project, source), known)| ReporterRow {
            project: project.to_string(),
            source: source.clone(),
            incarnation: known.incarnation,
            sequence: known.sequence,
            updated: now,
        })
        .collect()
}
