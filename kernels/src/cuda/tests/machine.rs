//! Copies, recordings and memory of a device.

use super::ticks::run;
use super::vectors::Vector;
use super::{FIRST, emulator};
use crate::cuda::launches::KERNELS;
use crate::cuda::machine::{Argument, Buffer, Launch, Machine};
use crate::cuda::memory::put;
use crate::cuda::tick::Cuda;
use crate::{DeviceError, Dim, Params};

/// Bytes without a pattern that a copy could keep by chance.
fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn what_is_written_arrives_though_its_source_is_gone() {
    emulator::start(false, None);
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    // Around what is on its way at a time, and several times that; many copies before anybody waits.
    let lengths = [1, 63, 64, 1 << 18, (1 << 18) + 1, 1_000_003, 5];
    let mut buffers = lengths.map(|_| Buffer::default());
    for (buffer, length) in buffers.iter_mut().zip(lengths) {
        put(&mut machine, buffer, &bytes(length)).unwrap();
    }
    for (buffer, length) in buffers.iter().zip(lengths) {
        assert!(machine.read(&[(buffer, length as usize)]).unwrap() == bytes(length), "{length}");
    }
}

#[test]
fn a_recording_that_fails_leaves_nothing_behind() {
    emulator::start(false, None);
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    let mut buffer = Buffer::default();
    put(&mut machine, &mut buffer, &bytes(4 * 100)).unwrap();
    let clear = |grid| Launch {
        kernel: "cells_clear",
        grid,
        shared: 0,
        arguments: vec![Argument::from(&buffer), Argument::from(100)],
    };
    // No device runs a kernel on no blocks.
    let error = machine.play(1, || vec![clear(1), clear(0)]).unwrap_err();
    assert!(matches!(error, DeviceError::Failed { call: "launching a kernel", .. }), "{error}");
    assert_eq!(emulator::held().graphs, 0);
    // The stream does not go on recording.
    machine.play(1, || vec![clear(1)]).unwrap();
    assert!(machine.read(&[(&buffer, 400)]).unwrap() == [0; 400]);
    drop(machine);
    assert_eq!((emulator::held().memory, emulator::held().graphs), (0, 0));
}

#[test]
fn memory_follows_the_graph_and_goes_with_it() {
    emulator::start(false, None);
    let held = || emulator::held().memory;
    let vector = |nodes| Vector::new("space", Dim::Three, nodes, Params::default(), true);
    let (small, large) = (vector(4_500), vector(40_000));
    let mut cuda = Cuda::open(FIRST).unwrap();
    assert_eq!(held(), 0, "nothing is taken before there is a graph");
    run(&small, &mut cuda, 1);
    let little = held();
    run(&large, &mut cuda, 1);
    let much = held();
    assert!(much > 5 * little, "{little} {much}");
    run(&small, &mut cuda, 2);
    assert!(held() < 3 * little, "{little} {much} {}", held());

    let before = run(&small, &mut cuda, 2);
    cuda.rest().unwrap();
    assert_eq!((held(), cuda.memory()), (0, 0));
    assert!(before == run(&small, &mut cuda, 2), "what it knew goes there again");
    drop(cuda);
    assert_eq!((held(), emulator::held().graphs), (0, 0));
}
