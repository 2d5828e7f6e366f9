//! Several devices, against one and against the processor: the same bits, whatever the graph and whoever does what.

use super::ticks::{self, layout, live};
use super::vectors::{self, Vector};
use super::{FIRST, emulator};
use crate::adjacency::Edge;
use crate::cuda::tick::Cuda;
use crate::device::Wanted;
use crate::graphs::{self, Random, link};
use crate::scene::Change;
use crate::{Device, DeviceError, Devices, Dim, Params, Point, Processor, Simulation};

fn devices(ordinals: impl IntoIterator<Item = u32>) -> Devices {
    Devices::new(ordinals).unwrap()
}

/// The first `count` devices.
fn wanted(count: u32) -> Wanted {
    Wanted::These(devices(0..count))
}

/// Stars of `leaves` leaves each; with one star it is more than a device gets from a layout.
fn stars(name: &'static str, dim: Dim, count: u32, leaves: u32) -> Vector {
    let nodes: Vec<u32> = (0..count * (leaves + 1)).collect();
    let edges: Vec<Edge> = nodes
        .iter()
        .filter(|node| **node % (leaves + 1) != 0)
        .map(|node| link(node - node % (leaves + 1), *node))
        .collect();
    Vector::of(name, dim, &nodes, &edges, Params::default())
}

/// Many loose components: pairs, chains of three, and nodes alone.
fn dust(dim: Dim) -> Vector {
    let nodes: Vec<u32> = (0..4_600).collect();
    let edges: Vec<Edge> = nodes
        .iter()
        .filter(|node| **node % 6 < 3 && **node % 3 != 0)
        .map(|node| link(node - 1, *node))
        .collect();
    Vector::of("dust", dim, &nodes, &edges, Params::default())
}

/// Most nodes in one corner, some of them in one and the same place, in which pins and own heat change the step.
fn crowded(dim: Dim) -> Vector {
    let mut vector = Vector::new("crowded", dim, 4_500, Params::default(), true);
    let side = crate::Bounds::of(&vector.positions).side();
    let mut random = Random::new(3);
    for slot in 0..vector.ids.len() {
        if slot % 8 != 0 {
            vector.positions[slot] = vector.positions[slot].map(|c| 0.5 * c + 0.25 * side);
        }
        vector.fixed[slot] = slot % 19 == 4;
        vector.warmth[slot] = random.below(3) as f32 / 2.0;
    }
    if dim == Dim::Two {
        vector.positions.iter_mut().for_each(|position| position[2] = 0.0);
    }
    let heap = vector.positions[9];
    vector.positions[1_000..1_030].fill(heap);
    vector
}

/// The vectors of one device, and what is hard to divide.
pub(super) fn vectors() -> Vec<Vector> {
    let mut all = vectors::all();
    all.extend(uneven());
    all
}

/// What is hard to divide.
fn uneven() -> Vec<Vector> {
    let mut all = Vec::new();
    for dim in [Dim::Two, Dim::Three] {
        all.extend([stars("one star", dim, 1, 4_300), stars("stars", dim, 29, 160), dust(dim), crowded(dim)]);
    }
    all
}

/// Some ticks on several devices come to the bits that one comes to, on each of them.
pub(super) fn same_as_one(vector: &Vector, several: &mut Cuda, ticks: usize) {
    let one = ticks::run(vector, &mut Cuda::open(FIRST).unwrap(), ticks);
    let found = ticks::run(vector, several, ticks);
    assert!(found == one, "{}: other bits", vector.name);
    let scene = vector.scene(Change::Nothing);
    for device in 0..several.parts.len() {
        let left = several.inspect(device, &scene);
        let bits = |points: &[Point]| points.as_flattened().iter().map(|c| c.to_bits()).collect::<Vec<_>>();
        let (positions, velocities) = one.split_at(one.len() / 2);
        assert!(bits(&left.positions) == positions, "{}: device {device} lies elsewhere", vector.name);
        assert!(bits(&left.velocities) == velocities, "{}: device {device} went elsewhere", vector.name);
    }
}

