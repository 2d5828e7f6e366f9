//! One tick on a device, from positions to positions.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::launches::{self, KERNELS};
use super::machine::Machine;
use super::memory::{Memory, Sizes, Tables, put};
use super::shape::{self, Choice, Shape};
use super::words::{self, REPORT_BYTES, Report};
use crate::cpu::CHUNK;
use crate::cpu::integrate::Movement;
use crate::cpu::mesh;
use crate::cpu::solver::{Outcome, SOFTENING};
use crate::scene::{Change, Scene};
use crate::{DeviceError, Point};

/// A layout's copy on a device. One tick leaves to the next what the device knows already: only what has
/// changed goes there, and only positions come back.
#[derive(Debug)]
pub(crate) struct Cuda {
    machine: Machine,
    memory: Memory,
    sizes: Sizes,
    /// By number of axes and index of the mesh; made on first use.
    tables: BTreeMap<(u32, usize), Tables>,
    /// Index of the mesh that the last tick would take for the next.
    wish: usize,
}

/// Tables are kept of meshes so many steps finer and coarser than the last.
const KEPT: usize = 2;

/// Which part of a tick, for which mesh: what a recorded graph is known by.
fn key(part: u64, index: usize) -> u64 {
    part << 32 | index as u64
}

impl Cuda {
    /// Opens device `ordinal`.
    ///
    /// # Errors
    /// Any [`DeviceError`]; nothing is left behind then.
    pub(crate) fn open(ordinal: u32) -> Result<Self, DeviceError> {
        Ok(Self {
            machine: Machine::open(ordinal, &KERNELS)?,
            memory: Memory::default(),
            sizes: Sizes::default(),
            tables: BTreeMap::new(),
            wish: 0,
        })
    }

    /// Moves the nodes one step, or returns `None`, does nothing and [rests](Self::rest) where they lie so
    /// unevenly that the processor's tree is better. `scene.change` is what has happened since the last tick here. All
    /// columns are over the slots of `scene`, which has at least [`FEWEST`](shape::FEWEST) nodes.
    ///
    /// # Errors
    /// [`DeviceError::Failed`]: the columns are as they were, and this must not be used again.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Result<Option<Outcome>, DeviceError> {
        let change = if self.sizes.nodes as usize == positions.len() { scene.change } else { Change::Graph };
        self.begin(scene, change, positions)?;
        let Some(index) = self.choose(scene)? else {
            self.rest()?;
            return Ok(None);
        };
        self.follow(scene, change, velocities)?;

        let shape = Shape::new(scene.dim, index);
        self.memory.take_mesh(&mut self.machine, &shape)?;
        self.take_tables(&shape, index)?;
        let (memory, tables) = (&self.memory, &self.tables[&(shape.axes, index)]);
        self.machine.play(key(2, index), || launches::advance(memory, self.sizes, &shape, tables))?;

