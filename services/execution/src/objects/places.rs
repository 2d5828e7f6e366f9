//! Who may write at once: so many of a project, and so many of all. A place is held for as long as a write takes, which
//! its client may have a hand in; so no project has them all, and nobody waits for one for long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ObjectError;

/// The places of one kind of writes.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Those of projects that have or want one.
    projects: Mutex<HashMap<String, Arc<Semaphore>>>,
    of_project: usize,
    /// How long one is waited for.
    wait: Duration,
}

/// A place, until it is dropped.
pub(super) struct Place {
    _of_project: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize, of_project: usize, wait: Duration) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), projects: Mutex::default(), of_project, wait }
    }

    /// A place for a write of a project.
    pub(super) async fn enter(&self, project: &str) -> Result<Place, ObjectError> {
        let own = self.of(project);
        let enter = async {
            // First its own: those of others do not wait behind it.
            let of_project = own.acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(Place { _of_project: of_project, _of_all: of_all })
        };
        tokio::time::timeout(self.wait, enter).await.ok().flatten().ok_or(ObjectError::Busy)
    }

    fn of(&self, project: &str) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        // As many are left as there are writes, and those that wait.
        projects.retain(|_, own| Arc::strong_count(own) > 1);
        let own = projects.entry(project.to_owned());
        Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(self.of_project))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_project_has_all_places_and_nobody_waits_for_long() {
        let wait = Duration::from_secs(10);
        let places = Places::new(5, 2, wait);
        let mut held = vec![places.enter("p").await.unwrap(), places.enter("p").await.unwrap()];
        let begun = tokio::time::Instant::now();
        assert!(matches!(places.enter("p").await, Err(ObjectError::Busy)));
        assert_eq!(begun.elapsed(), wait);
        held.push(places.enter("q").await.unwrap());
        // Whoever waits has the place of the one that goes.
        let (entered, ()) = futures::join!(places.enter("p"), async {
            tokio::time::sleep(wait / 2).await;
            held.remove(0);
        });
        held.push(entered.unwrap());
        held.push(places.enter("q").await.unwrap());
        held.push(places.enter("r").await.unwrap());
        assert!(matches!(places.enter("s").await, Err(ObjectError::Busy)));
        held.clear();
        drop(places.enter("s").await.unwrap());
        // Of projects that have gone nothing is kept.
        drop(places.enter("t").await.unwrap());
        assert_eq!(places.projects.lock().unwrap().len(), 1);
    }
}