#[test]
fn two_devices_come_to_the_bits_of_one() {
    emulator::start_several(false, 2, true);
    for vector in vectors() {
        same_as_one(&vector, &mut Cuda::open(wanted(2)).unwrap(), 2);
    }
}

#[test]
fn three_devices_that_do_not_reach_each_other_come_to_the_bits_of_one() {
    // Also in the other order of threads and blocks.
    emulator::start_several(true, 3, false);
    for vector in uneven() {
        same_as_one(&vector, &mut Cuda::open(wanted(3)).unwrap(), 2);
    }
}

#[test]
fn ticks_of_several_are_those_of_the_processor() {
    emulator::start_several(false, 3, true);
    for vector in vectors::all().iter().take(2) {
        ticks::agree(vector, wanted(3));
    }
    // What the processor does otherwise (a hub off the mesh) may differ by more, but not by what can be seen.
    for vector in uneven().iter().filter(|vector| vector.name != "crowded") {
        let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
        let (mut others, mut their) = (positions.clone(), velocities.clone());
        let scene = vector.scene(Change::Graph);
        crate::cpu::solver::Solver::default().advance(&scene, &mut others, &mut their);
        Cuda::open(wanted(3)).unwrap().advance(&scene, &mut positions, &mut velocities).unwrap().unwrap();
        let off = ticks::apart(&positions, &others);
        assert!(off < 1e-3, "{} {:?}: {off} apart", vector.name, vector.dim);
    }
}

#[test]
fn there_may_be_fewer_nodes_than_devices() {
    emulator::start_several(false, 6, true);
    let nodes: Vec<u32> = (0..4).collect();
    let edges = [link(0, 1), link(1, 2), link(2, 3)];
    let mut vector = Vector::of("four nodes", Dim::Two, &nodes, &edges, Params::default());
    vector.positions = vec![[0.0; 3], [40.0, 3.0, 0.0], [44.0, 50.0, 0.0], [-10.0, 60.0, 0.0]];
    vector.velocities = vec![[0.0; 3]; 4];
    same_as_one(&vector, &mut Cuda::open(wanted(6)).unwrap(), 5);
}

#[test]
fn hands_and_changes_reach_all_devices() {
    emulator::start_several(false, 2, true);
    let both = devices([0, 1]);
    let found = live(Device::Cuda(both));
    let one = live(Device::Cuda(Devices::FIRST));
    let shared = found.iter().filter(|(processor, _)| *processor == Processor::Cuda(both)).count();
    assert!(shared >= 15, "{shared}");
    for (tick, ((found_on, found), (on, right))) in found.iter().zip(&one).enumerate() {
        assert_eq!(*found_on == Processor::Cpu, *on == Processor::Cpu, "tick {tick}");
        assert!(found == right, "tick {tick}: not where one device puts it");
    }
}

/// Nodes that all begin in one place.
fn heap(device: Device) -> Simulation {
    let graph = graphs::preferential(4_400, 3, 2);
    let mut layout = Simulation::new(Dim::Three, Params::default(), 3).unwrap();
    layout.set_device(device);
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    let place: Vec<(u32, Point)> = graph.nodes.iter().map(|node| (*node, [5.0, 5.0, 5.0])).collect();
    layout.restore(&place).unwrap();
    layout
}

#[test]
fn a_layout_that_begins_in_one_place_is_left_to_the_processor_by_all() {
    emulator::start_several(false, 3, true);
    let (mut found, mut right) = (heap(Device::CudaAll), heap(Device::Cuda(Devices::FIRST)));
    assert_eq!(found.tick().processor, Processor::Cpu, "no mesh divides it");
    assert_eq!(found.device_error(), None, "nothing is wrong with the devices");
    assert!(emulator::launches_on(2) > 0, "the last one has counted, too");
    assert_eq!(emulator::held().memory, 0, "and no device keeps anything");
    right.tick();
    for tick in 0..75 {
        found.tick();
        right.tick();
        assert!(found.positions() == right.positions(), "tick {tick}");
    }
}

