//! The limits of whole runs that there are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use uuid::Uuid;

use crate::domain::{
    gate::{Gate, Place},
    run::Run,
    run_limit::RunLimit,
};
use weft_proto::weft::execution::v1::ExecutionWait;
use weft_store::{NewExecution, Timestamp};

/// The limits of all projects.
#[derive(Default)]
pub(crate) struct Limits {
    of_project: HashMap<String, BTreeMap<String, Arc<RunLimit>>>,
    by_uid: HashMap<Uuid, Arc<RunLimit>>,
}

impl Limits {
    pub(super) fn insert(&mut self, limit: Arc<RunLimit>) {
        let row = &limit.row;
        self.by_uid.insert(row.uid, Arc::clone(&limit));
        self.of_project.entry(row.project.clone()).or_default().insert(row.id.clone(), limit);
    }

    pub(super) fn remove(&mut self, limit: &RunLimit) {
        self.by_uid.remove(&limit.row.uid);
        if let Some(limits) = self.of_project.get_mut(&limit.row.project) {
            limits.remove(&limit.row.id);
            if limits.is_empty() {
                self.of_project.remove(&limit.row.project);
            }
        }
    }

    /// The limit of that name.
    pub(crate) fn get(&self, project: &str, id: &str) -> Option<&Arc<RunLimit>> {
        self.of_project.get(project)?.get(id)
    }

    /// Those of a project, by name.
    pub(crate) fn of_project(&self, project: &str) -> impl Iterator<Item = &Arc<RunLimit>> {
        self.of_project.get(project).into_iter().flat_map(BTreeMap::values)
    }

    /// The name of a limit.
    pub(super) fn name(&self, uid: Uuid) -> String {
        self.by_uid.get(&uid).map(|limit| limit.name()).unwrap_or_default()
    }

    /// The project of a limit.
    pub(super) fn project(&self, uid: Uuid) -> Option<&str> {
        self.by_uid.get(&uid).map(|limit| limit.row.project.as_str())
    }

    /// What a run counts against.
    pub(super) fn places(&self, execution: &NewExecution, run: &Run) -> Vec<Place> {
        let covers = self.of_project(&execution.project).filter(|limit| limit.covers(&execution.graph));
        covers.map(|limit| Arc::new((limit.row.uid, limit.key_of(run.input(), run.about())))).collect()
    }

    /// Why a run waits, as clients see it.
    pub(crate) fn wait(&self, gate: &Gate, run: i64, now: i64) -> Option<ExecutionWait> {
        let why = gate.why(run, now)?;
        Some(ExecutionWait {
            run_limit: self.name(why.place.0),
            key: why.place.1.clone(),
            position: i32::try_from(why.position).unwrap_or(i32::MAX),
            start_time: why.at.map(|at| Timestamp::from_micros(at).into()),
        })
    }
}
