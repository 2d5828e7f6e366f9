//! After one tick, what each kernel has left in memory, against its twin.

use super::vectors::{self, Vector};
use super::{FIRST, emulator};
use crate::cpu::mesh;
use crate::cpu::solver::SOFTENING;
use crate::cuda::shape::Shape;
use crate::cuda::tick::Cuda;
use crate::cuda::twin::{bounds, cells, convolve, field, spread, step};
use crate::scene::Change;

#[test]
fn every_kernel_computes_what_its_twin_does() {
    emulator::start(false, None);
    for vector in vectors::all() {
        check(&vector, &mut Cuda::open(FIRST).unwrap());
    }
}

/// One tick of `vector`, kernel by kernel.
pub(super) fn check(vector: &Vector, cuda: &mut Cuda) {
    let name = vector.name;
    let scene = vector.scene(Change::Graph);
    let (mut positions, mut velocities) = (vector.positions.clone(), vector.velocities.clone());
    let outcome = cuda.advance(&scene, &mut positions, &mut velocities).unwrap().unwrap();
    let found = cuda.inspect(0, &scene).by_node();
    let Shape { axes, side, count } = found.shape;
    let (axes, side) = (axes as usize, side as usize);

    let softening = SOFTENING * vector.params.rest_length();
    let frame = bounds::frame(&vector.positions, count, mesh::LEAST_REACH * softening);
    assert_eq!(found.report.bounds, frame.bounds, "{name}");
    assert!((found.report.reach - frame.reach).abs() <= 1e-6 * frame.reach, "{name}");
    let off = (0..3).map(|axis| (found.report.origin[axis] - frame.origin[axis]).abs());
    assert!(off.fold(0.0, f32::max) <= 1e-5 * count as f32 * frame.reach, "{name}");

    // To the bit, given the frame.
    let report = &found.report;
    let sorted = cells::sort(&vector.positions, &vector.masses, report.origin, report.scale, count, axes);
    assert!(sorted.cell_of == found.cell_of, "{name}: cells");
    assert!(sorted.starts == found.starts, "{name}: starts");
    assert!(sorted.order == found.order, "{name}: order");
    assert!(sorted.cell_at == found.cell_at, "{name}: sorted cells");
    assert!(sorted.places == found.places, "{name}: places");
    assert_eq!(sorted.squares, report.squares, "{name}");

    // The mesh has become the potential: masses are checked through it, and alone in `transforms.rs`.
    let masses = spread::spread(&sorted.places, side, axes);
    let octant = if axes == 2 { mesh::long_part::<2>(side) } else { mesh::long_part::<3>(side) };
    let potential = convolve::convolve(&masses, &octant, side, axes);
    let off = relative(found.mesh.iter().map(|value| f64::from(*value)).zip(potential));
    assert!(off < 1e-5, "{name}: potential off by {off}");

    let fields =
        field::fields(&sorted, &found.mesh, (side, count as usize, axes), (softening, report.reach), 7);
    let pushes = fields.iter().flat_map(|(node, (field, _))| {
        let found = found.fields[*node as usize];
        (0..3).map(move |axis| (f64::from(found[axis]), field[axis]))
    });
    let off = relative(pushes);
    assert!(off < 2e-4, "{name}: push off by {off}");
    for (node, (field, same)) in &fields {
        let (node, stiffness) = (*node as usize, f64::from(found.fields[*node as usize][3]));
        assert!((stiffness - field[3]).abs() < 2e-3 * field[3], "{name}: {stiffness} {}", field[3]);
        assert_eq!(found.same[node] != 0, *same, "{name}: {node}");
    }

    let before = step::Before {
        positions: &vector.positions,
        velocities: &vector.velocities,
        extent: report.extent,
        softening,
    };
    let mut moved = 0.0;
    let (mut longest, mut free, mut parted) = (0.0_f64, 0, 0);
    for node in 0..positions.len() {
        let same = found.same[node] != 0;
        if vector.fixed[node] {
            assert!(positions[node].map(f32::to_bits) == vector.positions[node].map(f32::to_bits), "{name}");
            assert!(velocities[node].map(f32::to_bits) == [0; 3], "{name}");
            continue;
        }
        let (to, way) = step::step(&scene, &before, node, found.fields[node], same);
        let size = to.iter().fold(1.0_f64, |size, c| size.max(c.abs()));
        for axis in 0..3 {
            let off = (f64::from(positions[node][axis]) - to[axis]).abs();
            assert!(off < 2e-5 * size, "{name}: node {node} at {:?}, not {to:?}", positions[node]);
            // Being parted from another node is no momentum.
            let off = (f64::from(velocities[node][axis]) - way[axis]).abs();
            assert!(off < 2e-5 * size, "{name}: node {node} went {:?}, not {way:?}", velocities[node]);
        }
        free += 1;
        parted += u32::from(same);
        let way = (0..3).map(|axis| f64::from(velocities[node][axis]).powi(2)).sum::<f64>().sqrt();
        moved += way;
        longest = longest.max(way);
    }
    assert_eq!(outcome.movement.free, free, "{name}");
    assert_eq!(report.parted, parted, "{name}");
    assert!((outcome.movement.sum - moved).abs() < 1e-4 * moved, "{name}: {moved}");
    assert!((f64::from(outcome.movement.max) - longest).abs() < 1e-4 * longest, "{name}: {longest}");
}

/// Root mean square of the differences of pairs, over that of the second ones.
pub(super) fn relative(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (off, all) = pairs
        .fold((0.0, 0.0), |(off, all), (found, right)| (off + (found - right).powi(2), all + right.powi(2)));
    (off / all).sqrt()
}
