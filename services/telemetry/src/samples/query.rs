//! Reading samples for queries: from memory, and from segments.

use std::{collections::HashMap, ops::Range, sync::Arc};

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use rayon::prelude::*;
use tokio::runtime::Handle;
use uuid::Uuid;
use weft_series::{
    group::Samples,
    promql::{Coarse, Failure, Limits, Matcher, Source, StoredSeries},
};
use weft_store::{
    StoreError,
    objects::{MAX_OBJECT_BYTES, Objects},
};

use super::{project::Project, projects::Shared, segment};

/// So many series are worth more than one core.
const MANY: usize = 64;

/// Objects, and parts of them, that were read.
pub(crate) struct Cached {
    objects: Objects,
    read: Cache<(Uuid, Part), Bytes, Size>,
}

/// What of an object is read at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// All of a segment of samples.
    Whole,
    /// The filter of a block of logs or spans.
    Filter(Range<u64>),
    /// Its events.
    Events(Range<u64>),
}

#[derive(Clone)]
struct Size;

impl Weighter<(Uuid, Part), Bytes> for Size {
    fn weight(&self, _: &(Uuid, Part), object: &Bytes) -> u64 {
        object.len() as u64 + 64
    }
}

impl Cached {
    pub(crate) fn new(objects: Objects, bytes: usize) -> Self {
        let objects_at_most = (bytes / (256 << 10)).max(16);
        Self { objects, read: Cache::with_weighter(objects_at_most, bytes as u64, Size) }
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Keeps an object that was just written.
    pub(crate) fn put(&self, uid: Uuid, object: Bytes) {
        self.read.insert((uid, Part::Whole), object);
    }

    /// The object of a segment. Waits for it, so that it may be called only where that is allowed.
    fn get(&self, uid: Uuid, wait: &Handle) -> Result<Bytes, Failure> {
        self.part(uid, &Part::Whole, wait)
            .map_err(|error| Failure::Source(format!("segment {uid} cannot be read: {error}")))
    }

    /// A part of an object. Waits for it, so that it may be called only where that is allowed.
    pub(crate) fn part(&self, uid: Uuid, part: &Part, wait: &Handle) -> Result<Bytes, StoreError> {
        let key = segment::key(uid);
        let read = || match part {
            Part::Whole => wait.block_on(self.objects.get(&key, MAX_OBJECT_BYTES)),
            Part::Filter(range) | Part::Events(range) => {
                wait.block_on(self.objects.get_range(&key, range.clone()))
            }
        };
        self.read.get_or_insert_with(&(uid, part.clone()), read)
    }
}

/// A project as a query sees it. Its calls wait for objects: not to be called from a task.
pub(crate) struct View {
    pub(crate) project: Option<Shared>,
    pub(crate) cached: Arc<Cached>,
    pub(crate) wait: Handle,
}

impl Source for View {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        limits: &Limits,
    ) -> Result<Vec<StoredSeries>, Failure> {
        let Some(project) = &self.project else { return Ok(Vec::new()) };
        // Objects are waited for before the memory is held, so that nobody who writes waits for them; what was sealed
        // meanwhile is out of the memory, so that its object is needed too.
        let mut objects = HashMap::new();
        let project = loop {
            let project = project.read();
            let missing: Vec<Uuid> = project
                .segments
                .iter()
                .filter(|segment| {
                    let (before, after) = segment.reach();
                    let is_near = segment.first <= to.saturating_add(after)
                        && from.saturating_sub(before) <= segment.last;
                    is_near && !objects.contains_key(&segment.uid)
                })
                .map(|segment| segment.uid)
                .collect();
            if missing.is_empty() {
                break project;
            }
            drop(project);
            for uid in missing {
                limits.in_time()?;
                let project = &self.project;
                let is_there =
                    |shared: &Shared| shared.read().segments.iter().any(|segment| segment.uid == uid);
                match self.cached.get(uid, &self.wait) {
                    Ok(object) => _ = objects.insert(uid, object),
                    Err(error) if project.as_ref().is_some_and(is_there) => return Err(error),
                    // Another has taken its place meanwhile.
                    Err(_) => {}
                }
            }
        };
        let found = project.index.matching(matchers);
        if found.len() as u64 > limits.series {
            return Err(Failure::TooMuch { what: "series", most: limits.series });
        }
        let read = |id: &u32| read(&project, *id, from, to, &objects);
        let mut count = 0;
        let mut series = Vec::with_capacity(found.len());
        for some in found.chunks(4_096) {
            limits.in_time()?;
            let read: Vec<StoredSeries> = if some.len() >= MANY {
                some.par_iter().map(read).collect::<Result<_, _>>()?
            } else {
                some.iter().map(read).collect::<Result<_, _>>()?
            };
            count += read.iter().map(|series| series.samples.times.len() as u64).sum::<u64>();
            if count > limits.samples {
                return Err(Failure::TooMuch { what: "samples", most: limits.samples });
            }
            series.extend(read.into_iter().filter(|series| !series.samples.times.is_empty()));
        }
        Ok(series)
    }
}

fn read(
    project: &Project,
    id: u32,
    from: i64,
    to: i64,
    objects: &HashMap<Uuid, Bytes>,
) -> Result<StoredSeries, Failure> {
    let damaged = |error| Failure::Source(format!("a chunk {error}"));
    let place = project.index.series(id);
    let (mut samples, mut coarse) = (Samples::default(), Coarse::default());
    for segment in &project.segments {
        let (Some(object), Some(part)) = (objects.get(&segment.uid), segment.groups.get(&place.group)) else {
            continue;
        };
        let Some(column) = part.column(place.number) else { continue };
        let (before, after) = segment.reach();
        let (from, to) = (from.saturating_sub(before), to.saturating_add(after));
        for chunk in part.chunks.iter().filter(|chunk| chunk.overlaps(from, to)) {
            let bytes =
                chunk.of(object).ok_or_else(|| Failure::Source("a chunk is not in its object".into()))?;
            samples.extend_from_chunk(&bytes, column, from, to).map_err(damaged)?;
            if segment.resolution > 0 {
                coarse.add(chunk.last, segment.resolution);
            }
        }
    }
    project.groups[place.group as usize]
        .newest
        .read(place.number, from, to, &mut samples)
        .map_err(damaged)?;
    samples.settle();
    Ok(StoredSeries { labels: place.labels.clone(), samples, coarse })
}
