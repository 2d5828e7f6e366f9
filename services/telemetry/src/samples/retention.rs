//! What is forgotten, and what is thinned out: segments are written anew, one run of them at a time.
//!
//! A segment never changes. What is made of some is built beside the task that writes, and then takes their place: its
//! objects first, then the rows of both in one step, then memory, and at last the objects of those that are none any
//! more. Whatever ends in between, a sample is in the segments before or in those after; an object without a row is
//! swept away when the process begins.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use uuid::Uuid;
use weft_series::{Batch, BatchLimits, Labels, group::Samples};
use weft_store::{SealedSegments, SegmentRow, StoreError, objects::MAX_OBJECT_BYTES};

use super::{
    choose::{self, Run},
    directory::{self, Builder},
    policy::Fate,
    project::{Metric, is_counter},
    projects::Shared,
    segment::{self, Segment},
    thin,
};
use crate::state::State;

/// Samples that are written anew at once, nearly: as many as are sealed at once by default.
const AT_ONCE: u64 = 4_000_000;

/// What is to take the place of segments.
pub(crate) struct Made {
    project: Shared,
    removed: Vec<Uuid>,
    added: Vec<(SegmentRow, Bytes)>,
    /// Samples that are too old.
    forgotten: u64,
    /// Samples that are left out.
    thinned: u64,
}

/// A run that could not be written anew: which of its segments cannot be read, and why.
struct Failed(Option<Uuid>, StoreError);

/// Goes through all segments, a run at a time, and rests after each for as long as it took.
#[derive(Default)]
pub(crate) struct Keeper {
    running: Option<(JoinHandle<Result<Made, Failed>>, Instant)>,
    /// When it is looked what is next.
    next: Option<Instant>,
    /// Segments that cannot be read. They stay as they are until the log is taken anew.
    damaged: HashSet<Uuid>,
    /// Those of the run that is being written, and of runs that could not be: others have their turn before these are
    /// tried again.
    tried: Vec<Uuid>,
    passed_over: HashSet<Uuid>,
}

/// It is time to look what is next; or a run was written anew, or was not.
pub(crate) struct Turn(Option<Result<Made, Failed>>);

impl Keeper {
    /// Begins to look what there is to do, unless it is being done.
    pub(crate) fn wake(&mut self) {
        if self.running.is_none() {
            self.next = Some(Instant::now());
            self.passed_over.clear();
        }
    }

    /// Waits until there is something for [`Keeper::go_on`].
    pub(crate) async fn turn(&mut self) -> Turn {
        match (&mut self.running, self.next) {
            (Some((run, _)), _) => {
                let broken = |_| Failed(None, StoreError::Bug("a run broke off".into()));
                Turn(Some(run.await.map_err(broken).flatten()))
            }
            (None, Some(next)) => {
                sleep_until(next).await;
                Turn(None)
            }
            (None, None) => std::future::pending().await,
        }
    }

    /// Puts what was made in its place, and begins the next run.
    ///
    /// # Errors
    /// The store or the objects cannot be written.
    pub(crate) async fn go_on(
        &mut self,
        state: &Arc<State>,
        epoch: i64,
        turn: Turn,
    ) -> Result<(), StoreError> {
        self.next = None;
        let took = self.running.take().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        match turn.0 {
            Some(Ok(made)) => {
                put(state, epoch, made).await?;
                self.next = Some(Instant::now() + took);
            }
            Some(Err(Failed(segment, error))) => {
                tracing::warn!(%error, "segments cannot be thinned out");
                match (segment, &error) {
                    (Some(segment), StoreError::Corrupt { .. } | StoreError::NotFound { .. }) => {
                        self.damaged.insert(segment);
                    }
                    // What does not answer is asked again the next time.
                    _ => self.passed_over.extend(self.tried.drain(..)),
                }
                self.next = Some(Instant::now());
            }
            None => self.begin(state),
        }
        Ok(())
    }

    fn begin(&mut self, state: &Arc<State>) {
        let now = state.now();
        for project in state.projects.all() {
            let mut segments = project.read().segments.clone();
            segments.retain(|segment| {
                !self.damaged.contains(&segment.uid) && !self.passed_over.contains(&segment.uid)
            });
            let chosen = choose::choose(&segments, &state.policies, now, AT_ONCE);
            if let Some(run) = chosen {
                self.tried = run.segments.iter().map(|segment| segment.uid).collect();
                let (state, wait) = (Arc::clone(state), Handle::current());
                let writes = move || write(&state, &project, &run, &wait);
                self.running = Some((tokio::task::spawn_blocking(writes), Instant::now()));
                return;
            }
        }
    }
}

/// Puts segments in the place of others.
async fn put(state: &State, epoch: i64, made: Made) -> Result<(), StoreError> {
    let Made { project: shared, removed, added, forgotten, thinned } = made;
    let mut sealed = SealedSegments { epoch, removed: removed.clone(), ..SealedSegments::default() };
    for (row, object) in added {
        state.cached.objects().put(&segment::key(row.uid), object).await?;
        sealed.added.push(row);
    }
    let rows = sealed.added.clone();
    state.store.seal_telemetry(sealed).await?;
    {
        let mut project = shared.write();
        project.segments.retain(|segment| !removed.contains(&segment.uid));
        // What they say of metrics is as old as the beginning of the run: more may have been told since.
        let (metrics, untold) = (project.metrics.clone(), project.untold.clone());
        for row in &rows {
            let opened =
                directory::open(row, &mut project).map_err(|error| StoreError::Bug(error.to_string()))?;
            project.segments.push(Arc::new(opened));
        }
        (project.metrics, project.untold) = (metrics, untold);
        project.segments.sort_by_key(|segment| segment.created);
        project.counts.forgotten += forgotten;
        project.counts.thinned += thinned;
        if forgotten > 0 {
            project.forget_series();
        }
    }
    tracing::debug!(removed = removed.len(), added = rows.len(), forgotten, thinned, "thinned out");
    // A query that has begun and finds its object gone looks again what there is.
    for uid in removed {
        state.cached.objects().delete(&segment::key(uid)).await?;
    }
    Ok(())
}

