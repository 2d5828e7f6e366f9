//! The kernels of a tick, in order.
//!
//! Each device of a layout sorts all nodes and transforms the whole mesh; masses, forces and steps are those of its share. So of
//! the lists below, devices exchange what they have computed after [`masses`] (mesh points) and after
//! [`forces`] (the nodes of a share, where they go). Where there is one device, nothing is exchanged.

use std::ops::Range;

use super::divide::Share;
use super::machine::{Argument, Launch};
use super::memory::{MOST_PIECES, Memory, SCANNED, Sizes, Tables};
use super::shape::{Shape, blocks};

/// Every kernel that is launched.
pub(super) const KERNELS: [&str; 24] = [
    "bounds_pieces",
    "bounds_frame",
    "cells_clear",
    "cells_count",
    "cells_scan",
    "cells_totals",
    "cells_starts",
    "share_nodes",
    "share_points",
    "cells_arrive",
    "cells_order",
    "spread_2",
    "spread_3",
    "convolve_forward_x",
    "convolve_forward_y",
    "convolve_filter",
    "convolve_inverse_y",
    "convolve_inverse_x",
    "field_2",
    "field_3",
    "springs_long",
    "step_nodes",
    "step_total",
    "step_commit",
];

/// Lists the arguments of a launch.
macro_rules! launch {
    ($kernel:expr, $grid:expr, $shared:expr, [$($argument:expr),* $(,)?]) => {
        Launch {
            kernel: $kernel,
            grid: $grid,
            shared: $shared,
            arguments: vec![$(Argument::from($argument)),*],
        }
    };
}

/// The first part of a tick: where the nodes lie, and how many in each near cell. After it, the host knows
/// whether the mesh is fine enough.
pub(super) fn count(memory: &Memory, sizes: Sizes, shape: &Shape) -> Vec<Launch> {
    let m = memory;
    let (nodes, cells) = (sizes.nodes, shape.cells());
    let pieces = blocks(nodes).min(MOST_PIECES);
    let parts = cells.div_ceil(SCANNED);
    vec![
        launch!("bounds_pieces", pieces, 0, [&m.positions, &m.pieces, nodes]),
        launch!("bounds_frame", 1, 0, [&m.pieces, &m.knobs, &m.report, pieces, shape.count]),
        launch!("cells_clear", blocks(cells), 0, [&m.counts, cells]),
        launch!(
            "cells_count",
            blocks(nodes),
            0,
            [&m.positions, &m.knobs, &m.report, &m.cell_of, &m.arrival, &m.counts, nodes, shape.count,]
        ),
        launch!("cells_scan", parts, 0, [&m.counts, &m.starts, &m.totals, &m.report, cells]),
        launch!("cells_totals", 1, 0, [&m.totals, parts]),
        launch!("cells_starts", blocks(cells + 1), 0, [&m.starts, &m.totals, cells, nodes]),
    ]
}

/// What there is to share: what each block of nodes, and of mesh points, costs. After counting.
pub(super) fn costs(memory: &Memory, sizes: Sizes, shape: &Shape) -> Vec<Launch> {
    let (m, nodes, points) = (memory, sizes.nodes, shape.points());
    vec![
        launch!(
            "share_nodes",
            blocks(nodes),
            0,
            [&m.starts, &m.node_costs, nodes, shape.axes, shape.count, shape.cells()]
        ),
        launch!(
            "share_points",
            blocks(points),
            0,
            [&m.starts, &m.point_costs, shape.side, shape.axes, shape.count, points]
        ),
    ]
}

/// The second part: all nodes in order, and the masses at the mesh points of a share.
pub(super) fn masses(memory: &Memory, sizes: Sizes, shape: &Shape, share: &Share) -> Vec<Launch> {
    let m = memory;
    let nodes = sizes.nodes;
    vec![
        launch!("cells_arrive", blocks(nodes), 0, [&m.cell_of, &m.arrival, &m.starts, &m.arrived, nodes]),
        launch!(
            "cells_order",
            blocks(nodes),
            0,
            [
                &m.positions,
                &m.masses,
                &m.knobs,
                &m.report,
                &m.cell_of,
                &m.starts,
                &m.arrived,
                &m.order,
                // How many came before each is not needed any more.
                &m.arrival,
                &m.cell_at,
                &m.places,
                nodes,
                shape.count,
            ]
        ),
        spread(memory, shape, &share.points),
    ]
}

