//! Pairs that are so far apart.

use super::{World, apart, norm};
use crate::membership::Lookup;
use crate::{Point, random};

/// Pairs of slots, and how far apart they are to be.
#[derive(Debug)]
pub(super) struct Distance {
    pairs: Vec<(u32, u32)>,
    length: f32,
}

impl Distance {
    pub(super) fn new(pairs: &[(u32, u32)], length: f32, lookup: &Lookup<'_>) -> Self {
        let find = |pair: &(u32, u32)| Some((lookup.slot(pair.0)?, lookup.slot(pair.1)?));
        Self { pairs: pairs.iter().filter_map(find).filter(|(a, b)| a != b).collect(), length }
    }

    /// One pair after the other, each seeing where those before have put its nodes: converges where
    /// pairs form chains, and needs no averaging.
    pub(super) fn project(&self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        for &(a, b) in &self.pairs {
            let (a, b) = (a as usize, b as usize);
            let part_of_a = match (world.fixed[a], world.fixed[b]) {
                (true, true) => continue,
                (true, false) => 0.0,
                (false, true) => 1.0,
                (false, false) => 0.5,
            };
            let way = apart(positions[a], positions[b]);
            let length = norm(way);
            let direction = if length > f32::MIN_POSITIVE {
                way.map(|c| c / length)
            } else {
                random::direction(world.dim, world.seed, world.ids[a])
            };
            let missing = (length - self.length) * share;
            for axis in 0..3 {
                positions[a][axis] += direction[axis] * missing * part_of_a;
                positions[b][axis] -= direction[axis] * missing * (1.0 - part_of_a);
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.pairs.capacity() * size_of::<(u32, u32)>()
    }
}
