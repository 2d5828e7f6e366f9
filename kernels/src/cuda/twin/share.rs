//! What nodes and mesh points cost: twin of `share.cu`, by looking at every cell for each of them.

use super::cells::Cells;

/// Beside its near pairs, and beside the nodes that touch it.
const NODE: u64 = 64;
const POINT: u64 = 8;
/// Nodes, or mesh points, that are counted together.
const TOGETHER: usize = 256;

/// Place of a cell or a mesh point along an axis.
fn coordinate(number: usize, base: usize, axis: usize) -> i64 {
    (number / base.pow(axis as u32) % base) as i64
}

/// What the nodes cost, in the order of the cells, of which there are `count` along each axis.
pub(in crate::cuda) fn nodes(cells: &Cells, count: usize, axes: usize) -> Vec<u64> {
    let near = |one: usize, other: usize| {
        (0..axes).all(|axis| coordinate(one, count, axis).abs_diff(coordinate(other, count, axis)) <= 1)
    };
    let held: Vec<usize> = (0..count.pow(axes as u32)).filter(|cell| in_cell(cells, *cell) > 0).collect();
    let cost = |cell: u32| {
        let seen: u64 = held
            .iter()
            .filter(|other| near(cell as usize, **other))
            .map(|other| in_cell(cells, *other))
            .sum();
        NODE + seen
    };
    let costs: Vec<u64> = cells.cell_at.iter().map(|cell| cost(*cell)).collect();
    together(&costs)
}

/// What the points of a mesh of `side` points along each axis cost.
pub(in crate::cuda) fn points(cells: &Cells, side: usize, count: usize, axes: usize) -> Vec<u64> {
    let held: Vec<usize> = (0..count.pow(axes as u32)).filter(|cell| in_cell(cells, *cell) > 0).collect();
    let touches = |cell: usize, point: usize| {
        (0..axes).all(|axis| {
            let (cell, point) = (coordinate(cell, count, axis), coordinate(point, side, axis));
            // A spline begins at the mesh point before its node and has four; in 2D two mesh points make a cell.
            let (first, last) = if axes == 2 { (2 * cell - 2, 2 * cell + 2) } else { (cell - 1, cell + 2) };
            (first..=last).contains(&point)
        })
    };
    let cost = |point: usize| {
        let seen: u64 =
            held.iter().filter(|cell| touches(**cell, point)).map(|cell| in_cell(cells, *cell)).sum();
        POINT + seen
    };
    let costs: Vec<u64> = (0..side.pow(axes as u32)).map(cost).collect();
    together(&costs)
}

fn in_cell(cells: &Cells, cell: usize) -> u64 {
    u64::from(cells.starts[cell + 1] - cells.starts[cell])
}

fn together(costs: &[u64]) -> Vec<u64> {
    costs.chunks(TOGETHER).map(|costs| costs.iter().sum()).collect()
}
