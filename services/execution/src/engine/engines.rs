//! All shards of executions: an engine for each, of which those work that this process is to have.

use weft_store::{SHARD_BITS, shard_of};

use super::{Engine, Parts};

/// The engines of a process, by shard.
pub(crate) struct Engines(Vec<Engine>);

impl Engines {
    /// One for each shard. A process that is alone is to have them all, one of several is told which.
    pub(crate) fn start(parts: &Parts) -> Self {
        let engine = |shard| Engine::start(Parts { shard, ..parts.clone() }, parts.is_alone);
        Self((0..parts.shards).map(engine).collect())
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.0.len()).unwrap_or(i32::MAX)
    }

    /// The engine of a shard; nothing where there is no such shard.
    pub(crate) fn get(&self, shard: i32) -> Option<&Engine> {
        self.0.get(usize::try_from(shard).ok()?)
    }

    /// The shard that a project's executions are in.
    pub(crate) fn shard_of(&self, project: &str) -> i32 {
        shard_of(project, self.count())
    }

    /// The engine of a project's executions.
    pub(crate) fn of_project(&self, project: &str) -> &Engine {
        &self.0[self.shard_of(project) as usize]
    }

    /// The engine of an execution: its number begins with its shard's. Whatever has no shard is of the first, which does not know
    /// it either.
    pub(crate) fn of_execution(&self, id: i64) -> &Engine {
        i32::try_from(id >> SHARD_BITS).ok().and_then(|shard| self.get(shard)).unwrap_or(&self.0[0])
    }

    /// All of them, by shard.
    pub(crate) fn all(&self) -> impl Iterator<Item = (i32, &Engine)> {
        (0..).zip(&self.0)
    }
}
