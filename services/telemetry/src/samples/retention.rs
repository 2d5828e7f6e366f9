//! What is forgotten, and what is thinned out.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use uuid::Uuid;
use weft_series::{
    Batch, BatchLimits, batch,
    group::Chunk,
    value::{ABSENT, is_absent, is_stale},
};
use weft_store::{SealedSegments, SegmentRow, StoreError, Timestamp, objects::MAX_OBJECT_BYTES};

use super::{
    directory::{self, Builder},
    project::Metric,
    projects::Shared,
    segment::{self, Segment},
};
use crate::state::State;

/// Removes segments of which all samples are too old, and thins out those that are old enough. Gives how many were
/// changed.
///
/// # Errors
/// The store or the objects cannot be written.
pub(crate) async fn round(state: &State, epoch: i64) -> Result<usize, StoreError> {
    let now = Timestamp::from(state.clock.now()).as_micros() / 1_000;
    let before = |age: std::time::Duration| now - i64::try_from(age.as_millis()).unwrap_or(i64::MAX / 2);
    let (forget, thin) = (before(state.options.retention), before(state.options.thin_after));
    let mut changed = 0;
    for project in state.projects.all() {
        let segments = project.read().segments.clone();
        let to = i64::try_from(state.options.thinned_to.as_millis()).unwrap_or_default();
        for segment in segments {
            let is_old = segment.last < forget;
            let is_thick =
                !state.options.thin_after.is_zero() && segment.resolution < to && segment.last < thin;
            if is_old {
                replace(state, epoch, &project, &segment, None).await?;
            } else if is_thick {
                let object = state.cached.objects().get(&segment::key(segment.uid), MAX_OBJECT_BYTES).await?;
                let thinned = thinned(state, &project, &segment, &object, to)?;
                replace(state, epoch, &project, &segment, Some(thinned)).await?;
            } else {
                continue;
            }
            changed += 1;
        }
        if changed > 0 {
            project.write().forget_series();
        }
    }
    Ok(changed)
}

/// Puts another segment, or none, in the place of one.
async fn replace(
    state: &State,
    epoch: i64,
    project: &Shared,
    segment: &Segment,
    with: Option<(SegmentRow, Bytes)>,
) -> Result<(), StoreError> {
    let mut sealed = SealedSegments { epoch, removed: vec![segment.uid], ..SealedSegments::default() };
    if let Some((row, object)) = &with {
        state.cached.objects().put(&segment::key(row.uid), object.clone()).await?;
        sealed.added.push(row.clone());
    }
    state.store.seal_telemetry(sealed).await?;
    {
        let mut project = project.write();
        project.segments.retain(|other| other.uid != segment.uid);
        if let Some((row, _)) = with {
            let opened =
                directory::open(&row, &mut project).map_err(|error| StoreError::Bug(error.to_string()))?;
            project.segments.push(Arc::new(opened));
            project.segments.sort_by_key(|segment| segment.created);
        }
    }
    // A query that has begun has its object already, or fails and is asked again.
    state.cached.objects().delete(&segment::key(segment.uid)).await
}

fn thinned(
    state: &State,
    shared: &Shared,
    segment: &Segment,
    object: &Bytes,
    to: i64,
) -> Result<(SegmentRow, Bytes), StoreError> {
    let damaged = |reason: &str| StoreError::Corrupt {
        table: "telemetry_segments",
        column: "object",
        row: segment.uid.to_string(),
        reason: reason.to_owned(),
    };
    let project = shared.read();
    let mut builder = Builder::default();
    for (group, part) in &segment.groups {
        let mut rows = BTreeMap::new();
        for place in &part.chunks {
            let bytes = place.of(object).ok_or_else(|| damaged("a chunk is not in its object"))?;
            let limits = BatchLimits { rows: 1 << 20, columns: usize::MAX, cells: usize::MAX };
            let batch = Batch::decode(&bytes, limits).map_err(|error| damaged(error.0))?;
            thin(&batch, to, &mut rows);
        }
        let kept = &project.groups[*group as usize];
        let series =
            part.columns.iter().map(|(number, column)| (*column, &kept.series[*number as usize].labels));
        builder.add(&kept.key, series.collect::<Vec<_>>().into_iter(), &chunks(&rows));
    }
    let metrics: Vec<(&str, &Metric)> =
        project.metrics.iter().map(|(name, metric)| (name.as_str(), metric)).collect();
    let uid: Uuid = state.ids.uuid();
    Ok(builder.finish(uid, &shared.id, to, &metrics, state.clock.now().into()))
}

/// Of each span the time of its last row, and the last value of each column.
type Spans = BTreeMap<i64, (i64, BTreeMap<u32, (i64, f64)>)>;

/// Puts rows into spans. The last value of a span is at the time of its last row; a mark of an end is kept only where
/// nothing follows it.
fn thin(batch: &Batch, to: i64, spans: &mut Spans) {
    for (row, time) in batch.times.iter().enumerate() {
        let span = spans.entry(time.div_euclid(to)).or_insert_with(|| (*time, BTreeMap::new()));
        span.0 = span.0.max(*time);
        for (column, values) in &batch.columns {
            let value = values[row];
            if is_absent(value) {
                continue;
            }
            let kept = span.1.entry(*column).or_insert((*time, value));
            if *time >= kept.0 && !(is_stale(value) && *time == kept.0) {
                *kept = (*time, value);
            }
        }
    }
}

fn chunks(spans: &Spans) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let spans: Vec<_> = spans.values().collect();
    for spans in spans.chunks(256) {
        let times: Vec<i64> = spans.iter().map(|(time, _)| *time).collect();
        let mut columns: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (row, (_, values)) in spans.iter().enumerate() {
            for (column, (_, value)) in values {
                columns.entry(*column).or_insert_with(|| vec![ABSENT; spans.len()])[row] = *value;
            }
        }
        let bytes =
            batch::encode(&times, columns.iter().map(|(column, values)| (*column, values.as_slice())));
        let sample_count = columns.values().flatten().filter(|value| !is_absent(**value)).count() as u64;
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else { continue };
        chunks.push(Chunk { first, last, sample_count, bytes: bytes.into() });
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_span_the_last_values_stay() {
        let batch = Batch {
            times: vec![0, 10, 20, 100, 110],
            columns: vec![(0, vec![1.0, 2.0, 3.0, 4.0, 5.0]), (3, vec![7.0, 8.0, ABSENT, ABSENT, ABSENT])],
        };
        let mut spans = Spans::new();
        thin(&batch, 100, &mut spans);
        let chunks = chunks(&spans);
        assert_eq!((chunks.len(), chunks[0].first, chunks[0].last, chunks[0].sample_count), (1, 20, 110, 3));
        let thinned = Batch::decode(&chunks[0].bytes, BatchLimits::default()).unwrap();
        assert_eq!(thinned.times, [20, 110]);
        assert_eq!(thinned.columns[0], (0, vec![3.0, 5.0]));
        assert_eq!(thinned.columns[1].1[0], 8.0);
    }
}
