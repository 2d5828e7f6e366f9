//! Whole ticks and whole layouts, against those of the processor.

use super::vectors::{self, Vector};
use super::{FIRST, emulator};
use crate::cpu::solver::Solver;
use crate::cuda::tick::Cuda;
use crate::device::Wanted;
use crate::graphs;
use crate::scene::Change;
use crate::{Constraint, Device, DeviceError, Devices, Dim, Params, Point, Processor, Rule, Simulation};

/// Distance of two layouts: root mean square, over the extent of the second.
pub(super) fn apart(one: &[Point], other: &[Point]) -> f64 {
    let squares = one
        .iter()
        .zip(other)
        .map(|(one, other)| (0..3).map(|axis| f64::from(one[axis] - other[axis]).powi(2)).sum::<f64>());
    (squares.sum::<f64>() / one.len() as f64).sqrt() / f64::from(crate::Bounds::of(other).side())
}

/// Ten ticks on devices, each compared with the processor's from the same positions: over many, what differs
/// in the last digits grows by itself.
pub(super) fn agree(vector: &Vector, wanted: Wanted) {
    let mut cuda = Cuda::open(wanted).unwrap();
    let mut solver = Solver::default();
    let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
    for tick in 0..10 {
        let (mut others, mut their) = (positions.clone(), velocities.clone());
        let right = solver.advance(&vector.scene(Change::Graph), &mut others, &mut their);
        let scene = vector.scene(if tick == 0 { Change::Graph } else { Change::Nothing });
        let found = cuda.advance(&scene, &mut positions, &mut velocities).unwrap().expect(vector.name);
        let off = apart(&positions, &others);
        // What rounding leaves is well below this; a mesh of another size than the processor's is far above.
        assert!(off < 1e-6, "{}: {off} apart after tick {tick}", vector.name);
        assert_eq!(found.movement.free, right.movement.free);
        assert!((found.movement.sum - right.movement.sum).abs() < 1e-2 * right.movement.sum);
        assert!((found.extent - right.extent).abs() <= 1e-5 * right.extent);
        // Nothing leaves a device that is not finite.
        assert!(positions.iter().chain(&velocities).flatten().all(|c| c.is_finite()));
    }
}

#[test]
fn ticks_are_those_of_the_processor() {
    emulator::start(false, None);
    for vector in vectors::all() {
        agree(&vector, FIRST);
    }
}

/// Positions after some ticks of `vector`.
pub(super) fn run(vector: &Vector, cuda: &mut Cuda, ticks: usize) -> Vec<u32> {
    let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
    for tick in 0..ticks {
        let scene = vector.scene(if tick == 0 { Change::Graph } else { Change::Nothing });
        cuda.advance(&scene, &mut positions, &mut velocities).unwrap().unwrap();
    }
    positions.iter().chain(&velocities).flatten().map(|c| c.to_bits()).collect()
}

#[test]
fn the_order_of_threads_and_blocks_does_not_change_a_bit() {
    for vector in vectors::all() {
        emulator::start(false, None);
        let forwards = run(&vector, &mut Cuda::open(FIRST).unwrap(), 3);
        emulator::start(true, None);
        let backwards = run(&vector, &mut Cuda::open(FIRST).unwrap(), 3);
        assert!(forwards == backwards, "{}", vector.name);
    }
}

#[test]
fn a_tick_is_two_graphs_that_are_recorded_once() {
    emulator::start(false, None);
    let vector = Vector::new("plane", Dim::Two, 4_500, Params::default(), false);
    run(&vector, &mut Cuda::open(FIRST).unwrap(), 6);
    let (launches, replays) = emulator::counts();
    // Seven kernels count, once for each mesh that is tried; ten do the rest, and one more for hubs.
    assert!((12..=24).contains(&replays), "{replays}");
    let counting = 7 * (replays - 6);
    assert!([6 * 10, 6 * 11].contains(&(launches - counting)), "{launches} {replays}");
}

/// A layout of a graph with the default parameters.
pub(super) fn layout(dim: Dim, nodes: u32, device: Device) -> Simulation {
    let graph = graphs::preferential(nodes, 3, 2);
    let mut layout = Simulation::new(dim, Params::default(), 3).unwrap();
    layout.set_device(device);
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    layout
}

/// From a calm layout on: ticks with hands, new nodes and new parameters between them.
pub(super) fn live(device: Device) -> Vec<(Processor, Vec<Point>)> {
    let mut layout = layout(Dim::Two, 4_500, Device::Cpu);
    for _ in 0..100 {
        layout.tick();
    }
    layout.set_device(device);
    let mut all = Vec::new();
    for tick in 0..30_u32 {
        match tick {
            5 => layout.pin(7, Some([30.0, 40.0, 0.0])).unwrap(),
            8 => layout.drag(9, [-60.0, 10.0, 0.0]).unwrap(),
            11 => layout.release(9).unwrap(),
            14 => layout.set_params(Params { gravity: 0.1, ..Params::default() }).unwrap(),
            17 => {
                let graph = graphs::preferential(4_700, 3, 2);
                layout.sync(&graph.nodes, &graph.edges).unwrap();
            }
            20 => layout.unpin(7).unwrap(),
            _ => {}
        }
        let report = layout.tick();
        all.push((report.processor, layout.positions().to_vec()));
    }
    all
}

