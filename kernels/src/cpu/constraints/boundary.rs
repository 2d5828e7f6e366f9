//! Nodes that stay inside.

use rayon::prelude::*;

use super::{World, apart, approach, norm};
use crate::cpu::CHUNK;
use crate::{Dim, Point, Region};

/// Slots (all when absent), and what they stay inside of.
#[derive(Debug)]
pub(super) struct Boundary {
    pub(super) nodes: Option<Vec<u32>>,
    pub(super) region: Region,
}

impl Boundary {
    pub(super) fn project(&self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        let keep = |position: &mut Point| {
            if let Some(target) = self.nearest(world.dim, *position) {
                approach(position, target, share);
            }
        };
        if let Some(nodes) = &self.nodes {
            for slot in nodes.iter().map(|slot| *slot as usize).filter(|slot| !world.fixed[*slot]) {
                keep(&mut positions[slot]);
            }
            return;
        }
        let chunks = positions.par_chunks_mut(CHUNK).zip(world.fixed.par_chunks(CHUNK));
        chunks.for_each(|(positions, fixed)| {
            positions.iter_mut().zip(fixed).filter(|(_, fixed)| !**fixed).for_each(|(at, _)| keep(at));
        });
    }

    /// The nearest place inside, for one that is outside.
    fn nearest(&self, dim: Dim, point: Point) -> Option<Point> {
        match self.region {
            Region::Box(bounds) => {
                let inside = [0, 1, 2].map(|axis| point[axis].clamp(bounds.min[axis], bounds.max[axis]));
                Some(dim.flatten(inside))
            }
            Region::Ball { center, radius } => {
                let center = dim.flatten(center);
                let way = apart(center, point);
                let length = norm(way);
                (length > radius).then(|| [0, 1, 2].map(|axis| center[axis] + way[axis] * (radius / length)))
            }
        }
    }
}
