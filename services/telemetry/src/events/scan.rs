//! Looking through the events of a project, from the newest on.

use std::{collections::HashSet, sync::Arc, time::Instant};

use tokio::runtime::Handle;
use weft_series::{DecodeError, promql::Failure};
use weft_store::StoreError;

use super::{
    Kind,
    block::Block,
    chunk::{Chunk, Event, Origin},
    filter,
    page::{Page, Position},
    wanted::Wanted,
};
use crate::{
    Error,
    samples::{
        projects::Shared,
        query::{Cached, Part},
    },
};

/// The events of a project as they are now. Its calls wait for objects: not to be called from a task.
pub(crate) struct View {
    pub(crate) kind: Kind,
    pub(crate) project: Shared,
    pub(crate) cached: Arc<Cached>,
    pub(crate) wait: Handle,
    pub(crate) deadline: Instant,
}

/// A part of what there is.
enum Source {
    Chunk(Arc<Chunk>),
    Block(Arc<Block>),
}

impl Source {
    fn first(&self) -> i64 {
        match self {
            Self::Chunk(chunk) => chunk.first,
            Self::Block(block) => block.first,
        }
    }

    fn last(&self) -> i64 {
        match self {
            Self::Chunk(chunk) => chunk.last,
            Self::Block(block) => block.last,
        }
    }
}

impl View {
    /// The highest number of an event.
    pub(crate) fn newest(&self) -> u64 {
        self.project.read().kept(self.kind).newest
    }

    /// Puts what is wanted into a page, the newest of it.
    ///
    /// # Errors
    /// It takes too long, or something cannot be read.
    pub(crate) fn search<T>(
        &self,
        wanted: &Wanted,
        page: &mut Page<T>,
        make: impl Fn(&Event<'_>, &Origin) -> Result<(T, usize), DecodeError>,
    ) -> Result<(), Error> {
        let mut sources = self.sources(wanted);
        sources.sort_by_key(|source| std::cmp::Reverse(source.last()));
        let things = wanted.things();
        for source in sources {
            if !page.may_take(source.last()) {
                break;
            }
            if !page.reaches(source.first()) {
                continue;
            }
            let Some(chunk) = self.open(&source, &things)? else { continue };
            for event in chunk.events() {
                let event = event.map_err(damaged)?;
                let position = Position { time: event.time, number: event.number };
                if !page.is_in(position) {
                    continue;
                }
                let origin = origin(&chunk, &event)?;
                if wanted.is(self.kind, &event, origin).map_err(damaged)? && page.has_room(position) {
                    let (item, bytes) = make(&event, origin).map_err(damaged)?;
                    page.put(position, item, bytes);
                }
            }
        }
        Ok(())
    }

    /// Calls with each span of some traces, in no order.
    ///
    /// # Errors
    /// It takes too long, or something cannot be read.
    pub(crate) fn of_traces(
        &self,
        traces: &HashSet<[u8; 16]>,
        mut found: impl FnMut(&Event<'_>, &Origin) -> Result<(), DecodeError>,
    ) -> Result<(), Error> {
        let everything = Wanted { from: i64::MIN, to: i64::MAX, ..Wanted::default() };
        for source in self.sources(&everything) {
            if let Source::Block(block) = &source
                && !traces.iter().any(|trace| block.may_have_trace(trace))
            {
                continue;
            }
            let Some(chunk) = self.open(&source, &[])? else { continue };
            for event in chunk.events() {
                let event = event.map_err(damaged)?;
                if <[u8; 16]>::try_from(event.trace).is_ok_and(|trace| traces.contains(&trace)) {
                    found(&event, origin(&chunk, &event)?).map_err(damaged)?;
                }
            }
        }
        Ok(())
    }

    /// Chunks and blocks together, as they are at one time: what is sealed is in one or the other.
    fn sources(&self, wanted: &Wanted) -> Vec<Source> {
        let project = self.project.read();
        let kept = project.kept(self.kind);
        let chunks = kept.chunks.iter().filter(|chunk| wanted.from <= chunk.last && chunk.first < wanted.to);
        let blocks = kept.blocks.iter().filter(|block| wanted.may_be_in(self.kind, block));
        let chunks = chunks.map(|chunk| Source::Chunk(Arc::clone(chunk)));
        chunks.chain(blocks.map(|block| Source::Block(Arc::clone(block)))).collect()
    }

    /// The events of a source; `None` where the filter of a block says that it has not one of the things, and where it
    /// was forgotten meanwhile.
    fn open(&self, source: &Source, things: &[Vec<u64>]) -> Result<Option<Arc<Chunk>>, Error> {
        if Instant::now() > self.deadline {
            return Err(Failure::TooLong.into());
        }
        let block = match source {
            Source::Chunk(chunk) => return Ok(Some(Arc::clone(chunk))),
            Source::Block(block) => block,
        };
        match self.read(block, things) {
            Err(Error::Store(StoreError::NotFound { .. })) if !self.has(block) => Ok(None),
            other => other,
        }
    }

    fn has(&self, block: &Block) -> bool {
        self.project.read().kept(self.kind).blocks.iter().any(|other| other.uid == block.uid)
    }

    fn read(&self, block: &Block, things: &[Vec<u64>]) -> Result<Option<Arc<Chunk>>, Error> {
        if !things.is_empty() {
            let part = Part::Filter(0..block.filter_bytes);
            let filter = self.cached.part(block.uid, &part, &self.wait)?;
            let may_have = |any: &Vec<u64>| any.iter().any(|thing| filter::may_have(&filter, *thing));
            if !things.iter().all(may_have) {
                return Ok(None);
            }
        }
        let part = Part::Events(block.filter_bytes..block.object_bytes);
        let packed = self.cached.part(block.uid, &part, &self.wait)?;
        Ok(Some(Arc::new(Chunk::decode(&packed, 0).map_err(damaged)?)))
    }
}

fn origin<'c>(chunk: &'c Chunk, event: &Event<'_>) -> Result<&'c Origin, Error> {
    chunk.origins.get(event.origin as usize).ok_or_else(|| damaged(DecodeError("has no such origin")))
}

fn damaged(error: DecodeError) -> Error {
    Failure::Source(format!("a block {error}")).into()
}
