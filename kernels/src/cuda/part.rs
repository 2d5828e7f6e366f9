//! What one device has of a layout. Every device of a layout has all of it: the graph, the positions, the order of the
//! nodes, and the mesh.

use std::collections::BTreeMap;

use super::divide::Share;
use super::launches::{self, KERNELS};
use super::machine::{Machine, Owned, THREADS};
use super::memory::{MOVEMENT_BYTES, Memory, Sizes, Tables, put};
use super::shape::Shape;
use super::words::{REPORT_BYTES, Report};
use crate::scene::{Change, Scene};
use crate::{DeviceError, Point};

/// Tables are kept of meshes so many steps finer and coarser than the last.
const KEPT: usize = 2;

/// One of the graphs of a tick, which it is known by together with the index of the mesh.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Count,
    /// All that follows, where there is one device.
    Advance,
    Masses,
    Forces,
    Commit,
}

fn key(stage: Stage, index: usize) -> u64 {
    (stage as u64) << 32 | index as u64
}

/// One device, and what it has.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) machine: Machine,
    pub(super) memory: Memory,
    /// By number of axes and index of the mesh; made on first use.
    pub(super) tables: BTreeMap<(u32, usize), Tables>,
}

impl Part {
    /// Opens device `ordinal`.
    pub(super) fn open(ordinal: u32) -> Result<Self, DeviceError> {
        let machine = Machine::open(ordinal, &KERNELS)?;
        Ok(Self { machine, memory: Memory::default(), tables: BTreeMap::new() })
    }

    /// Takes in what has changed since the last tick, as far as counting needs it.
    pub(super) fn begin(
        &mut self,
        change: Change,
        positions: &[Point],
        knobs: &[u8],
    ) -> Result<(), DeviceError> {
        if change == Change::Graph {
            // The sizes of launches follow from the graph.
            self.machine.forget();
        }
        if change >= Change::Nodes {
            put(&mut self.machine, &mut self.memory.positions, bytemuck::cast_slice(positions))?;
        }
        put(&mut self.machine, &mut self.memory.knobs, knobs)
    }

    /// Begins to sort the nodes into the near cells of a mesh, and to find out what a share of them costs if somebody
    /// wants to know that.
    pub(super) fn count(
        &mut self,
        sizes: Sizes,
        (shape, index): (&Shape, usize),
        for_several: bool,
    ) -> Result<(), DeviceError> {
        let (machine, memory) = (&mut self.machine, &mut self.memory);
        memory.take_cells(machine, sizes.nodes as usize, shape)?;
        if for_several {
            memory.take_costs(machine, sizes, shape)?;
        }
        machine.play(key(Stage::Count, index), || {
            let mut launches = launches::count(memory, sizes, shape);
            if for_several {
                launches.extend(launches::costs(memory, sizes, shape));
            }
            launches
        })
    }

    /// What counting has found; waits for it.
    pub(super) fn report(&mut self) -> Result<Report, DeviceError> {
        Ok(Report::from_bytes(self.machine.read(&[(&self.memory.report, REPORT_BYTES)])?))
    }

    /// What the blocks of nodes and of mesh points cost; of who was asked to find out.
    pub(super) fn costs(&mut self, sizes: Sizes, shape: &Shape) -> Result<(Vec<u64>, Vec<u64>), DeviceError> {
        let (machine, memory) = (&mut self.machine, &mut self.memory);
        let (nodes, points) = memory.take_costs(machine, sizes, shape)?;
        let found = machine.read(&[(&memory.node_costs, nodes), (&memory.point_costs, points)])?;
        let (nodes, points) = found.split_at(nodes);
        Ok((bytemuck::cast_slice(nodes).to_vec(), bytemuck::cast_slice(points).to_vec()))
    }

    /// Takes in the rest of what has changed. The graph's sizes, if that has.
    pub(super) fn follow(
        &mut self,
        scene: &Scene<'_>,
        change: Change,
        velocities: &[Point],
    ) -> Result<Option<Sizes>, DeviceError> {
        let (machine, memory) = (&mut self.machine, &mut self.memory);
        let sizes = if change == Change::Graph { Some(memory.take_graph(machine, scene)?) } else { None };
        if change >= Change::Nodes {
            let fixed: Vec<u8> = scene.fixed.iter().map(|fixed| u8::from(*fixed)).collect();
            put(machine, &mut memory.fixed, &fixed)?;
            put(machine, &mut memory.velocities, bytemuck::cast_slice(velocities))?;
        }
        if change >= Change::Nodes || scene.warm {
            put(machine, &mut memory.warmth, bytemuck::cast_slice(scene.warmth))?;
        }
        Ok(sizes)
    }

