//! The same on a real device, where there is one:
//!
//! ```text
//! cargo test -p weft-kernels --lib cuda::tests::device -- --ignored --test-threads 1 --nocapture
//! ```
//!
//! Never together with the other tests: they load the stand-in for the driver into the process.
#![expect(clippy::print_stderr, reason = "whoever runs these wants to see the times")]

use std::time::Instant;

use super::vectors::{self, Vector};
use super::{FIRST, several, stages, ticks, transforms};
use crate::cuda::launches::KERNELS;
use crate::cuda::machine::Machine;
use crate::cuda::shape::Shape;
use crate::cuda::tick::Cuda;
use crate::device::Wanted;
use crate::scene::Change;
use crate::{Dim, Params};

#[test]
#[ignore = "needs a CUDA device"]
fn kernels_compute_what_their_twins_do() {
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    for index in 0..Shape::COUNT {
        transforms::convolves(&mut machine, Dim::Two, index);
    }
    for index in 0..6 {
        transforms::convolves(&mut machine, Dim::Three, index);
    }
    machine.forget();
    for index in [2, 3, 8] {
        transforms::spreads(&mut machine, Dim::Two, index);
        transforms::spreads(&mut machine, Dim::Three, index);
        machine.forget();
    }
    for vector in vectors::all() {
        stages::check(&vector, &mut Cuda::open(FIRST).unwrap());
    }
}

#[test]
#[ignore = "needs a CUDA device"]
fn ticks_are_those_of_the_processor_and_always_the_same() {
    let mut cuda = Cuda::open(FIRST).unwrap();
    for vector in vectors::all() {
        ticks::agree(&vector, FIRST);
        let once = ticks::run(&vector, &mut cuda, 10);
        assert!(once == ticks::run(&vector, &mut cuda, 10), "{}: other bits", vector.name);
    }
}

#[test]
#[ignore = "needs several CUDA devices"]
fn several_devices_come_to_the_same_bits_as_one() {
    let mut all = Cuda::open(Wanted::All).unwrap();
    assert!(all.devices().count() > 1, "this host has one device that can be used");
    for vector in several::vectors() {
        several::same_as_one(&vector, &mut all, 10);
    }
}

/// Prints times. None has been measured yet; hoped for are 0.15 ms for 100,000 nodes in space and 0.6 ms for
/// 1,000,000 on an H200.
#[test]
#[ignore = "needs a CUDA device"]
fn times_of_ticks() {
    let mut cuda = Cuda::open(FIRST).unwrap();
    for (dim, nodes) in
        [(Dim::Two, 100_000), (Dim::Three, 100_000), (Dim::Two, 1_000_000), (Dim::Three, 1_000_000)]
    {
        let vector = Vector::new("times", dim, nodes, Params::default(), false);
        ticks::run(&vector, &mut cuda, 20);
        let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
        let mut times: Vec<f64> = (0..200)
            .map(|_| {
                let begun = Instant::now();
                cuda.advance(&vector.scene(Change::Nothing), &mut positions, &mut velocities)
                    .unwrap()
                    .unwrap();
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        eprintln!("{dim:?} {nodes} nodes: {:.3} ms a tick (median of 200)", times[100]);
    }
}
