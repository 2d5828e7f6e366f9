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

/// Places in the order of the curve. The slot is in the lower bits of an entry, and what there is room for of
/// the key on the curve in those above: half the memory of both apart.
#[derive(Debug, Default)]
struct Order {
    entries: Vec<u64>,
    /// The bits of a slot.
    slots: u64,
}

impl Order {
    fn sort(&mut self, dim: Dim, positions: &[Point]) {
        let curve = Curve::new(dim, &Bounds::of(positions));
        self.slots = (positions.len() as u64).next_power_of_two() - 1;
        let (bits, slots) = (Curve::bits(dim), self.slots);
        self.entries.resize(positions.len(), 0);
        self.entries.par_chunks_mut(CHUNK).zip(positions.par_chunks(CHUNK)).enumerate().for_each(
            |(chunk, (entries, positions))| {
                for (at, (entry, position)) in entries.iter_mut().zip(positions).enumerate() {
                    // The highest bits of the key, as many as there is room for.
                    let key = curve.key(*position) << (u64::BITS - bits);
                    *entry = key & !slots | (chunk * CHUNK + at) as u64;
                }
            },
        );
        self.entries.par_sort_unstable();
    }

    fn slot(&self, place: usize) -> usize {
        (self.entries[place] & self.slots) as usize
    }
}

/// All that a tick knows of nodes, by place.
#[derive(Debug, Default)]
pub(super) struct Arrangement {
    /// Of every place, how far along the curve it was when the order was made, and its slot.
    order: Order,
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
        let anew = scene.change == Change::Graph || self.places.len() != positions.len();
        if anew || self.age >= self.lasts {
            self.lasts = if anew { FIRST_RENEWAL } else { (2 * self.lasts).min(RENEWAL) };
            self.age = 0;
            self.sort(scene.dim, positions);
            let order = &self.order;
            self.adjacency.arrange(scene.adjacency, &|place| order.slot(place), &self.places);
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
        self.order.slot(place)
    }

    /// Place of the node of `slot`.
    pub(super) fn place(&self, slot: usize) -> usize {
        self.places[slot] as usize
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
        self.order.sort(dim, positions);
        self.places.resize(positions.len(), 0);
        for place in 0..positions.len() {
            self.places[self.order.slot(place)] = place as u32;
        }
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.order.entries.capacity() * size_of::<u64>()
            + self.places.capacity() * size_of::<u32>()
            + self.adjacency.memory()
            + (self.masses.capacity() + self.warmth.capacity()) * size_of::<f32>()
            + self.fixed.capacity()
            + (self.positions.capacity() + self.velocities.capacity()) * size_of::<Point>()
    }
}

/// Fills `to`, by place, from `from`, by slot.
fn take<T: Copy + Default + Send + Sync>(to: &mut Vec<T>, from: &[T], order: &Order) {
    to.resize(from.len(), T::default());
    to.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, to)| {
        for (place, value) in (chunk * CHUNK..).zip(to) {
            *value = from[order.slot(place)];
        }
    });
}
