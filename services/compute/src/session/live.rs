//! What a layout is doing, and how a client sees it.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use weft_kernels::{DeviceError, Dim, Processor};
use weft_proto::weft::compute::v1::{Dimensions, Layout, LayoutParameters, LayoutState};
use weft_store::{DesiredState, LayoutRow};

use crate::{
    Error,
    domain::{
        name::{GraphName, LayoutName},
        parameters, processor,
    },
};

/// What a layout is, and what it is doing at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// What it is.
    pub(crate) row: Arc<LayoutRow>,
    pub(crate) state: LayoutState,
    /// Why it failed.
    pub(crate) failure: String,
    pub(crate) tick: u64,
    pub(crate) revision: i64,
    pub(crate) nodes: usize,
    pub(crate) edges: usize,
    /// Mean of the last steps, in milliseconds.
    pub(crate) tick_ms: f64,
    pub(crate) mean_displacement: f64,
    /// What the last step ran on.
    pub(crate) processor: Option<Processor>,
    /// Why it did not run on the device that it should.
    pub(crate) device_problem: Option<Arc<str>>,
    /// How many nodes each constraint concerns, by the constraint's uid.
    pub(crate) held: Arc<HashMap<String, i64>>,
}

impl Live {
    /// A layout that is not in memory, or not yet.
    pub(crate) fn unloaded(row: Arc<LayoutRow>) -> Self {
        let state = match row.desired_state {
            DesiredState::Running => LayoutState::Loading,
            DesiredState::Stopped => LayoutState::Stopped,
        };
        Self {
            row,
            state,
            failure: String::new(),
            tick: 0,
            revision: 0,
            nodes: 0,
            edges: 0,
            tick_ms: 0.0,
            mean_displacement: 0.0,
            processor: None,
            device_problem: None,
            held: Arc::default(),
        }
    }

    /// What the last step ran on, and why not on the device that it should. A device that is lost or back is told to whoever
    /// reads the log.
    pub(crate) fn ran_on(&mut self, processor: Processor, problem: Option<&DeviceError>) {
        self.processor = Some(processor);
        match (problem, &self.device_problem) {
            (None, None) => {}
            // Nothing is wrong any more, but it is not known to be right before it has made a step.
            (None, Some(_)) if processor == Processor::Cpu => {}
            (None, Some(_)) => {
                tracing::info!(layout = %name(&self.row), "the device is in use again");
                self.device_problem = None;
            }
            (Some(problem), before) => {
                let problem = problem.to_string();
                if before.as_deref() != Some(problem.as_str()) {
                    tracing::warn!(layout = %name(&self.row), problem, "the CPU makes the steps of a layout");
                    self.device_problem = Some(problem.into());
                }
            }
        }
    }

    /// As a client sees it.
    ///
    /// # Errors
    /// The stored parameters cannot be read.
    pub(crate) fn layout(&self, viewers: usize) -> Result<Layout, Error> {
        let row = &self.row;
        let stored = stored_parameters(row)?;
        Ok(Layout {
            name: name(row).to_string(),
            uid: row.uid.to_string(),
            dimensions: row.dimensions,
            parameters: Some(parameters::shown(&stored)),
            seed: row.seed,
            state: self.state.into(),
            failure_message: self.failure.clone(),
            tick: self.tick,
            graph_revision: self.revision,
            node_count: self.nodes as i64,
            edge_count: self.edges as i64,
            viewer_count: i32::try_from(viewers).unwrap_or(i32::MAX),
            tick_duration_ms: self.tick_ms,
            mean_displacement: self.mean_displacement,
            create_time: Some(row.created.into()),
            update_time: Some(row.updated.into()),
            etag: etag(row),
            processor: self.processor.map(processor::name).unwrap_or_default(),
            device_problem: self.device_problem.as_deref().unwrap_or_default().to_owned(),
        })
    }

    /// Whether a viewer should be told at once of the difference: more than progress.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.state != other.state
            || self.failure != other.failure
            || self.row.version != other.row.version
            || self.nodes != other.nodes
            || self.edges != other.edges
            || self.processor != other.processor
            || self.device_problem != other.device_problem
    }

    /// Whether a viewer should be told of the difference when there is time.
    pub(crate) fn progressed(&self, other: &Self) -> bool {
        self.tick != other.tick || self.revision != other.revision
    }
}

/// Name of a stored layout.
pub(crate) fn name(row: &LayoutRow) -> LayoutName {
    let graph = GraphName { project: row.project.clone(), graph: row.graph.clone() };
    LayoutName { graph, layout: row.id.clone() }
}

/// The tag that changes with the parameters. With a piece of the identity, so that a layout of the
/// same name that is created later has another one.
pub(crate) fn etag(row: &LayoutRow) -> String {
    format!("{}-{:08x}", row.version, row.uid.as_fields().0)
}

/// Checks the etag that a client sent along; an empty one is any.
pub(crate) fn check_etag(row: &LayoutRow, given: &str) -> Result<Option<i64>, Error> {
    let current = etag(row);
    match given {
        "" => Ok(None),
        given if given == current => Ok(Some(row.version)),
        _ => Err(Error::EtagMismatch { current }),
    }
}

pub(crate) fn stored_parameters(row: &LayoutRow) -> Result<LayoutParameters, Error> {
    let unreadable = |_| Error::Unreadable { layout: name(row).to_string(), what: "parameters" };
    LayoutParameters::decode(row.parameters.clone()).map_err(unreadable)
}

pub(crate) fn dim(row: &LayoutRow) -> Dim {
    if row.dimensions == i32::from(Dimensions::Three) { Dim::Three } else { Dim::Two }
}

/// Counts changes of what decides where nodes rest: parameters and constraints.
pub(crate) fn rules_version(row: &LayoutRow) -> i64 {
    row.version + row.constraints_version
}