/// Reads a run and makes of it what its series become. Waits for objects: not to be called from a task. The project is
/// held for no longer than it takes to look something up.
fn write(state: &State, shared: &Shared, run: &Run, wait: &Handle) -> Result<Made, Failed> {
    let mut made = Made {
        project: shared.clone(),
        removed: run.segments.iter().map(|segment| segment.uid).collect(),
        added: Vec::new(),
        forgotten: 0,
        thinned: 0,
    };
    let mut sources = Vec::new();
    for segment in &run.segments {
        let is_forgotten = |policy: &u32| run.fates.get(policy) == Some(&Fate::Forgotten);
        if segment.policies.iter().all(is_forgotten) {
            made.forgotten += segment.sample_count;
        } else {
            let key = segment::key(segment.uid);
            let object = wait.block_on(state.cached.objects().get(&key, MAX_OBJECT_BYTES));
            sources.push((&**segment, object.map_err(|error| Failed(Some(segment.uid), error))?));
        }
    }
    let known = shared.read().metrics.clone();
    let metrics: Vec<(&str, &Metric)> = known.iter().map(|(name, metric)| (name.as_str(), metric)).collect();
    // As late as the last of them: what came later still counts where times are the same.
    let created = run.segments.iter().map(|segment| segment.created).max().unwrap_or_default();
    let finish =
        |builder: Builder, every| builder.finish(state.ids.uuid(), &shared.id, every, &metrics, created);
    let mut builders: BTreeMap<i64, Builder> = BTreeMap::new();
    let groups: BTreeSet<u32> =
        sources.iter().flat_map(|(segment, _)| segment.groups.keys().copied()).collect();
    for group in groups {
        let (key, by_interval) = become_of_group(run, group, &sources, &known, &mut made)?;
        for (every, series) in by_interval {
            let builder = builders.entry(every).or_default();
            let numbers = series.samples.iter().map(|(number, _)| *number);
            builder.add(&key, numbers.zip(&series.labels), &thin::chunks(&series.samples));
            if builder.is_full() {
                made.added.push(finish(std::mem::take(builder), every));
            }
        }
    }
    let left = builders.into_iter().filter(|(_, builder)| !builder.is_empty());
    made.added.extend(left.map(|(every, builder)| finish(builder, every)));
    Ok(made)
}

/// Series of a group that something is left of, by rising number.
#[derive(Default)]
struct Left {
    labels: Vec<Labels>,
    samples: Vec<(u32, Samples)>,
}

/// Reads the series of a group, and leaves what is to be left of them; by interval.
fn become_of_group(
    run: &Run,
    group: u32,
    sources: &[(&Segment, Bytes)],
    metrics: &BTreeMap<String, Metric>,
    made: &mut Made,
) -> Result<(String, BTreeMap<i64, Left>), Failed> {
    let mut read: BTreeMap<u32, Samples> = BTreeMap::new();
    for (segment, object) in sources {
        let damaged = |reason: &str| {
            let (table, column, row) = ("telemetry_segments", "object", segment.uid.to_string());
            let error = StoreError::Corrupt { table, column, row, reason: reason.to_owned() };
            Failed(Some(segment.uid), error)
        };
        let Some(part) = segment.groups.get(&group) else { continue };
        let numbers: HashMap<u32, u32> =
            part.columns.iter().map(|(number, column)| (*column, *number)).collect();
        for place in &part.chunks {
            let bytes = place.of(object).ok_or_else(|| damaged("a chunk is not in its object"))?;
            let limits = BatchLimits { rows: 1 << 20, columns: usize::MAX, cells: usize::MAX };
            let batch = Batch::decode(&bytes, limits).map_err(|error| damaged(error.0))?;
            for (column, values) in &batch.columns {
                if let Some(number) = numbers.get(column) {
                    read.entry(*number).or_default().extend(&batch.times, values, i64::MIN, i64::MAX);
                }
            }
        }
    }
    let (key, slots) = {
        let project = made.project.read();
        let kept = &project.groups[group as usize];
        let slots = read.keys().map(|number| &kept.series[*number as usize]);
        (kept.key.clone(), slots.map(|slot| (slot.labels.clone(), slot.policy)).collect::<Vec<_>>())
    };
    let mut left: BTreeMap<i64, Left> = BTreeMap::new();
    for ((number, mut samples), (labels, policy)) in read.into_iter().zip(slots) {
        let before = samples.times.len() as u64;
        match run.fates.get(&policy) {
            Some(Fate::Forgotten) => made.forgotten += before,
            Some(Fate::Kept { every }) => {
                samples.settle();
                if *every > 0 {
                    let is_counter = is_counter(metrics, labels.metric());
                    thin::thin(&mut samples, *every, is_counter);
                }
                made.thinned += before - samples.times.len() as u64;
                let left = left.entry(*every).or_default();
                left.labels.push(labels);
                left.samples.push((number, samples));
            }
            None => {
                let error = StoreError::Bug("a series has no policy in its segment".into());
                return Err(Failed(None, error));
            }
        }
    }
    Ok((key, left))
}
