//! What a tick has left on a device, for tests.

use super::machine::{Buffer, Machine};
use super::part::Part;
use super::shape::Shape;
use super::tick::Cuda;
use super::words::{REPORT_BYTES, Report};
use crate::Point;
use crate::scene::Scene;

/// All of it.
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
    pub(super) positions: Vec<Point>,
    pub(super) velocities: Vec<Point>,
}

impl Found {
    /// With fields, and what lies in the same place as another node, by node instead of in the order of the cells.
    pub(super) fn by_node(mut self) -> Self {
        let (fields, same) = (self.fields.clone(), self.same.clone());
        for (at, node) in self.order.iter().enumerate() {
            self.fields[*node as usize] = fields[at];
            self.same[*node as usize] = same[at];
        }
        self
    }
}

impl Cuda {
    /// Reads what the last tick has left on the device at place `device` of its list.
    pub(super) fn inspect(&mut self, device: usize, scene: &Scene<'_>) -> Found {
        // What the next tick would take is at most one step coarser, and then is not what this one took.
        let Part { machine, memory, tables } = &mut self.parts[device];
        let (_, taken) = *tables.keys().next_back().expect("a tick has been done");
        let shape = Shape::new(scene.dim, taken);
        let (nodes, m) = (self.sizes.nodes as usize, memory);
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
            positions: column(machine, &m.positions, nodes),
            velocities: column(machine, &m.velocities, nodes),
        }
    }
}

/// The first `length` numbers of a buffer.
fn column<T: bytemuck::AnyBitPattern>(machine: &mut Machine, buffer: &Buffer, length: usize) -> Vec<T> {
    bytemuck::cast_slice(machine.read(&[(buffer, length * size_of::<T>())]).unwrap()).to_vec()
}