#[test]
fn hands_and_changes_reach_the_device() {
    emulator::start(false, None);
    let found = live(Device::Cuda(Devices::FIRST));
    let right = live(Device::Cpu);
    let on_device =
        found.iter().filter(|(processor, _)| *processor == Processor::Cuda(Devices::FIRST)).count();
    assert!(on_device >= 15, "{on_device}");
    assert!(right.iter().all(|(processor, _)| *processor == Processor::Cpu));
    let same = |one: Point, other: Point| one.map(f32::to_bits) == other.map(f32::to_bits);
    for (tick, ((_, found), (_, right))) in found.iter().zip(&right).enumerate() {
        let off = apart(found, right);
        // What differs in the last digits grows by itself, fastest among newcomers, who move freely.
        assert!(off < if tick < 17 { 1e-2 } else { 5e-2 }, "{off} apart after tick {tick}");
        assert_eq!(same(found[7], [30.0, 40.0, 0.0]), (5..20).contains(&tick), "{tick}");
        assert_eq!(same(found[9], [-60.0, 10.0, 0.0]), (8..11).contains(&tick), "{tick}");
        assert_eq!(found.len(), if tick < 17 { 4_500 } else { 4_700 });
    }
}

#[test]
fn a_lost_device_is_announced_left_and_tried_again() {
    emulator::start(false, None);
    let mut layout = layout(Dim::Two, 4_500, Device::Cuda(Devices::FIRST));
    layout.set_params(Params { cooling: 0.0, tolerance: 1e-7, ..Params::default() }).unwrap();
    let on_device = (0..100).any(|_| layout.tick().processor == Processor::Cuda(Devices::FIRST));
    assert!(on_device, "the layout divides well enough for a device after some ticks");
    assert_eq!(layout.device_error(), None);

    // In the middle of a tick: after the nodes were counted, before they have moved.
    emulator::start(false, Some(10));
    let before = layout.positions().to_vec();
    assert_eq!(layout.tick().processor, Processor::Cpu);
    let error = layout.device_error().expect("the loss is announced").clone();
    assert!(matches!(&error, DeviceError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("launch failure"), "{error}");
    let off = apart(layout.positions(), &before);
    assert!(off > 0.0 && off < 0.1, "the processor went on from where the nodes were: {off}");

    // Asked again, but not at once, the driver says that there is none: so it is while a device resets.
    emulator::take_away();
    let gone = (0..400).position(|_| {
        assert_eq!(layout.tick().processor, Processor::Cpu);
        matches!(layout.device_error(), Some(DeviceError::NoDevice { ordinal: 0, .. }))
    });
    assert!(gone.is_some_and(|ticks| ticks >= 200), "{gone:?}");

    // It comes back all the same.
    emulator::start(false, None);
    let back = (0..700).position(|_| layout.tick().processor == Processor::Cuda(Devices::FIRST));
    assert!(back.is_some_and(|ticks| ticks >= 400), "{back:?}");
    assert_eq!(layout.device_error(), None);
    assert!(layout.positions().iter().flatten().all(|c| c.is_finite()));
}

#[test]
fn what_a_mesh_cannot_divide_is_left_to_the_processor() {
    emulator::start(false, None);
    // Two dense heaps at two ends of the world.
    let nodes: Vec<u32> = (0..4_200).collect();
    let place = |node: u32| {
        let end = if node.is_multiple_of(2) { -9e6 } else { 9e6 };
        (node, [end, (node % 70) as f32, (node / 70) as f32])
    };
    let saved: Vec<(u32, Point)> = nodes.iter().map(|node| place(*node)).collect();
    let mut layout = Simulation::new(Dim::Two, Params::default(), 3).unwrap();
    layout.set_device(Device::Cuda(Devices::FIRST));
    layout.sync(&nodes, &[]).unwrap();
    layout.restore(&saved).unwrap();
    assert_eq!(layout.tick().processor, Processor::Cpu);
    assert_eq!(layout.device_error(), None, "nothing is wrong with the device");
    // Only counting was tried, and nothing is held for another try.
    let held = emulator::held();
    assert!(held.most > 0 && held.most < 64 * 4_200, "{}", held.most);
    assert_eq!(held.memory, 0);
}

#[test]
fn a_layout_that_gets_constraints_leaves_the_device() {
    emulator::start(false, None);
    let mut layout = layout(Dim::Two, 4_500, Device::Cuda(Devices::FIRST));
    let reached = |layout: &mut Simulation| {
        (0..200).any(|_| layout.tick().processor == Processor::Cuda(Devices::FIRST))
            && emulator::held().memory > 0
    };
    assert!(reached(&mut layout));
    let rule = Rule::Distance { pairs: vec![(1, 2)], length: 30.0 };
    layout.set_constraints(vec![Constraint { strength: 1.0, rule }]).unwrap();
    assert_eq!(layout.tick().processor, Processor::Cpu);
    assert_eq!(emulator::held().memory, 0);
    layout.set_constraints(Vec::new()).unwrap();
    assert!(reached(&mut layout), "without them it comes back");
    assert_eq!(layout.device_error(), None);
}

#[test]
fn small_graphs_and_those_with_constraints_stay_on_the_processor() {
    emulator::start(false, None);
    let mut small = layout(Dim::Two, 500, Device::Cuda(Devices::FIRST));
    assert_eq!(small.tick().processor, Processor::Cpu);
    let mut large = layout(Dim::Two, 4_500, Device::Auto);
    assert_eq!(large.tick().processor, Processor::Cpu, "too small to be worth the way");
    assert_eq!(large.device_error(), None);
    large.set_device(Device::Cuda(Devices::new([7]).unwrap()));
    // It is looked for when the layout has been sketched.
    let looked = (0..400).any(|_| large.tick().processor == Processor::Cpu && large.device_error().is_some());
    assert!(looked && matches!(large.device_error(), Some(DeviceError::NoDevice { ordinal: 7, .. })));
    large.set_device(Device::Cpu);
    assert_eq!(large.device_error(), None, "nothing is wrong with what was not chosen");
}