/// A layout on devices that does not come to rest.
fn running(device: Device, on: Devices) -> Simulation {
    let mut layout = layout(Dim::Two, 4_500, device);
    layout.set_params(Params { cooling: 0.0, tolerance: 1e-7, ..Params::default() }).unwrap();
    let reached = (0..100).any(|_| layout.tick().processor == Processor::Cuda(on));
    assert!(reached, "the layout divides well enough for devices after some ticks");
    assert_eq!(layout.device_error(), None);
    layout
}

/// Loses device 1 in the middle of a tick, which the processor then makes.
fn lose_the_second(layout: &mut Simulation) {
    emulator::lose(1, 9);
    let before = layout.positions().to_vec();
    let lost = (0..2).any(|_| layout.tick().processor == Processor::Cpu);
    assert!(lost, "the next tick at the latest finds out");
    let error = layout.device_error().expect("the loss is announced").clone();
    assert!(matches!(&error, DeviceError::Failed { ordinal: 1, .. }), "{error}");
    let off = ticks::apart(layout.positions(), &before);
    assert!(off > 0.0 && off < 0.2, "the processor went on from where the nodes were: {off}");
    assert_eq!(emulator::held().memory, 0, "nothing is left on the others");
}

#[test]
fn without_one_of_those_named_the_processor_goes_on_until_it_is_back() {
    emulator::start_several(false, 2, true);
    let both = devices([0, 1]);
    let mut layout = running(Device::Cuda(both), both);
    lose_the_second(&mut layout);

    // Asked for again, it is not there.
    emulator::start_several(false, 1, true);
    let gone = (0..300).any(|_| {
        assert_eq!(layout.tick().processor, Processor::Cpu);
        matches!(layout.device_error(), Some(DeviceError::NoDevice { ordinal: 1, .. }))
    });
    assert!(gone, "it says which one is missing");

    emulator::change_devices(2, true);
    let back = (0..600).any(|_| layout.tick().processor == Processor::Cuda(both));
    assert!(back && layout.device_error().is_none());
}

#[test]
fn where_all_were_chosen_the_others_go_on_without_the_lost_one() {
    emulator::start_several(false, 3, true);
    let mut layout = running(Device::CudaAll, devices([0, 1, 2]));
    lose_the_second(&mut layout);
    // It stays lost for this process.
    let rest = devices([0, 2]);
    let on = (0..300).any(|_| layout.tick().processor == Processor::Cuda(rest));
    assert!(on && layout.device_error().is_none());
    assert!(layout.positions().iter().flatten().all(|c| c.is_finite()));
}

#[test]
fn all_devices_may_be_one_or_none() {
    emulator::start_several(false, 1, true);
    let one = running(Device::CudaAll, Devices::FIRST);
    drop(one);
    emulator::take_away();
    let mut none = layout(Dim::Two, 4_500, Device::CudaAll);
    let missed = (0..400).any(|_| {
        none.tick();
        matches!(none.device_error(), Some(DeviceError::NoDevice { ordinal: 0, .. }))
    });
    assert!(missed);
}

#[test]
fn devices_of_one_generation_share_a_layout_and_others_do_not() {
    emulator::start_several(false, 3, true);
    emulator::change_generation(1, 8);
    assert_eq!(Cuda::open(Wanted::All).unwrap().devices(), devices([0, 2]));
    let error = Cuda::open(wanted(2)).unwrap_err();
    assert!(matches!(&error, DeviceError::Failed { ordinal: 1, .. }), "{error}");
    // One that is too old is passed over, and does not hide that another one may come back.
    emulator::change_generation(0, 6);
    assert_eq!(Cuda::open(Wanted::All).unwrap().devices(), devices([1]));
    emulator::change_generation(1, 6);
    emulator::change_generation(2, 6);
    let error = Cuda::open(Wanted::All).unwrap_err();
    assert!(matches!(error, DeviceError::TooOld { ordinal: 0, major: 6, minor: 0 }), "{error}");
}

#[test]
fn more_devices_than_a_device_has_ways_to_share_a_layout() {
    emulator::start_several(false, 12, true);
    let all = Cuda::open(Wanted::All).unwrap();
    assert_eq!(all.devices(), devices(0..12));
}
