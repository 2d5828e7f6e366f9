//! All projects in memory.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{policy::Policies, project::Project};

/// One project; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// Its id.
    pub(crate) id: Arc<str>,
    project: Arc<RwLock<Project>>,
}

impl Shared {
    fn new(id: &str, policies: &Arc<Policies>) -> Self {
        let id: Arc<str> = id.into();
        let project = Project::new(Arc::clone(&id), Arc::clone(policies));
        Self { id, project: Arc::new(RwLock::new(project)) }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Project> {
        self.project.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Project> {
        self.project.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Projects by id.
#[derive(Debug)]
pub(crate) struct Projects(RwLock<HashMap<Arc<str>, Shared>>, Arc<Policies>);

impl Projects {
    pub(crate) fn new(policies: Arc<Policies>) -> Self {
        Self(RwLock::default(), policies)
    }

    /// A project, if it has samples.
    pub(crate) fn find(&self, id: &str) -> Option<Shared> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).cloned()
    }

    /// A project; made if it is not there.
    pub(crate) fn get(&self, id: &str) -> Shared {
        if let Some(project) = self.find(id) {
            return project;
        }
        let mut projects = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let project = Shared::new(id, &self.1);
        projects.entry(Arc::clone(&project.id)).or_insert(project).clone()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Shared> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).values().cloned().collect()
    }

    /// Forgets all: another process has the log now.
    pub(crate) fn clear(&self) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}
