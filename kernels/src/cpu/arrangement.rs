//! The nodes in the order of a curve through the layout, so that what is near in the layout is
//! near in memory: springs and cells then read what is at hand.
//!
//! Everybody outside sees slots, the order of the ids. A place is where a slot is on the curve.
//! The order is renewed now and then, because nodes move little between two ticks.

use rayon::prelude::*;

use super::CHUNK;
use super::morton::Curve;
use crate::adjacency::Adjacency;
use crate::scene::{Change, Scene};
use crate::{Bounds, Dim, Point};

/// Ticks after which the order is renewed, at most. The first renewals come sooner: a layout
/// that has just begun turns inside out.
const RENEWAL: u32 = 64;
/// Ticks from the first order to the next; each later one lasts twice as long.
const FIRST_RENEWAL: u32 = 4;

/// All that a tick knows of nodes, by place.
#[derive(Debug, Default)]
pub(super) struct Arrangement {
    /// Key on the curve when the order was made, and slot, of every place.
    order: Vec<(u64, u32)>,
    /// Place of every slot.
    places: Vec<u32>,
    /// Ticks since the order was made, and how many it lasts.
    age: u32,
    lasts: u32,
    pub(super) adjacency: Adjacency,
    pub(super) masses: Vec<f32>,
    pub(super) fixed: Vec<bool>,
    pub(super) warmth: Vec<f32>,
    pub(super) positions: Vec<Point>,
    pub(super) velocities: Vec<Point>,
}

impl Arrangement {
    /// Takes in what has changed since the last tick; `positions` and `velocities` are by slot.
    pub(super) fn follow(&mut self, scene: &Scene<'_>, positions: &[Point], velocities: &[Point]) {
        self.age += 1;
        let anew = scene.change == Change::Graph || self.order.len() != positions.len();
        if anew || self.age >= self.lasts {
            self.lasts = if anew { FIRST_RENEWAL } else { (2 * self.lasts).min(RENEWAL) };
            self.age = 0;
            self.sort(scene.dim, positions);
            self.adjacency.arrange(scene.adjacency, &self.order, &self.places);
            take(&mut self.masses, scene.masses, &self.order);
            self.take_nodes(scene, positions, velocities);
        } else if scene.change == Change::Nodes {
            self.take_nodes(scene, positions, velocities);
        } else if scene.warm {
            take(&mut self.warmth, scene.warmth, &self.order);
        }
    }

    /// Writes where the nodes are now, and how they came there, by slot.
    pub(super) fn give(&self, positions: &mut [Point], velocities: &mut [Point]) {
        let columns = (
            positions.par_chunks_mut(CHUNK),
            velocities.par_chunks_mut(CHUNK),
            self.places.par_chunks(CHUNK),
        );
        columns.into_par_iter().for_each(|(positions, velocities, places)| {
            for (at, place) in places.iter().enumerate() {
                positions[at] = self.positions[*place as usize];
                velocities[at] = self.velocities[*place as usize];
            }
        });
    }

    /// Slot of the node at `place`.
    pub(super) fn slot(&self, place: usize) -> usize {
        self.order[place].1 as usize
    }

    /// Takes over where the nodes are, by slot, after somebody has moved them.
    pub(super) fn put(&mut self, positions: &[Point], velocities: &[Point]) {
        take(&mut self.positions, positions, &self.order);
        take(&mut self.velocities, velocities, &self.order);
    }

    fn take_nodes(&mut self, scene: &Scene<'_>, positions: &[Point], velocities: &[Point]) {
        take(&mut self.fixed, scene.fixed, &self.order);
        take(&mut self.warmth, scene.warmth, &self.order);
        self.put(positions, velocities);
    }

    fn sort(&mut self, dim: Dim, positions: &[Point]) {
        let curve = Curve::new(dim, &Bounds::of(positions));
        self.order.resize(positions.len(), (0, 0));
        self.order.par_chunks_mut(CHUNK).zip(positions.par_chunks(CHUNK)).enumerate().for_each(
            |(chunk, (order, positions))| {
                for (at, (entry, position)) in order.iter_mut().zip(positions).enumerate() {
                    *entry = (curve.key(*position), (chunk * CHUNK + at) as u32);
                }
            },
        );
        self.order.par_sort_unstable();
        self.places.resize(positions.len(), 0);
        for (place, (_, slot)) in self.order.iter().enumerate() {
            self.places[*slot as usize] = place as u32;
        }
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.order.capacity() * size_of::<(u64, u32)>()
            + self.places.capacity() * size_of::<u32>()
            + self.adjacency.memory()
            + (self.masses.capacity() + self.warmth.capacity()) * size_of::<f32>()
            + self.fixed.capacity()
            + (self.positions.capacity() + self.velocities.capacity()) * size_of::<Point>()
    }
}

/// Fills `to`, by place, from `from`, by slot.
fn take<T: Copy + Default + Send + Sync>(to: &mut Vec<T>, from: &[T], order: &[(u64, u32)]) {
    to.resize(from.len(), T::default());
    to.par_chunks_mut(CHUNK).zip(order.par_chunks(CHUNK)).for_each(|(to, order)| {
        for (value, (_, slot)) in to.iter_mut().zip(order) {
            *value = from[*slot as usize];
        }
    });
}
