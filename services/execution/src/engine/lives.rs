//! The executions that are in memory, and how many of them each project has.

use std::{collections::HashMap, sync::Arc};

use super::{live::Live, room::Room};

pub(super) struct Lives {
    room: Arc<Room>,
    all: HashMap<i64, Live>,
    of_project: HashMap<String, usize>,
}

impl Lives {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, all: HashMap::new(), of_project: HashMap::new() }
    }

    /// Whether one more may be at work.
    pub(super) fn has_room(&self) -> bool {
        self.room.has_room()
    }

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
            self.room.enter();
            *self.of_project.entry(project).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, id: i64) {
        let Some(live) = self.all.remove(&id) else { return };
        self.room.leave(1);
        let project = &live.row.execution.project;
        if let Some(count) = self.of_project.get_mut(project) {
            *count -= 1;
            if *count == 0 {
                self.of_project.remove(project);
            }
        }
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.room.leave(self.all.len());
    }
}
