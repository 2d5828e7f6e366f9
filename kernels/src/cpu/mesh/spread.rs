//! Masses onto the mesh.
//!
//! Nodes are sorted, so a slab of cells is a run of nodes. A slab's splines reach into the next
//! slab and no further: first every other slab is spread at once, then those between. No two
//! threads ever touch the same mesh point, and the order of the sums is fixed.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use rayon::prelude::*;
use wide::f32x4;

use super::cells::Cells;
use super::frame::{Frame, SLAB, slab_rows};
use super::spline::{Spline, TAPS};
#[cfg(target_arch = "x86_64")]
use super::vectors::FUSED;
use super::vectors::{LEAST, fused_4};

/// Replaces what is on `mesh` (`side` points along each axis) by the masses of all nodes that are no heavier than `limit`.
pub(super) fn spread<const D: usize>(
    frame: &Frame<D>,
    cells: &Cells,
    limit: f32,
    side: usize,
    mesh: &mut [f32],
) {
    let slab = slab_rows::<D>() * side.pow(D as u32 - 1);
    mesh.par_chunks_mut(2 * slab).enumerate().for_each(|(pair, mesh)| {
        mesh.fill(0.0);
        spread_slab(frame, cells, limit, 2 * pair, side, mesh);
    });
    mesh[slab..]
        .par_chunks_mut(2 * slab)
        .enumerate()
        .for_each(|(pair, mesh)| spread_slab(frame, cells, limit, 2 * pair + 1, side, mesh));
}

/// Adds the nodes of slab `slab` to the part of the mesh that begins with it.
fn spread_slab<const D: usize>(
    frame: &Frame<D>,
    cells: &Cells,
    limit: f32,
    slab: usize,
    side: usize,
    mesh: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        #[expect(unsafe_code, reason = "faster; safe code cannot choose at run time")]
        // SAFETY: the function's only condition is that the processor has AVX2 and FMA, checked above.
        unsafe {
            return spread_slab_avx2(frame, cells, limit, slab, side, mesh);
        }
    }
    spread_slab_inline::<D, LEAST>(frame, cells, limit, slab, side, mesh);
}

/// [`spread_slab_inline`], compiled for processors with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn spread_slab_avx2<const D: usize>(
    frame: &Frame<D>,
    cells: &Cells,
    limit: f32,
    slab: usize,
    side: usize,
    mesh: &mut [f32],
) {
    spread_slab_inline::<D, FUSED>(frame, cells, limit, slab, side, mesh);
}

#[inline(always)]
fn spread_slab_inline<const D: usize, const KIND: u8>(
    frame: &Frame<D>,
    cells: &Cells,
    limit: f32,
    slab: usize,
    side: usize,
    mesh: &mut [f32],
) {
    let row = frame.count.pow(D as u32 - 1);
    let begin = |slab: usize| cells.starts[((1 + slab * SLAB) * row).min(cells.starts.len() - 1)] as usize;
    let skipped = slab * slab_rows::<D>();
    for at in begin(slab)..begin(slab + 1) {
        let local: [f32; D] = cells.local(at);
        let mut splines: [Spline; D] = std::array::from_fn(|axis| Spline::new::<D>(local[axis]));
        splines[D - 1].base -= skipped;
        if let [x, outer @ ..] = &splines[..] {
            let mass = cells.mass[at];
            add::<KIND>(mesh, side, x, outer, if mass > limit { 0.0 } else { mass });
        }
    }
}

/// Adds `mass` to the points round a node: `x` along the rows, `outer` across them.
#[inline(always)]
fn add<const KIND: u8>(mesh: &mut [f32], side: usize, x: &Spline, outer: &[Spline], mass: f32) {
    let along = x.weights() * f32x4::splat(mass);
    match outer {
        [y] => add_plane::<KIND>(&mut mesh[y.base * side + x.base..], side, along, y),
        [y, z] => {
            for (layer, share) in z.weights().to_array().into_iter().enumerate() {
                let first = ((z.base + layer) * side + y.base) * side + x.base;
                add_plane::<KIND>(&mut mesh[first..], side, along * f32x4::splat(share), y);
            }
        }
        _ => {}
    }
}

#[inline(always)]
fn add_plane<const KIND: u8>(mesh: &mut [f32], side: usize, along: f32x4, y: &Spline) {
    for (tap, share) in y.weights().to_array().into_iter().enumerate() {
        if let Some(points) = mesh[tap * side..].first_chunk_mut::<TAPS>() {
            *points = fused_4::<KIND>(along, f32x4::splat(share), f32x4::new(*points)).to_array();
        }
    }
}
