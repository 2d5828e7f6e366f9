//! Objects of projects: rows that say what there is, and their bytes in parts.
//!
//! A write puts its parts under an identity of its own, and then turns the row to them: whoever reads has one version,
//! whole. What a write that ended badly has left behind, and what was replaced or deleted, is noted in the store before
//! anything else happens, and removed later ([`ProjectObjects::sweep`]).

mod error;
mod kept;
mod pace;
mod places;
mod read;
mod service;
#[cfg(test)]
mod tests;
mod write;

use std::{sync::Arc, time::Duration};

use weft_kit::{Clock, Ids, Lifecycle, TaskKind};
use weft_store::{ProjectObjectRow, ProjectObjectStore, StoreError, Timestamp, objects::Objects};

pub(crate) use error::ObjectError;
pub(crate) use kept::{Saved, hexadecimal, whole_name};
pub use service::ObjectService;
pub(crate) use write::{Begin, Unchanged};

use crate::Options;
use places::Places;

/// Bytes of a part: what an upload holds in memory.
const PART: usize = 4 << 20;
/// Uploads at once of one project, and writes of what has come already.
const OF_PROJECT: usize = 8;
/// Uploads at once. Each has a part in memory.
const UPLOADS: usize = 64;
/// How long an upload waits for a place: its client cannot tell that from a mesh that is gone.
const UPLOAD_WAIT: Duration = Duration::from_secs(10);
/// Writes at once of what has come already: nobody can make these slow.
const WRITES: usize = 16;
const WRITE_WAIT: Duration = Duration::from_mins(1);
/// How long one upload may take.
const LONGEST: Duration = Duration::from_hours(6);
/// When the bytes of an upload may be removed that says nothing of itself: more than a part takes that comes as slowly as
/// it may.
const ABANDONED: Duration = Duration::from_hours(2);
/// When it is tried again to remove what could not be removed.
const AGAIN: Duration = Duration::from_hours(1);
/// How long whoever reads bytes that were replaced or deleted has to come to an end.
const READING: Duration = Duration::from_hours(1);
/// How often it is looked for bytes that nothing has.
const SWEEP: Duration = Duration::from_mins(5);
const SWEPT_AT_ONCE: u32 = 100;

/// The objects of all projects.
pub(crate) struct ProjectObjects {
    store: Arc<dyn ProjectObjectStore>,
    objects: Objects,
    limits: Limits,
    uploads: Places,
    writes: Places,
    clock: Clock,
    ids: Ids,
    lifecycle: Lifecycle,
}

/// How much there may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    object_bytes: u64,
    project_objects: u64,
    project_bytes: u64,
}

impl ProjectObjects {
    pub(crate) fn new(
        options: &Options,
        (store, objects): (Arc<dyn ProjectObjectStore>, Objects),
        (clock, ids): (Clock, Ids),
        lifecycle: Lifecycle,
    ) -> Arc<Self> {
        let limits = Limits {
            object_bytes: options.max_object_bytes,
            project_objects: options.max_objects_per_project,
            project_bytes: options.max_object_bytes_per_project,
        };
        let uploads = Places::new(UPLOADS, OF_PROJECT, UPLOAD_WAIT);
        let writes = Places::new(WRITES, OF_PROJECT, WRITE_WAIT);
        Arc::new(Self { store, objects, limits, uploads, writes, clock, ids, lifecycle })
    }

    /// Removes what nothing has, from time to time.
    pub(crate) fn start(self: &Arc<Self>) {
        let objects = Arc::clone(self);
        self.lifecycle.spawn("objects-sweep", TaskKind::Background, move |life| {
            let objects = Arc::clone(&objects);
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(SWEEP) => {}
                        () = life.draining() => return Ok::<_, StoreError>(()),
                    }
                    while objects.sweep().await? && !life.is_draining() {}
                }
            }
        });
    }

    /// Removes bytes that nothing has; whether there may be more.
    async fn sweep(&self) -> Result<bool, StoreError> {
        let loose = self.store.loose_contents(self.now(), SWEPT_AT_ONCE).await?;
        for content in &loose {
            if let Err(error) = self.remove(*content).await {
                tracing::warn!(%content, %error, "content that no object has was not removed; it is tried again");
                // The others are not to wait for it.
                self.store.reschedule_loose_content(*content, self.now().after(AGAIN)).await?;
            }
        }
        Ok(loose.len() == SWEPT_AT_ONCE as usize)
    }

    /// Removes the bytes of content that no object has.
    async fn remove(&self, content: uuid::Uuid) -> Result<(), StoreError> {
        // First the bytes: where this ends in between, they are found again.
        let folder = format!("objects/{}", content.simple());
        loop {
            let parts = self.objects.list(&folder, "", 1_000).await?;
            if parts.is_empty() {
                break;
            }
            for part in parts {
                self.objects.delete(&part.key).await?;
            }
        }
        self.store.forget_content(content).await
    }

    /// The object of that name.
    pub(crate) async fn get(&self, project: &str, id: &str) -> Result<Saved, ObjectError> {
        match self.store.get_object(project, id).await {
            Ok(row) => Saved::of(row),
            Err(StoreError::NotFound { .. }) => Err(ObjectError::NotFound(whole_name(project, id))),
            Err(error) => Err(error.into()),
        }
    }

    /// Those of a project.
    async fn list(
        &self,
        (project, prefix, after): (&str, &str, &str),
        limit: u32,
    ) -> Result<Vec<Saved>, ObjectError> {
        let rows: Vec<ProjectObjectRow> = self.store.list_objects(project, prefix, after, limit).await?;
        rows.into_iter().map(Saved::of).collect()
    }

    /// Deletes one.
    pub(crate) async fn delete(
        &self,
        project: &str,
        id: &str,
        version: Option<i64>,
    ) -> Result<(), ObjectError> {
        let loose_from = self.now().after(READING);
        match self.store.delete_object(project, id, version, loose_from).await {
            Err(StoreError::NotFound { .. }) => Err(ObjectError::NotFound(whole_name(project, id))),
            Err(StoreError::Stale { .. }) => Err(ObjectError::Changed(whole_name(project, id))),
            deleted => Ok(deleted?),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// Where a part is.
fn key(content: uuid::Uuid, part: u64) -> String {
    format!("objects/{}/{part:06}", content.simple())
}
