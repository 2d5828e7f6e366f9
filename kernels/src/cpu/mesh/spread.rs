//! Masses onto the mesh.
//!
//! Nodes are sorted, so a slab of cells is a run of nodes. A slab's splines reach into the next
//! slab and no further: first every other slab is spread at once, then those between. No two
//! threads ever touch the same mesh point, and the order of the sums is fixed.

use rayon::prelude::*;
use wide::f32x4;

use super::cells::Cells;
use super::frame::{Frame, SLAB, slab_rows};
use super::spline::{Spline, TAPS};

/// Replaces what is on `mesh` (`side` points along each axis) by the masses of all nodes.
pub(super) fn spread<const D: usize>(frame: &Frame<D>, cells: &Cells, side: usize, mesh: &mut [f32]) {
    let slab = slab_rows::<D>() * side.pow(D as u32 - 1);
    mesh.par_chunks_mut(2 * slab).enumerate().for_each(|(pair, mesh)| {
        mesh.fill(0.0);
        spread_slab(frame, cells, 2 * pair, side, mesh);
    });
    mesh[slab..]
        .par_chunks_mut(2 * slab)
        .enumerate()
        .for_each(|(pair, mesh)| spread_slab(frame, cells, 2 * pair + 1, side, mesh));
}

/// Adds the nodes of slab `slab` to the part of the mesh that begins with it.
fn spread_slab<const D: usize>(frame: &Frame<D>, cells: &Cells, slab: usize, side: usize, mesh: &mut [f32]) {
    let row = frame.count.pow(D as u32 - 1);
    let begin = |slab: usize| cells.starts[((1 + slab * SLAB) * row).min(cells.starts.len() - 1)] as usize;
    let skipped = slab * slab_rows::<D>();
    for at in begin(slab)..begin(slab + 1) {
        let local: [f32; D] = cells.local(at);
        let mut splines: [Spline; D] = std::array::from_fn(|axis| Spline::new::<D>(local[axis]));
        splines[D - 1].base -= skipped;
        if let [x, outer @ ..] = &splines[..] {
            add(mesh, side, x, outer, cells.mass[at]);
        }
    }
}

/// Adds `mass` to the points round a node: `x` along the rows, `outer` across them.
fn add(mesh: &mut [f32], side: usize, x: &Spline, outer: &[Spline], mass: f32) {
    let along = x.weights() * f32x4::splat(mass);
    match outer {
        [y] => add_plane(&mut mesh[y.base * side + x.base..], side, along, y),
        [y, z] => {
            for (layer, share) in z.weights().to_array().into_iter().enumerate() {
                let first = ((z.base + layer) * side + y.base) * side + x.base;
                add_plane(&mut mesh[first..], side, along * f32x4::splat(share), y);
            }
        }
        _ => {}
    }
}

fn add_plane(mesh: &mut [f32], side: usize, along: f32x4, y: &Spline) {
    for (tap, share) in y.weights().to_array().into_iter().enumerate() {
        if let Some(points) = mesh[tap * side..].first_chunk_mut::<TAPS>() {
            *points = (f32x4::new(*points) + along * f32x4::splat(share)).to_array();
        }
    }
}
