//! What lies in the device's memory.

use std::f64::consts::TAU;

use super::machine::{Buffer, Machine};
use super::shape::{Shape, blocks};
use super::words::REPORT_BYTES;
use crate::DeviceError;
use crate::cpu::mesh;
use crate::scene::Scene;

/// Neighbours from which on a row is summed by a block of its own; `LONG` of the kernels.
const LONG: usize = 128;
/// Blocks that look for the box round all nodes, at most.
pub(super) const MOST_PIECES: u32 = 128;
/// Counts that one block scans; `SCANNED` of the kernels.
pub(super) const SCANNED: u32 = 1_024;
/// Bytes of `Movement` on the device.
pub(super) const MOVEMENT_BYTES: usize = 24;

/// All buffers of a layout. By node, unless something else is said.
#[derive(Debug, Default)]
pub(super) struct Memory {
    // What the graph is.
    pub(super) ids: Buffer,
    pub(super) masses: Buffer,
    pub(super) rows: Buffer,
    pub(super) neighbours: Buffer,
    pub(super) weights: Buffer,
    /// Nodes with long rows.
    pub(super) hubs: Buffer,
    // What the host may change between ticks.
    pub(super) fixed: Buffer,
    pub(super) warmth: Buffer,
    pub(super) positions: Buffer,
    pub(super) velocities: Buffer,
    pub(super) knobs: Buffer,
    // What a tick computes.
    pub(super) report: Buffer,
    /// Boxes, by block.
    pub(super) pieces: Buffer,
    pub(super) cell_of: Buffer,
    /// How many of the cell came before each node; then where it is in the order.
    pub(super) arrival: Buffer,
    /// By near cell.
    pub(super) counts: Buffer,
    /// By near cell, and one more.
    pub(super) starts: Buffer,
    /// Counts, by block.
    pub(super) totals: Buffer,
    /// What each block of nodes, and of mesh points, costs; for several devices.
    pub(super) node_costs: Buffer,
    pub(super) point_costs: Buffer,
    /// Nodes, sorted by cell.
    pub(super) arrived: Buffer,
    /// Nodes, sorted by cell, in their final order; and so are cells, places, fields, what lies in the same place as
    /// another node, and where each node goes.
    pub(super) order: Buffer,
    pub(super) cell_at: Buffer,
    pub(super) places: Buffer,
    /// By mesh point: masses, then the potential.
    pub(super) mesh: Buffer,
    pub(super) spectra: Buffer,
    pub(super) fields: Buffer,
    pub(super) same: Buffer,
    pub(super) moved: Buffer,
    /// By node again.
    pub(super) pulls: Buffer,
    /// By block of the order.
    pub(super) movements: Buffer,
}

/// What does not change for a mesh of one size.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// One octant of the kernel's transform.
    pub(super) octant: Buffer,
    /// Roots of unity.
    pub(super) roots: Buffer,
}

/// A graph's sizes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    pub(super) nodes: u32,
    pub(super) hubs: u32,
    pub(super) weighted: bool,
}

impl Memory {
    /// Makes room for what counting `nodes` nodes into the near cells of a mesh takes.
    pub(super) fn take_cells(
        &mut self,
        machine: &mut Machine,
        nodes: usize,
        shape: &Shape,
    ) -> Result<(), DeviceError> {
        let cells = shape.cells() as usize;
        machine.fit(&mut self.report, REPORT_BYTES)?;
        machine.fit(&mut self.pieces, MOST_PIECES as usize * 6 * 4)?;
        machine.fit(&mut self.cell_of, 4 * nodes)?;
        machine.fit(&mut self.arrival, 4 * nodes)?;
        machine.fit(&mut self.counts, 4 * cells)?;
        machine.fit(&mut self.starts, 4 * (cells + 1))?;
        machine.fit(&mut self.totals, 4 * shape.cells().div_ceil(SCANNED) as usize)
    }

