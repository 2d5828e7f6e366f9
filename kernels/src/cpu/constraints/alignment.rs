//! Nodes on a line or in a plane.

use super::{World, apart, approach, dot, middle};
use crate::{Point, Shape};

/// Slots, and what they are aligned to.
#[derive(Debug)]
pub(super) struct Alignment {
    pub(super) nodes: Vec<u32>,
    /// Of length 1.
    pub(super) along: Point,
    pub(super) shape: Shape,
    pub(super) through: Option<Point>,
}

impl Alignment {
    pub(super) fn project(&self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        let Some(anchor) = self.through.or_else(|| middle(world, &self.nodes, positions)) else { return };
        for slot in self.nodes.iter().map(|slot| *slot as usize).filter(|slot| !world.fixed[*slot]) {
            let here = positions[slot];
            let far = dot(apart(anchor, here), self.along);
            let target = match self.shape {
                Shape::Line => [0, 1, 2].map(|axis| anchor[axis] + far * self.along[axis]),
                Shape::Plane => [0, 1, 2].map(|axis| here[axis] - far * self.along[axis]),
            };
            approach(&mut positions[slot], target, share);
        }
    }
}
