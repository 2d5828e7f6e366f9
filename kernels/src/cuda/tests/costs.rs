//! Do the kernels that say what there is to share count as their twins do?

use super::emulator;
use crate::Dim;
use crate::cuda::launches::{self, KERNELS};
use crate::cuda::machine::Machine;
use crate::cuda::memory::{Memory, Sizes, put};
use crate::cuda::shape::Shape;
use crate::cuda::twin::{cells, share};
use crate::graphs::Random;

/// Counts what random nodes cost, of which half lie in one corner.
fn counts(machine: &mut Machine, dim: Dim, index: usize, nodes: u32) {
    let shape = Shape::new(dim, index);
    let axes = shape.axes as usize;
    let mut random = Random::new(u64::from(nodes));
    let inner = (shape.count - 2) as f32;
    let positions: Vec<[f32; 3]> = (0..nodes)
        .map(|node| {
            let wide = if node % 2 == 0 { inner } else { 0.3 * inner };
            [0, 1, 2].map(|axis| if axis < axes { wide * random.below(4_000) as f32 / 4_000.0 } else { 0.0 })
        })
        .collect();
    let masses = vec![1.0; positions.len()];
    let sorted = cells::sort(&positions, &masses, [-1.0; 3], 1.0, shape.count, axes);
    let (mut memory, sizes) = (Memory::default(), Sizes { nodes, ..Sizes::default() });
    put(machine, &mut memory.starts, bytemuck::cast_slice(&sorted.starts)).unwrap();
    let (node_bytes, point_bytes) = memory.take_costs(machine, sizes, &shape).unwrap();
    machine.play(1 << 40 | index as u64, || launches::costs(&memory, sizes, &shape)).unwrap();
    let wanted = [(&memory.node_costs, node_bytes), (&memory.point_costs, point_bytes)];
    let found: Vec<u64> = bytemuck::cast_slice(machine.read(&wanted).unwrap()).to_vec();
    let (side, count) = (shape.side as usize, shape.count as usize);
    let mut right = share::nodes(&sorted, count, axes);
    right.extend(share::points(&sorted, side, count, axes));
    assert_eq!(found, right, "{dim:?} {side} {nodes}");
    machine.forget();
}

#[test]
fn nodes_and_points_cost_what_is_looked_at() {
    emulator::start(false, None);
    let mut machine = Machine::open(0, &KERNELS).unwrap();
    // Also a number of nodes that ends inside a block, and next to none.
    for nodes in [3, 512, 900] {
        counts(&mut machine, Dim::Two, 4, nodes);
        counts(&mut machine, Dim::Two, 8, nodes);
        counts(&mut machine, Dim::Three, 0, nodes);
        counts(&mut machine, Dim::Three, 2, nodes);
    }
}