/// The third part: the potential on the whole mesh, and where the nodes of a share go.
pub(super) fn forces(
    memory: &Memory,
    sizes: Sizes,
    shape: &Shape,
    tables: &Tables,
    share: &Share,
) -> Vec<Launch> {
    let m = memory;
    let Range { start, end } = share.nodes;
    let mut launches = convolve(memory, shape, tables);
    launches.push(launch!(
        if shape.axes == 2 { "field_2" } else { "field_3" },
        blocks(end - start),
        0,
        [
            &m.places,
            &m.cell_at,
            &m.starts,
            &m.mesh,
            &m.knobs,
            &m.report,
            &m.fields,
            &m.same,
            shape.side,
            shape.count,
            start,
            end,
        ]
    ));
    launches.extend(step(memory, sizes, &share.nodes));
    launches
}

/// The last part: the new positions become the positions.
pub(super) fn commit(memory: &Memory, sizes: Sizes) -> Vec<Launch> {
    let (m, nodes) = (memory, sizes.nodes);
    vec![
        launch!("step_total", 1, 0, [&m.movements, &m.report, blocks(nodes)]),
        launch!(
            "step_commit",
            blocks(nodes),
            0,
            [&m.moved, &m.same, &m.order, &m.fixed, &m.ids, &m.knobs, &m.positions, &m.velocities, nodes,]
        ),
    ]
}

/// Masses onto some points of the mesh.
pub(super) fn spread(memory: &Memory, shape: &Shape, points: &Range<u32>) -> Launch {
    let (m, Range { start, end }) = (memory, points.clone());
    let kernel = if shape.axes == 2 { "spread_2" } else { "spread_3" };
    let grid = blocks(end - start);
    launch!(kernel, grid, 0, [&m.places, &m.starts, &m.mesh, shape.side, shape.count, start, end])
}

/// Masses on the mesh to potential.
pub(super) fn convolve(memory: &Memory, shape: &Shape, tables: &Tables) -> Vec<Launch> {
    let m = memory;
    let (side, axes, lines, shared) = (shape.side, shape.axes, shape.lines(), shape.shared());
    let (pairs, last) = (shape.pairs(), shape.last_lines());
    let along_y = |kernel| {
        let grid = side * shape.waves().div_ceil(lines);
        launch!(kernel, grid, shared, [&m.spectra, &tables.roots, side, lines])
    };
    let mut launches = vec![launch!(
        "convolve_forward_x",
        pairs.div_ceil(lines),
        shared,
        [&m.mesh, &m.spectra, &tables.roots, side, axes, pairs, lines,]
    )];
    if axes == 3 {
        launches.push(along_y("convolve_forward_y"));
    }
    launches.push(launch!(
        "convolve_filter",
        last.div_ceil(lines),
        shared,
        [&m.spectra, &tables.octant, &tables.roots, side, axes, last, lines,]
    ));
    if axes == 3 {
        launches.push(along_y("convolve_inverse_y"));
    }
    launches.push(launch!(
        "convolve_inverse_x",
        pairs.div_ceil(lines),
        shared,
        [&m.spectra, &m.mesh, &tables.roots, side, axes, pairs, lines,]
    ));
    launches
}

/// Springs, gravity and the step of some nodes.
fn step(memory: &Memory, sizes: Sizes, share: &Range<u32>) -> Vec<Launch> {
    let m = memory;
    let weighted = u32::from(sizes.weighted);
    let Range { start, end } = share.clone();
    let mut launches = Vec::new();
    if sizes.hubs > 0 {
        launches.push(launch!(
            "springs_long",
            sizes.hubs,
            0,
            [
                &m.positions,
                &m.rows,
                &m.neighbours,
                &m.weights,
                &m.knobs,
                &m.hubs,
                &m.arrival,
                &m.pulls,
                weighted,
                start,
                end,
            ]
        ));
    }
    launches.push(launch!(
        "step_nodes",
        blocks(end - start),
        0,
        [
            &m.positions,
            &m.velocities,
            &m.moved,
            &m.masses,
            &m.fixed,
            &m.warmth,
            &m.rows,
            &m.neighbours,
            &m.weights,
            &m.pulls,
            &m.fields,
            &m.same,
            &m.order,
            &m.knobs,
            &m.report,
            &m.movements,
            weighted,
            start,
            end,
        ]
    ));
    launches
}
