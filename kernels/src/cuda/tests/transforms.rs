//! Transforms of every length, and the spreading of masses, alone.

use super::emulator;
use super::stages::relative;
use crate::Dim;
use crate::cuda::launches::{self, KERNELS};
use crate::cuda::machine::Machine;
use crate::cuda::memory::{self, Memory, Tables, put};
use crate::cuda::shape::Shape;
use crate::cuda::twin::{cells, convolve, spread};
use crate::graphs::Random;

fn random_numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.below(1_000) as f32 / 1_000.0).collect()
}

/// An octant of random numbers, with the symmetry that those of distances have: axes may be exchanged.
fn octant(waves: usize, axes: usize) -> Vec<f32> {
    let table = random_numbers(axes * waves * waves, 4);
    let square =
        |at: usize| (0..axes).map(|axis| (at / waves.pow(axis as u32) % waves).pow(2)).sum::<usize>();
    (0..waves.pow(axes as u32)).map(|at| table[square(at)]).collect()
}

/// Convolves random numbers with a random octant.
pub(super) fn convolves(machine: &mut Machine, dim: Dim, index: usize) {
    let shape = Shape::new(dim, index);
    let (side, axes) = (shape.side as usize, shape.axes as usize);
    let mut memory = Memory::default();
    let mut tables = Tables::new(machine, &shape, &memory::octant(&shape)).unwrap();
    let masses = random_numbers(shape.points() as usize, 3);
    let octant = octant(side + 1, axes);
    memory.take_mesh(machine, &shape).unwrap();
    put(machine, &mut tables.octant, bytemuck::cast_slice(&octant)).unwrap();
    put(machine, &mut memory.mesh, bytemuck::cast_slice(&masses)).unwrap();
    machine.play(index as u64, || launches::convolve(&memory, &shape, &tables)).unwrap();
    let found: Vec<f32> =
        bytemuck::cast_slice(machine.read(&[(&memory.mesh, 4 * masses.len())]).unwrap()).to_vec();
    let masses: Vec<f64> = masses.into_iter().map(f64::from).collect();
    let right = convolve::convolve(&masses, &octant, side, axes);
    let off = relative(found.into_iter().map(f64::from).zip(right));
    assert!(off < 2e-6, "{dim:?} {side}: off by {off}");
}

#[test]
fn transforms_of_every_length_are_right() {
    emulator::start(false, None);
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    for index in 0..Shape::COUNT {
        convolves(&mut machine, Dim::Two, index);
    }
    for index in 0..6 {
        convolves(&mut machine, Dim::Three, index);
    }
}

/// Spreads random nodes.
pub(super) fn spreads(machine: &mut Machine, dim: Dim, index: usize) {
    let shape = Shape::new(dim, index);
    let axes = shape.axes as usize;
    let mut random = Random::new(9);
    let inner = (shape.count - 2) as f32;
    let positions: Vec<[f32; 3]> = (0..900)
        .map(|_| {
            [0, 1, 2].map(|axis| if axis < axes { inner * random.below(4_000) as f32 / 4_000.0 } else { 0.0 })
        })
        .collect();
    let masses: Vec<f32> = (0..900).map(|_| 1.0 + random.below(5) as f32).collect();
    let sorted = cells::sort(&positions, &masses, [-1.0; 3], 1.0, shape.count, axes);
    let mut memory = Memory::default();
    memory.take_mesh(machine, &shape).unwrap();
    put(machine, &mut memory.places, bytemuck::cast_slice(&sorted.places)).unwrap();
    put(machine, &mut memory.starts, bytemuck::cast_slice(&sorted.starts)).unwrap();
    // In two runs, as two devices do.
    let points = shape.points();
    let middle = points / 3;
    machine
        .play(1 << 40 | index as u64, || {
            [0..middle, middle..points].map(|run| launches::spread(&memory, &shape, &run)).into()
        })
        .unwrap();
    let bytes = machine.read(&[(&memory.mesh, 4 * shape.points() as usize)]).unwrap();
    let found: Vec<f32> = bytemuck::cast_slice(bytes).to_vec();
    let right = spread::spread(&sorted.places, shape.side as usize, axes);
    let off = relative(found.into_iter().map(f64::from).zip(right));
    assert!(off < 2e-6, "{dim:?} {}: off by {off}", shape.side);
}

#[test]
fn masses_are_spread_as_by_hand() {
    emulator::start(false, None);
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    for index in [2, 3, 8] {
        spreads(&mut machine, Dim::Two, index);
        spreads(&mut machine, Dim::Three, index);
        machine.forget();
    }
}