    /// Whether the tables of a mesh are there.
    pub(super) fn has_tables(&self, shape: &Shape, index: usize) -> bool {
        self.tables.contains_key(&(shape.axes, index))
    }

    /// Takes the tables of a mesh over, and gives back those of meshes far from it.
    pub(super) fn take_tables(
        &mut self,
        shape: &Shape,
        index: usize,
        octant: &[f32],
    ) -> Result<(), DeviceError> {
        let far = |other: &(u32, usize)| other.0 != shape.axes || other.1.abs_diff(index) > KEPT;
        let gone: Vec<_> = self.tables.keys().copied().filter(far).collect();
        for other in gone {
            if let Some(tables) = self.tables.remove(&other) {
                tables.free(&mut self.machine)?;
            }
        }
        let tables = Tables::new(&mut self.machine, shape, octant)?;
        self.tables.insert((shape.axes, index), tables);
        Ok(())
    }

    /// Starts all that follows after counting, of a layout that has no other device.
    pub(super) fn advance(
        &mut self,
        sizes: Sizes,
        (shape, index): (&Shape, usize),
        share: &Share,
    ) -> Result<(), DeviceError> {
        let (memory, tables) = (&self.memory, &self.tables[&(shape.axes, index)]);
        self.machine.play(key(Stage::Advance, index), || {
            let mut launches = launches::masses(memory, sizes, shape, share);
            launches.extend(launches::forces(memory, sizes, shape, tables, share));
            launches.extend(launches::commit(memory, sizes));
            launches
        })
    }

    /// Starts the part of it that ends with the masses at the mesh points of a share.
    pub(super) fn spread(
        &mut self,
        sizes: Sizes,
        (shape, index): (&Shape, usize),
        share: &Share,
    ) -> Result<(), DeviceError> {
        let memory = &self.memory;
        self.machine.play(key(Stage::Masses, index), || launches::masses(memory, sizes, shape, share))
    }

    /// Starts the part that ends with where the nodes of a share go.
    pub(super) fn step(
        &mut self,
        sizes: Sizes,
        (shape, index): (&Shape, usize),
        share: &Share,
    ) -> Result<(), DeviceError> {
        let (memory, tables) = (&self.memory, &self.tables[&(shape.axes, index)]);
        self.machine.play(key(Stage::Forces, index), || launches::forces(memory, sizes, shape, tables, share))
    }

    /// Starts the last part, when it has come from all devices where the nodes go.
    pub(super) fn commit(&mut self, sizes: Sizes) -> Result<(), DeviceError> {
        let memory = &self.memory;
        self.machine.play(key(Stage::Commit, 0), || launches::commit(memory, sizes))
    }

    /// The device, and the mesh points of its share.
    pub(super) fn own_points(&mut self, share: &Share) -> (&mut Machine, Vec<Owned>) {
        let points = 4 * share.points.start as usize..4 * share.points.end as usize;
        let owned = vec![Owned::new(&self.memory.mesh, points)];
        (&mut self.machine, owned)
    }

    /// The device, and what it has found out of the nodes of its share.
    pub(super) fn own_nodes(&mut self, share: &Share) -> (&mut Machine, Vec<Owned>) {
        let (start, end) = (share.nodes.start as usize, share.nodes.end as usize);
        // A share begins with a block, unless there is nothing in it.
        let (first, last) = (start.div_ceil(THREADS as usize), end.div_ceil(THREADS as usize));
        let owned = vec![
            Owned::new(&self.memory.moved, 12 * start..12 * end),
            Owned::new(&self.memory.same, start..end),
            Owned::new(&self.memory.movements, MOVEMENT_BYTES * first..MOVEMENT_BYTES * last),
        ];
        (&mut self.machine, owned)
    }

    /// Gives back all memory of the device.
    pub(super) fn rest(&mut self) -> Result<(), DeviceError> {
        self.memory = Memory::default();
        self.tables.clear();
        self.machine.free_all()
    }
}
