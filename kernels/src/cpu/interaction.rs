//! What acts on a group of near nodes: single nodes near by, whole cells far away.

use std::ops::Range;

use super::tree::{Bodies, Cell, Group, Tree};
use crate::Point;

/// Sources are padded to a multiple of this, so that the innermost loop has no remainder.
pub(super) const LANES: usize = 16;

/// What acts on a group of nodes.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) nodes: Nodes,
    pub(super) cells: Cells,
}

/// Heavy points as columns, padded with mass 0.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// One column per axis.
    pub(super) place: [Vec<f32>; 3],
    pub(super) mass: Vec<f32>,
}

/// Cells as columns, padded with mass 0.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) centers: Nodes,
    /// Second moments of the mass round the centre: xx, yy, zz.
    pub(super) along: [Vec<f32>; 3],
    /// Second moments of the mass round the centre: xy, xz, yz.
    pub(super) across: [Vec<f32>; 3],
}

/// When a cell may stand for its nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// Square of the opening ratio.
    pub(super) theta_squared: f32,
    /// Square of an extent so small, against the softening, that distance no longer matters.
    pub(super) point_squared: f32,
}

impl Opening {
    /// Whether `group` may take `cell` as one point.
    fn accepts(self, cell: &Cell, group: &Group) -> bool {
        if cell.side_squared <= self.point_squared {
            return true;
        }
        // A cell that contains the group must be opened whatever its centre's distance.
        let contains = cell.begin <= group.begin && group.end <= cell.end;
        let distance_squared = group.bounds.distance_squared(cell.center);
        !contains && cell.side_squared <= self.theta_squared * distance_squared
    }
}

impl Sources {
    /// Collects all that acts on `group`: every node of the tree is in it once, alone or as part
    /// of a cell.
    pub(super) fn collect(&mut self, tree: &Tree, group: &Group, opening: Opening) {
        self.nodes.clear();
        self.cells.clear();
        let mut at = 0;
        while let Some(cell) = tree.cells.get(at) {
            if opening.accepts(cell, group) {
                if cell.side_squared == 0.0 {
                    self.nodes.push(cell.center, cell.mass);
                } else {
                    self.cells.push(cell);
                }
                at = cell.skip as usize;
            } else {
                at += 1;
                if cell.skip as usize == at {
                    self.nodes.extend(&tree.bodies, cell.begin as usize..cell.end as usize);
                }
            }
        }
        self.nodes.pad();
        self.cells.pad();
    }
}

impl Sources {
    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        let columns = self.nodes.place.iter().chain([&self.nodes.mass, &self.cells.centers.mass]);
        let columns = columns.chain(&self.cells.centers.place);
        let columns = columns.chain(self.cells.along.iter().chain(&self.cells.across));
        columns.map(Vec::capacity).sum::<usize>() * size_of::<f32>()
    }
}

impl Nodes {
    fn clear(&mut self) {
        self.place.iter_mut().for_each(Vec::clear);
        self.mass.clear();
    }

    fn push(&mut self, point: Point, mass: f32) {
        for (column, c) in self.place.iter_mut().zip(point) {
            column.push(c);
        }
        self.mass.push(mass);
    }

    fn extend(&mut self, bodies: &Bodies, nodes: Range<usize>) {
        for (column, body) in self.place.iter_mut().zip([&bodies.x, &bodies.y, &bodies.z]) {
            column.extend_from_slice(&body[nodes.clone()]);
        }
        self.mass.extend_from_slice(&bodies.mass[nodes]);
    }

    fn pad(&mut self) {
        let length = self.mass.len().next_multiple_of(LANES);
        for column in self.place.iter_mut().chain([&mut self.mass]) {
            column.resize(length, 0.0);
        }
    }
}

impl Cells {
    fn clear(&mut self) {
        self.centers.clear();
        self.along.iter_mut().chain(&mut self.across).for_each(Vec::clear);
    }

    fn push(&mut self, cell: &Cell) {
        self.centers.push(cell.center, cell.mass);
        for (column, moment) in self.along.iter_mut().zip(cell.along) {
            column.push(moment);
        }
        for (column, moment) in self.across.iter_mut().zip(cell.across) {
            column.push(moment);
        }
    }

    fn pad(&mut self) {
        self.centers.pad();
        for column in self.along.iter_mut().chain(&mut self.across) {
            column.resize(self.centers.mass.len(), 0.0);
        }
    }
}
