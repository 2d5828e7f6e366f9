//! One step of a layout, on a thread that may take its time: what has changed is taken in, commands
//! are obeyed, nodes move, and the result is put into a snapshot.

use std::{collections::HashMap, sync::Arc, time::Duration};

use weft_kernels::{Device, Dim, Params, TickReport};
use weft_proto::weft::compute::v1::LayoutState;
use weft_store::LayoutRow;

use super::{
    command::Command,
    engine::{Engine, Replied, Setup},
    follow::Followed,
    live,
    snapshot::Snapshot,
};
use crate::domain::{
    constraints::Constraints,
    graph_copy::{GraphCopy, Topology},
    members::{self, Resolved},
    parameters,
    pins::Pins,
    saved::Saved,
};

/// What a layout with this engine is doing.
pub(super) fn state(engine: &Engine, stopped: bool) -> LayoutState {
    match (stopped, engine.moves()) {
        (true, _) => LayoutState::Stopped,
        (false, true) => LayoutState::Running,
        (false, false) => LayoutState::Settled,
    }
}

/// What is to be done between and in a step, on a thread that may take its time.
pub(super) struct Work {
    pub(super) engine: Option<Box<Engine>>,
    pub(super) followed: Arc<Followed>,
    pub(super) graph_changed: bool,
    pub(super) commands: Vec<Command>,
    pub(super) stopped: bool,
    pub(super) row: Arc<LayoutRow>,
    pub(super) saved: Option<Saved>,
    pub(super) max_pins: usize,
    pub(super) device: Device,
}

/// What has been done.
pub(super) struct Done {
    /// Absent if nothing has changed.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// What the step did, and how long it took.
    pub(super) report: Option<(TickReport, Duration)>,
    /// Nodes and edges, if the graph has changed.
    pub(super) counts: Option<(usize, usize)>,
    /// How many nodes each constraint concerns, by uid, if it was looked at.
    pub(super) held: Option<HashMap<String, i64>>,
    pub(super) replies: Vec<Replied>,
}

impl Work {
    /// Makes the step. The error says why the layout cannot go on.
    pub(super) fn run(mut self) -> Result<(Box<Engine>, Done), String> {
        let params =
            parameters::kernel(&live::stored_parameters(&self.row).map_err(|error| error.to_string())?);
        let mut done = Done { snapshot: None, report: None, counts: None, held: None, replies: Vec::new() };
        let mut changed = self.graph_changed || !self.commands.is_empty();
        let (topology, resolved) = {
            let mut copy = self.followed.copy();
            let copy = copy.as_mut().ok_or("the graph is not there")?;
            done.counts = Some(copy.counts());
            let topology = if self.engine.is_none() {
                Some(copy.take().unwrap_or_else(|| copy.whole()))
            } else {
                copy.take()
            };
            let resolved = self.constraints(topology.as_ref(), copy)?;
            (topology, resolved)
        };
        let (constraints, held) =
            resolved.map(|Resolved { constraints, counts }| (constraints, counts)).unzip();
        done.held = held;
        let mut engine = match (self.engine.take(), topology) {
            (Some(mut engine), topology) => {
                if let Some(topology) = topology {
                    engine.follow(&topology).map_err(|error| error.to_string())?;
                }
                if let Some(constraints) = constraints {
                    engine.constrain(constraints).map_err(|error| error.to_string())?;
                }
                engine
            }
            (None, topology) => {
                changed = true;
                let topology = topology.ok_or("the graph is not there")?;
                self.begin(params, constraints.unwrap_or_default(), &topology)?
            }
        };
        engine.set_params(params, live::rules_version(&self.row)).map_err(|error| error.to_string())?;
        let whole = || {
            let copy = self.followed.copy();
            copy.as_ref().expect("a copy is replaced, never removed").whole()
        };
        for command in self.commands {
            done.replies.extend(engine.obey(command, &whole));
        }
        if engine.moves() && !self.stopped {
            let began = std::time::Instant::now();
            let report = engine.tick();
            done.report = Some((report, began.elapsed()));
            changed = true;
        }
        if changed {
            done.snapshot = Some(engine.snapshot().map_err(|error| error.to_string())?);
        }
        Ok((engine, done))
    }

    /// Which nodes the constraints concern now, if that may be others than before.
    fn constraints(&self, topology: Option<&Topology>, copy: &GraphCopy) -> Result<Option<Resolved>, String> {
        let others =
            self.engine.as_ref().is_none_or(|engine| engine.version() != live::rules_version(&self.row));
        if !others && !topology.is_some_and(|topology| topology.regrouped) {
            return Ok(None);
        }
        let constraints =
            Constraints::decode(&self.row.constraints).ok_or("the constraints cannot be read")?;
        Ok(Some(members::resolve(&constraints, copy)))
    }

    /// Sets the layout up on its graph.
    fn begin(
        &mut self,
        params: Params,
        constraints: Vec<weft_kernels::Constraint>,
        topology: &Topology,
    ) -> Result<Box<Engine>, String> {
        let dim = live::dim(&self.row);
        let setup = Setup {
            dim,
            seed: self.row.seed,
            params,
            constraints,
            version: live::rules_version(&self.row),
            pins: Pins::decode(&self.row.pins).ok_or("the pins cannot be read")?,
            max_pins: self.max_pins,
            device: self.device,
            saved: self
                .saved
                .take()
                .filter(|saved| (saved.frame.header.dimensions() == 3) == (dim == Dim::Three)),
        };
        Ok(Box::new(Engine::new(setup, topology).map_err(|error| error.to_string())?))
    }
}