    /// Makes room for what counting says to several devices, and how much that is.
    pub(super) fn take_costs(
        &mut self,
        machine: &mut Machine,
        sizes: Sizes,
        shape: &Shape,
    ) -> Result<(usize, usize), DeviceError> {
        let bytes = |number| 8 * blocks(number) as usize;
        let (nodes, points) = (bytes(sizes.nodes), bytes(shape.points()));
        machine.fit(&mut self.node_costs, nodes)?;
        machine.fit(&mut self.point_costs, points)?;
        Ok((nodes, points))
    }

    /// Takes the graph of `scene` over.
    pub(super) fn take_graph(
        &mut self,
        machine: &mut Machine,
        scene: &Scene<'_>,
    ) -> Result<Sizes, DeviceError> {
        let nodes = scene.ids.len();
        // The sizes of launches follow from the graph.
        machine.forget();
        let by_node = [
            (&mut self.arrived, 4),
            (&mut self.order, 4),
            (&mut self.cell_at, 4),
            (&mut self.places, 16),
            (&mut self.fields, 16),
            (&mut self.same, 1),
            (&mut self.moved, 12),
        ];
        for (buffer, bytes) in by_node {
            machine.fit(buffer, nodes * bytes)?;
        }
        machine.fit(&mut self.movements, blocks(nodes as u32) as usize * MOVEMENT_BYTES)?;
        let (rows, neighbours) = scene.adjacency.columns();
        let weights = scene.adjacency.weights().unpacked();
        let hubs: Vec<u32> =
            (0..nodes).filter(|node| scene.adjacency.degree(*node) > LONG).map(|node| node as u32).collect();
        // By node, and only those of hubs are there.
        machine.fit(&mut self.pulls, if hubs.is_empty() { 0 } else { 16 * nodes })?;
        put(machine, &mut self.ids, bytemuck::cast_slice(scene.ids))?;
        put(machine, &mut self.masses, bytemuck::cast_slice(scene.masses))?;
        put(machine, &mut self.rows, bytemuck::cast_slice(rows))?;
        put(machine, &mut self.neighbours, bytemuck::cast_slice(neighbours))?;
        put(machine, &mut self.weights, bytemuck::cast_slice(&weights))?;
        put(machine, &mut self.hubs, bytemuck::cast_slice(&hubs))?;
        Ok(Sizes { nodes: nodes as u32, hubs: hubs.len() as u32, weighted: !weights.is_empty() })
    }

    /// Makes room for a mesh.
    pub(super) fn take_mesh(&mut self, machine: &mut Machine, shape: &Shape) -> Result<(), DeviceError> {
        machine.fit(&mut self.mesh, 4 * shape.points() as usize)?;
        machine.fit(&mut self.spectra, 8 * shape.spectra())
    }
}

impl Tables {
    /// The tables for a mesh of the shape that `octant` was [made](octant) for.
    pub(super) fn new(machine: &mut Machine, shape: &Shape, octant: &[f32]) -> Result<Self, DeviceError> {
        let mut tables = Self::default();
        put(machine, &mut tables.octant, bytemuck::cast_slice(octant))?;
        put(machine, &mut tables.roots, bytemuck::cast_slice(&roots(shape.length())))?;
        Ok(tables)
    }

    /// Gives the memory back.
    pub(super) fn free(mut self, machine: &mut Machine) -> Result<(), DeviceError> {
        machine.free(&mut self.octant)?;
        machine.free(&mut self.roots)
    }
}

/// One octant of the transform of the kernel, for a mesh of this shape.
pub(super) fn octant(shape: &Shape) -> Vec<f32> {
    let side = shape.side as usize;
    if shape.axes == 2 { mesh::long_part::<2>(side) } else { mesh::long_part::<3>(side) }
}

/// `exp(-2πi k / length)` for each `k`.
pub(super) fn roots(length: u32) -> Vec<[f32; 2]> {
    let angle = |k: u32| -TAU * f64::from(k) / f64::from(length);
    (0..length).map(|k| [angle(k).cos() as f32, angle(k).sin() as f32]).collect()
}

/// Makes `buffer` hold `bytes`.
pub(super) fn put(machine: &mut Machine, buffer: &mut Buffer, bytes: &[u8]) -> Result<(), DeviceError> {
    machine.fit(buffer, bytes.len())?;
    machine.write(buffer, bytes)
}
