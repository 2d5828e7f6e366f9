//! The simulation of one layout with what belongs to it: pins, hands, numbers of its states.
//! No async, no clock: it does what it is told, in order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use weft_kernels::{
    Constraint, Device, DeviceError, Dim, Params, Phase, Point, Processor, Simulation, TickReport,
};
use weft_proto::weft::graph::v1::GraphKind;

use super::{
    command::{Answer, Command, Hand, Refusal},
    ranking::Ranking,
    snapshot::{NotFinite, Snapshot},
};
use crate::{
    domain::{graph_copy::Topology, pins::Pins, saved::Saved},
    frames::{Columns, Grid, RECORD_KNOWLEDGE},
};

/// What a layout is set up with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) dim: Dim,
    pub(crate) seed: u64,
    pub(crate) params: Params,
    pub(crate) constraints: Vec<Constraint>,
    /// Counts changes of the parameters and the constraints.
    pub(crate) version: i64,
    pub(crate) pins: Pins,
    pub(crate) max_pins: usize,
    pub(crate) device: Device,
    /// Where the nodes were when it ran last.
    pub(crate) saved: Option<Saved>,
}

/// A layout that can be stepped.
#[derive(Debug)]
pub(crate) struct Engine {
    simulation: Simulation,
    seed: u64,
    params: Params,
    /// Counts changes of the parameters and the constraints.
    version: i64,
    /// Where pinned nodes are; shared with whoever writes them down, and replaced on change.
    pins: Arc<Pins>,
    max_pins: usize,
    /// Which hands hold which nodes.
    held: HashMap<Hand, BTreeSet<u32>>,
    /// The ordinals, shared with all snapshots of the same membership.
    ids: Arc<[u32]>,
    kind: u16,
    revision: i64,
    membership: u32,
    sequence: u64,
    /// What frames of differences are in steps of; another one when the layout has outgrown it.
    grid: Grid,
    /// Which nodes come first for viewers who want only some.
    ranking: Arc<Ranking>,
    /// Steps made since the layout was created.
    ticks: u64,
    /// It had settled before it was restored, and nothing has happened since.
    resting: bool,
    /// A device has made a step of it.
    was_on_device: bool,
    /// Of the last step.
    phase: Phase,
}

impl Engine {
    /// Sets a layout up on a graph.
    ///
    /// # Errors
    /// What the kernels refuse; never because of where the nodes were saved: a place that is no
    /// good any more is only a worse start.
    pub(crate) fn new(setup: Setup, topology: &Topology) -> Result<Self, weft_kernels::Error> {
        let mut engine = Self {
            simulation: Simulation::new(setup.dim, setup.params, setup.seed)?,
            seed: setup.seed,
            params: setup.params,
            version: setup.version,
            pins: Arc::new(setup.pins),
            max_pins: setup.max_pins,
            held: HashMap::new(),
            ids: Arc::default(),
            kind: 0,
            revision: 0,
            membership: 0,
            sequence: 0,
            grid: Grid::default(),
            ranking: Arc::default(),
            ticks: 0,
            resting: false,
            was_on_device: false,
            phase: Phase::default(),
        };
        engine.simulation.set_device(setup.device);
        engine.follow(topology)?;
        engine.constrain(setup.constraints)?;
        let Some(saved) = setup.saved else {
            engine.put_pins();
            return Ok(engine);
        };
        let Saved { settled, parameters_version, frame } = saved;
        let [x, y, z] = &frame.positions;
        let place = |at: usize| [x[at], y[at], z.get(at).copied().unwrap_or(0.0)];
        let ids = frame.ids.unwrap_or_default();
        let places: Vec<(u32, Point)> = ids.iter().enumerate().map(|(at, id)| (*id, place(at))).collect();
        match engine.simulation.restore(&places) {
            Ok(restored) => {
                engine.ticks = frame.header.tick;
                engine.resting = settled
                    && restored == engine.ids.len()
                    && restored == ids.len()
                    && parameters_version == setup.version
                    && frame.header.revision == engine.revision;
            }
            Err(error) => tracing::warn!(%error, "saved positions are passed over"),
        }
        let resting = engine.resting;
        engine.put_pins();
        engine.resting = resting;
        Ok(engine)
    }