        let bytes = size_of_val(positions);
        let found =
            self.machine.read(&[(&self.memory.report, REPORT_BYTES), (&self.memory.positions, bytes)])?;
        let report = Report::from_bytes(&found[..REPORT_BYTES]);
        let moved: &[Point] = bytemuck::cast_slice(&found[REPORT_BYTES..]);
        if !moved.par_chunks(CHUNK).all(|moved| moved.as_flattened().iter().all(|c| c.is_finite())) {
            // Nothing of this tick is used: the processor makes it.
            let reason = "it gave a position that is not finite".into();
            return Err(DeviceError::Failed { call: "a tick", reason });
        }
        if report.parted == 0 {
            take_over(moved, positions, velocities);
        } else {
            // How far nodes were moved apart is in their positions and must not become momentum.
            let wanted = [(&self.memory.positions, bytes), (&self.memory.velocities, bytes)];
            let (moved, ways) = self.machine.read(&wanted)?.split_at(bytes);
            positions.copy_from_slice(bytemuck::cast_slice(moved));
            velocities.copy_from_slice(bytemuck::cast_slice(ways));
        }
        let movement =
            Movement { sum: report.moved, max: report.longest, moment: 0.0, free: report.free as usize };
        Ok(Some(Outcome { movement, extent: report.extent }))
    }

    /// Takes in what has changed since the last tick, as far as counting needs it.
    fn begin(&mut self, scene: &Scene<'_>, change: Change, positions: &[Point]) -> Result<(), DeviceError> {
        if change == Change::Graph {
            // The sizes of launches follow from the graph.
            self.machine.forget();
            self.sizes.nodes = positions.len() as u32;
        }
        if change >= Change::Nodes {
            put(&mut self.machine, &mut self.memory.positions, bytemuck::cast_slice(positions))?;
        }
        let softening = SOFTENING * scene.params.rest_length();
        let knobs = words::knobs(scene, softening, mesh::LEAST_REACH * softening);
        put(&mut self.machine, &mut self.memory.knobs, &knobs)
    }

    /// Takes in the rest.
    fn follow(&mut self, scene: &Scene<'_>, change: Change, velocities: &[Point]) -> Result<(), DeviceError> {
        let (machine, memory) = (&mut self.machine, &mut self.memory);
        if change == Change::Graph {
            self.sizes = memory.take_graph(machine, scene)?;
        }
        if change >= Change::Nodes {
            let fixed: Vec<u8> = scene.fixed.iter().map(|fixed| u8::from(*fixed)).collect();
            put(machine, &mut memory.fixed, &fixed)?;
            put(machine, &mut memory.velocities, bytemuck::cast_slice(velocities))?;
        }
        if change >= Change::Nodes || scene.warm {
            put(machine, &mut memory.warmth, bytemuck::cast_slice(scene.warmth))?;
        }
        Ok(())
    }

    /// Makes the tables of a mesh, if they are not there, and gives back those of meshes far from it.
    fn take_tables(&mut self, shape: &Shape, index: usize) -> Result<(), DeviceError> {
        let kind = (shape.axes, index);
        if self.tables.contains_key(&kind) {
            return Ok(());
        }
        let far = |other: &(u32, usize)| other.0 != shape.axes || other.1.abs_diff(index) > KEPT;
        let gone: Vec<_> = self.tables.keys().copied().filter(far).collect();
        for other in gone {
            if let Some(tables) = self.tables.remove(&other) {
                tables.free(&mut self.machine)?;
            }
        }
        self.tables.insert(kind, Tables::new(&mut self.machine, shape)?);
        Ok(())
    }

    /// Sorts the nodes into near cells that are fine enough; the index of their mesh.
    fn choose(&mut self, scene: &Scene<'_>) -> Result<Option<usize>, DeviceError> {
        let nodes = scene.ids.len();
        let mut index = shape::begin(scene.dim, nodes, self.wish);
        loop {
            let shape = Shape::new(scene.dim, index);
            self.memory.take_cells(&mut self.machine, nodes, &shape)?;
            self.machine.play(key(1, index), || launches::count(&self.memory, self.sizes, &shape))?;
            let report = Report::from_bytes(self.machine.read(&[(&self.memory.report, REPORT_BYTES)])?);
            match shape::choose(scene.dim, nodes, index, report.squares, report.finest) {
                Choice::Finer(finer) => index = finer,
                Choice::Take(wish) => {
                    self.wish = wish;
                    return Ok(Some(index));
                }
                Choice::Decline => {
                    self.wish = index;
                    return Ok(None);
                }
            }
        }
    }

    /// Gives back all memory of the device, because the next ticks are not its. What it knew of the layout is
    /// gone and goes there again with the next tick here.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) fn rest(&mut self) -> Result<(), DeviceError> {
        if self.sizes.nodes == 0 {
            return Ok(());
        }
        (self.memory, self.sizes) = (Memory::default(), Sizes::default());
        self.tables.clear();
        self.machine.free_all()
    }

    /// Bytes of the host that are pinned.
    pub(crate) fn memory(&self) -> usize {
        self.machine.memory()
    }
}

/// The device's positions become ours; how far each node came is its velocity, which so need not be copied.
fn take_over(moved: &[Point], positions: &mut [Point], velocities: &mut [Point]) {
    let columns =
        (moved.par_chunks(CHUNK), positions.par_chunks_mut(CHUNK), velocities.par_chunks_mut(CHUNK));
    columns.into_par_iter().for_each(|(moved, positions, velocities)| {
        for ((moved, position), velocity) in moved.iter().zip(positions).zip(velocities) {
            for axis in 0..3 {
                velocity[axis] = moved[axis] - position[axis];
            }
            *position = *moved;
        }
    });
}

/// What a tick has left on the device, for tests.
#[cfg(all(test, target_os = "linux"))]
#[derive(Debug)]
pub(super) struct Found {
    pub(super) shape: Shape,
    pub(super) report: Report,
    pub(super) cell_of: Vec<u32>,
    pub(super) starts: Vec<u32>,
    pub(super) order: Vec<u32>,
    pub(super) cell_at: Vec<u32>,
    pub(super) places: Vec<[f32; 4]>,
    pub(super) mesh: Vec<f32>,
    pub(super) fields: Vec<[f32; 4]>,
    pub(super) same: Vec<u8>,
}

#[cfg(all(test, target_os = "linux"))]
impl Cuda {
    /// Reads what the last tick has left.
    pub(super) fn inspect(&mut self, scene: &Scene<'_>) -> Found {
        // What the next tick would take is at most one step coarser, and then is not what this one took.
        let (_, taken) = *self.tables.keys().next_back().expect("a tick has been done");
        let shape = Shape::new(scene.dim, taken);
        let (nodes, m) = (self.sizes.nodes as usize, &self.memory);
        let machine = &mut self.machine;
        Found {
            shape,
            report: Report::from_bytes(machine.read(&[(&m.report, REPORT_BYTES)]).unwrap()),
            cell_of: column(machine, &m.cell_of, nodes),
            starts: column(machine, &m.starts, shape.cells() as usize + 1),
            order: column(machine, &m.order, nodes),
            cell_at: column(machine, &m.cell_at, nodes),
            places: column(machine, &m.places, nodes),
            mesh: column(machine, &m.mesh, shape.points() as usize),
            fields: column(machine, &m.fields, nodes),
            same: column(machine, &m.same, nodes),
        }
    }
}

/// The first `length` numbers of a buffer.
#[cfg(all(test, target_os = "linux"))]
fn column<T: bytemuck::AnyBitPattern>(
    machine: &mut Machine,
    buffer: &super::machine::Buffer,
    length: usize,
) -> Vec<T> {
    bytemuck::cast_slice(machine.read(&[(buffer, length * size_of::<T>())]).unwrap()).to_vec()
}
