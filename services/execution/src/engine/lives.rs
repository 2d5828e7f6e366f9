//! The executions that are in memory, and how many of them each project has.

use std::collections::HashMap;

use super::live::Live;

#[derive(Default)]
pub(super) struct Lives {
    all: HashMap<i64, Live>,
    of_project: HashMap<String, usize>,
}

impl Lives {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many are a project's.
    pub(super) fn of_project(&self, project: &str) -> usize {
        self.of_project.get(project).copied().unwrap_or_default()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &i64> {
        self.all.keys()
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        self.all.contains_key(&id)
    }

    pub(super) fn get(&self, id: i64) -> Option<&Live> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: i64) -> Option<&mut Live> {
        self.all.get_mut(&id)
    }

    pub(super) fn insert(&mut self, live: Live) {
        let project = live.row.execution.project.clone();
        if self.all.insert(live.row.execution.id, live).is_none() {
            *self.of_project.entry(project).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, id: i64) {
        let Some(live) = self.all.remove(&id) else { return };
        let project = &live.row.execution.project;
        if let Some(count) = self.of_project.get_mut(project) {
            *count -= 1;
            if *count == 0 {
                self.of_project.remove(project);
            }
        }
    }
}