    /// Takes a change of the graph in.
    pub(crate) fn follow(&mut self, topology: &Topology) -> Result<(), weft_kernels::Error> {
        self.revision = topology.revision;
        self.kind = if topology.kind == GraphKind::Workflow { 0 } else { RECORD_KNOWLEDGE };
        let Some(edges) = &topology.edges else { return Ok(()) };
        let nodes: &[u32] = topology.nodes.as_deref().unwrap_or(&self.ids);
        self.simulation.sync(nodes, edges)?;
        self.ranking = Arc::new(Ranking::new(self.simulation.degrees().collect()));
        self.resting = false;
        if self.membership == 0 || *nodes != *self.ids {
            self.ids = nodes.into();
            self.membership = self.membership.wrapping_add(1).max(1);
            let ids = &self.ids;
            let gone = |node: &u32| ids.binary_search(node).is_err();
            if self.pins.0.keys().any(gone) {
                Arc::make_mut(&mut self.pins).0.retain(|node, _| ids.binary_search(node).is_ok());
            }
            for held in self.held.values_mut() {
                held.retain(|node| ids.binary_search(node).is_ok());
            }
        }
        Ok(())
    }

    /// Puts other parameters in force. The same ones do not wake a layout.
    pub(crate) fn set_params(&mut self, params: Params, version: i64) -> Result<(), weft_kernels::Error> {
        self.version = version;
        if params != self.params {
            self.simulation.set_params(params)?;
            self.params = params;
            self.resting = false;
        }
        Ok(())
    }

    /// Puts other constraints in force. The same ones do not wake a layout.
    pub(crate) fn constrain(&mut self, constraints: Vec<Constraint>) -> Result<(), weft_kernels::Error> {
        if constraints != self.simulation.constraints() {
            self.simulation.set_constraints(constraints)?;
            self.resting = false;
        }
        Ok(())
    }

    /// Does what it is told. An answer is given back rather than sent, so that it can be sent when
    /// what it is about can be seen. `whole` gives the graph, for whoever begins anew.
    pub(crate) fn obey(&mut self, command: Command, whole: &dyn Fn() -> Topology) -> Option<Replied> {
        match command {
            Command::Start => {
                if !self.moves() {
                    self.heat();
                }
            }
            Command::Reheat { reset: false } => self.heat(),
            Command::Reheat { reset: true } => self.place_anew(&whole()),
            Command::Pin { nodes, answer } => {
                return Some(Replied { reply: self.pin(&nodes), answer });
            }
            Command::Unpin { nodes, answer } => {
                return Some(Replied { reply: self.unpin(nodes.as_deref()), answer });
            }
            Command::Drag { hand, node, position } => self.drag(hand, node, position),
            Command::Release { hand, node } => {
                let held = self.held.get_mut(&hand).is_some_and(|held| held.remove(&node));
                if held {
                    self.let_go(node);
                }
            }
            Command::Leave { hand } => {
                for node in self.held.remove(&hand).unwrap_or_default() {
                    self.let_go(node);
                }
            }
        }
        None
    }

    fn heat(&mut self) {
        self.resting = false;
        self.simulation.reheat();
    }

    fn place_anew(&mut self, topology: &Topology) {
        let held: BTreeSet<u32> = self.held.values().flatten().copied().collect();
        let places: Vec<_> = held.iter().filter_map(|node| Some((*node, self.place(*node)?))).collect();
        let anew = Simulation::new(self.simulation.dim(), self.params, self.seed);
        let former =
            std::mem::replace(&mut self.simulation, anew.expect("these parameters are in force already"));
        self.simulation.set_device(former.device());
        let constraints = former.constraints().to_vec();
        if let Err(error) = self.follow(topology).and_then(|()| self.constrain(constraints)) {
            tracing::warn!(%error, "a layout could not be placed anew");
            self.simulation = former;
            return;
        }
        self.put_pins();
        for (node, place) in places {
            // Fails only for a node that has gone, which nobody holds then.
            let _ = self.simulation.drag(node, place);
        }
        self.heat();
    }

    fn pin(&mut self, nodes: &[(u32, Option<Point>)]) -> Answer {
        let mut pins = self.pins.0.clone();
        for (node, position) in nodes {
            let place = self.place(*node).ok_or(Refusal::UnknownNode(*node))?;
            pins.insert(*node, position.map_or(place, |position| self.flat(position)));
        }
        if pins.len() > self.max_pins {
            return Err(Refusal::TooManyPins);
        }
        for (node, _) in nodes {
            self.simulation.pin(*node, pins.get(node).copied()).map_err(|_| Refusal::UnknownNode(*node))?;
        }
        Ok(self.replace_pins(pins))
    }

    fn unpin(&mut self, nodes: Option<&[u32]>) -> Answer {
        let mut pins = self.pins.0.clone();
        let nodes = nodes.map_or_else(|| pins.keys().copied().collect(), <[u32]>::to_vec);
        if let Some(unknown) = nodes.iter().find(|node| self.place(**node).is_none()) {
            return Err(Refusal::UnknownNode(*unknown));
        }
        for node in nodes {
            if pins.remove(&node).is_some() {
                self.simulation.unpin(node).map_err(|_| Refusal::UnknownNode(node))?;
            }
        }
        Ok(self.replace_pins(pins))
    }

