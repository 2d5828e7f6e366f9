//! What each of several devices does, and what goes from one to another.

use super::emulator;
use super::vectors::Vector;
use crate::cuda::launches::KERNELS;
use crate::cuda::machine::{Argument, Buffer, Launch, Machine, Owned, exchange, link};
use crate::cuda::memory::put;
use crate::cuda::tick::Cuda;
use crate::device::Wanted;
use crate::scene::Change;
use crate::{DeviceError, Devices, Dim, Params};

/// Machines with a buffer each, which holds so many bytes of its number.
fn machines(count: u32, bytes: usize) -> Vec<(Machine, Buffer)> {
    (0..count)
        .map(|ordinal| {
            let (mut machine, mut buffer) = (Machine::open(ordinal, &KERNELS).unwrap(), Buffer::default());
            put(&mut machine, &mut buffer, &vec![ordinal as u8 + 1; bytes]).unwrap();
            (machine, buffer)
        })
        .collect()
}

fn link_all(machines: &mut [(Machine, Buffer)]) -> Result<(), DeviceError> {
    link(&mut machines.iter_mut().map(|(machine, _)| machine).collect::<Vec<_>>())
}

#[test]
fn what_each_owns_comes_to_all() {
    emulator::start_several(false, 3, true);
    let mut machines = machines(3, 900);
    link_all(&mut machines).unwrap();
    // Runs of different lengths, one of them empty.
    let runs = [0..100, 100..100, 100..900];
    let mut owned: Vec<_> = machines
        .iter_mut()
        .zip(runs)
        .map(|((machine, buffer), run)| {
            let owned = Owned::new(buffer, run);
            (machine, vec![owned])
        })
        .collect();
    exchange(&mut owned).unwrap();
    for (machine, buffer) in &mut machines {
        let found = machine.read(&[(&*buffer, 900)]).unwrap();
        assert!(found[..100] == [1; 100] && found[100..] == [3; 800]);
    }
    assert_eq!(emulator::exchanged(), 2 * 900);
    // A second layout finds the ways open.
    let mut others = self::machines(3, 16);
    link_all(&mut others).unwrap();
}

#[test]
fn who_writes_again_does_not_overtake_what_others_take() {
    emulator::start_several(false, 2, true);
    let mut machines = machines(2, 400);
    link_all(&mut machines).unwrap();
    let mut owned: Vec<_> = machines
        .iter_mut()
        .zip([0..200, 200..400])
        .map(|((machine, buffer), run)| {
            let owned = Owned::new(buffer, run);
            (machine, vec![owned])
        })
        .collect();
    exchange(&mut owned).unwrap();
    drop(owned);
    // The first one goes on at once, and is waited for alone.
    let [(first, one), (second, two)] = &mut machines[..] else { unreachable!("there are two") };
    first.write(one, &[9; 400]).unwrap();
    assert!(first.read(&[(&*one, 400)]).unwrap() == [9; 400]);
    let found = second.read(&[(&*two, 400)]).unwrap();
    assert!(found[..200] == [1; 200] && found[200..] == [2; 200], "what the first had before");
}

#[test]
fn memory_of_another_device_is_an_error() {
    emulator::start_several(false, 2, true);
    let mut machines = machines(2, 400);
    let clear = |buffer: &Buffer| Launch {
        kernel: "cells_clear",
        grid: 1,
        shared: 0,
        arguments: vec![Argument::from(buffer), Argument::from(100)],
    };
    let launches = [clear(&machines[0].1), clear(&machines[1].1)];
    let [own, other] = launches;
    let machine = &mut machines[0].0;
    machine.play(1, || vec![own]).unwrap();
    let mut spare = Buffer::default();
    machine.fit(&mut spare, 4).unwrap();
    machine.read(&[(&spare, 4)]).unwrap();
    machine.play(2, || vec![other]).unwrap();
    let error = machine.read(&[(&spare, 4)]).unwrap_err();
    assert!(matches!(error, DeviceError::Failed { ordinal: 0, call: "computing", .. }), "{error}");

    link_all(&mut machines).unwrap();
    let theirs = [0..200, 200..400].map(|run| vec![Owned::new(&machines[1].1, run)]);
    let mut owned: Vec<_> = machines.iter_mut().map(|(machine, _)| machine).zip(theirs).collect();
    let error = exchange(&mut owned).unwrap_err();
    assert!(matches!(error, DeviceError::Failed { call: "copying from another device", .. }), "{error}");
}

#[test]
fn work_and_memory_are_shared_and_only_results_are_exchanged() {
    emulator::start_several(false, 3, true);
    let vector = Vector::new("space", Dim::Three, 9_000, Params::default(), false);
    let mut cuda = Cuda::open(Wanted::These(Devices::new([0, 1, 2]).unwrap())).unwrap();
    let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
    let mut tick = |change| {
        let before = emulator::exchanged();
        cuda.advance(&vector.scene(change), &mut positions, &mut velocities).unwrap().unwrap();
        emulator::exchanged() - before
    };
    tick(Change::Graph);
    let bytes = tick(Change::Nothing);
    let found = cuda.inspect(0, &vector.scene(Change::Nothing));
    let points = i64::from(found.shape.points());
    let blocks = i64::from(9_000_u32.div_ceil(256));
    // Of each node where it goes and whether it lies on another, of each block how far its nodes went, of each mesh point
    // the mass: to two others.
    assert_eq!(bytes, 2 * (9_000 * 13 + blocks * 24 + 4 * points));

    let sizes = cuda.sizes;
    let (nodes, masses) = cuda.parts[0].costs(sizes, &found.shape).unwrap();
    let shares: Vec<_> = (0..3).map(|device| cuda.division.share(device)).collect();
    for costs in [&nodes, &masses] {
        assert!(costs.iter().all(|cost| *cost > 0));
    }
    let share_of = |costs: &[u64], first: u32, end: u32| {
        let run = first as usize / 256..(end as usize).div_ceil(256);
        costs[run].iter().sum::<u64>() as f64 / costs.iter().sum::<u64>() as f64
    };
    for share in &shares {
        let part = share_of(&nodes, share.nodes.start, share.nodes.end);
        assert!((0.2..0.45).contains(&part), "{part} of the nodes' cost: {shares:?}");
        let part = share_of(&masses, share.points.start, share.points.end);
        assert!((0.2..0.45).contains(&part), "{part} of the points' cost: {shares:?}");
    }
    assert_eq!(shares[2].nodes.end, 9_000);
    let launches: Vec<i64> = (0..3).map(emulator::launches_on).collect();
    assert!(launches.iter().all(|count| *count > 20), "{launches:?}");
}