    fn replace_pins(&mut self, pins: BTreeMap<u32, Point>) -> usize {
        let count = pins.len();
        if pins != self.pins.0 {
            self.pins = Arc::new(Pins(pins));
        }
        self.resting = false;
        count
    }

    fn drag(&mut self, hand: Hand, node: u32, position: Option<Point>) {
        let Some(place) = self.place(node) else { return };
        if self.simulation.drag(node, position.unwrap_or(place)).is_ok() {
            self.held.entry(hand).or_default().insert(node);
            self.resting = false;
        }
    }

    /// Lets a node go unless another hand holds it too. A pinned one stays where it was dropped.
    fn let_go(&mut self, node: u32) {
        if self.held.values().any(|held| held.contains(&node)) || self.simulation.release(node).is_err() {
            return;
        }
        self.resting = false;
        if self.pins.0.contains_key(&node)
            && let Some(place) = self.place(node)
        {
            Arc::make_mut(&mut self.pins).0.insert(node, place);
        }
    }

    fn put_pins(&mut self) {
        for (node, place) in &self.pins.0 {
            if let Err(error) = self.simulation.pin(*node, Some(*place)) {
                tracing::warn!(%error, "a pin is passed over");
            }
        }
    }

    fn place(&self, node: u32) -> Option<Point> {
        self.ids.binary_search(&node).ok().map(|slot| self.simulation.positions()[slot])
    }

    fn flat(&self, [x, y, z]: Point) -> Point {
        if self.simulation.dim() == Dim::Two { [x, y, 0.0] } else { [x, y, z] }
    }

    /// Whether a hand holds a node.
    pub(crate) fn is_held(&self) -> bool {
        self.held.values().any(|held| !held.is_empty())
    }

    /// Whether a step would move anything.
    pub(crate) fn moves(&self) -> bool {
        !self.resting && !self.simulation.is_settled()
    }

    /// Makes a step.
    pub(crate) fn tick(&mut self) -> TickReport {
        let moves = self.moves();
        let report = self.simulation.tick();
        self.was_on_device |= report.processor != Processor::Cpu;
        self.phase = report.phase;
        self.ticks += u64::from(moves);
        report
    }

    /// Whether what it shows is only a sketch. None is kept: it comes to the same when it is begun again, and the half of one
    /// would not be seen to be half.
    pub(crate) fn is_sketching(&self) -> bool {
        self.phase == Phase::Sketching
    }

    /// Why the device that steps should run on is not in use. Where one is only taken if there is one, its absence is no
    /// problem, but its loss is.
    pub(crate) fn device_error(&self) -> Option<&DeviceError> {
        let is_missed = self.was_on_device || !matches!(self.simulation.device(), Device::Cpu | Device::Auto);
        self.simulation.device_error().filter(|_| is_missed)
    }

    /// Which parameters and constraints are in force.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Revision of the graph that is laid out.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// Where the pinned nodes are.
    pub(crate) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Steps made since the layout was created.
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The state as it is now, with the next number.
    pub(crate) fn snapshot(&mut self) -> Result<Arc<Snapshot>, NotFinite> {
        self.sequence += 1;
        let bounds = self.simulation.bounds();
        if !self.grid.suits((bounds.min, bounds.max)) {
            self.grid = Grid::of((bounds.min, bounds.max));
        }
        let three_dimensions = self.simulation.dim() == Dim::Three;
        let columns = |points: &[Point]| -> [Vec<f32>; 3] {
            let column = |axis: usize| points.iter().map(|point| point[axis]).collect();
            [column(0), column(1), if three_dimensions { column(2) } else { Vec::new() }]
        };
        let mut state = Columns {
            ids: Arc::clone(&self.ids),
            positions: columns(self.simulation.positions()),
            velocities: Default::default(),
            three_dimensions,
            kind: self.kind,
            membership: self.membership,
            sequence: self.sequence,
            tick: self.ticks(),
            revision: self.revision,
            bounds: (bounds.min, bounds.max),
        };
        if state.fits_records() {
            state.velocities = columns(self.simulation.velocities());
        }
        let snapshot = Snapshot::new(state, self.grid)?;
        Ok(Arc::new(snapshot.ranked(Arc::clone(&self.ranking))))
    }
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Replied {
    reply: Answer,
    answer: tokio::sync::oneshot::Sender<Answer>,
}

impl Replied {
    /// Sends it. Whoever asked may have gone.
    pub(crate) fn send(self) {
        let _ = self.answer.send(self.reply);
    }
}

#[cfg(test)]
mod tests;
