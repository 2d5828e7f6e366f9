//! The push on a node from the mesh: the slope of the potential there.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use wide::f32x4;

use super::spline::{Spline, TAPS};
use super::vectors::fused_4;

/// The downward slope of the potential on `mesh` at `local`, per mesh point, and how strongly the
/// potential bends there: the Frobenius norm of its second derivatives, per mesh point squared.
#[inline(always)]
pub(super) fn slope<const D: usize, const KIND: u8>(
    mesh: &[f32],
    side: usize,
    local: &[f32; D],
) -> ([f32; D], f32) {
    let x = Spline::new::<D>(local[0]);
    let y = Across::new(&Spline::new::<D>(local[1]));
    let (weights, slopes, bends) = (x.weights(), x.slopes(), x.bends());
    let mut push = [0.0; D];
    if D == 2 {
        let sums = Plane::new::<KIND>(mesh, side, x.base, &y);
        let [along, across, xx, yy] =
            add_up([sums.plain * slopes, sums.slope * weights, sums.plain * bends, sums.bend * weights]);
        let [xy, ..] = add_up([sums.slope * slopes, f32x4::ZERO, f32x4::ZERO, f32x4::ZERO]);
        (push[0], push[1]) = (-along, -across);
        return (push, (xx * xx + yy * yy + 2.0 * xy * xy).sqrt());
    }
    let z = Across::new(&Spline::new::<D>(local[D - 1]));
    let mut sums = Space::default();
    for layer in 0..TAPS {
        let plane = Plane::new::<KIND>(&mesh[(z.base + layer) * side * side..], side, x.base, &y);
        sums.add::<KIND>(&plane, z.weights[layer], z.slopes[layer], z.bends[layer]);
    }
    let [along, across, through, xx] =
        add_up([sums.plain * slopes, sums.y * weights, sums.z * weights, sums.plain * bends]);
    let [yy, zz, xy, xz] = add_up([sums.yy * weights, sums.zz * weights, sums.y * slopes, sums.z * slopes]);
    let [yz, ..] = add_up([sums.yz * weights, f32x4::ZERO, f32x4::ZERO, f32x4::ZERO]);
    (push[0], push[1], push[D - 1]) = (-along, -across, -through);
    (push, (xx * xx + yy * yy + zz * zz + 2.0 * (xy * xy + xz * xz + yz * yz)).sqrt())
}

/// The sum of each of four vectors.
#[inline(always)]
pub(super) fn add_up(vectors: [f32x4; 4]) -> [f32; 4] {
    let [a, b, c, d] = f32x4::transpose(vectors);
    ((a + b) + (c + d)).to_array()
}

/// A spline across the rows, as numbers that each go into a whole vector.
struct Across {
    base: usize,
    weights: [f32; TAPS],
    slopes: [f32; TAPS],
    bends: [f32; TAPS],
}

impl Across {
    #[inline(always)]
    fn new(spline: &Spline) -> Self {
        Self {
            base: spline.base,
            weights: spline.weights().to_array(),
            slopes: spline.slopes().to_array(),
            bends: spline.bends().to_array(),
        }
    }
}

/// Sums along y for each of the four columns of points, by derivative in y.
struct Plane {
    plain: f32x4,
    slope: f32x4,
    bend: f32x4,
}

impl Plane {
    #[inline(always)]
    fn new<const KIND: u8>(mesh: &[f32], side: usize, x: usize, y: &Across) -> Self {
        let mut sums = Self { plain: f32x4::ZERO, slope: f32x4::ZERO, bend: f32x4::ZERO };
        for tap in 0..TAPS {
            let points = row(mesh, (y.base + tap) * side + x);
            sums.plain = fused_4::<KIND>(points, f32x4::splat(y.weights[tap]), sums.plain);
            sums.slope = fused_4::<KIND>(points, f32x4::splat(y.slopes[tap]), sums.slope);
            sums.bend = fused_4::<KIND>(points, f32x4::splat(y.bends[tap]), sums.bend);
        }
        sums
    }
}

/// Sums along y and z for each of the four columns of points, by derivative.
#[derive(Default)]
struct Space {
    plain: f32x4,
    y: f32x4,
    z: f32x4,
    yy: f32x4,
    zz: f32x4,
    yz: f32x4,
}

impl Space {
    #[inline(always)]
    fn add<const KIND: u8>(&mut self, plane: &Plane, weight: f32, slope: f32, bend: f32) {
        let [weight, slope, bend] = [weight, slope, bend].map(f32x4::splat);
        self.plain = fused_4::<KIND>(plane.plain, weight, self.plain);
        self.y = fused_4::<KIND>(plane.slope, weight, self.y);
        self.z = fused_4::<KIND>(plane.plain, slope, self.z);
        self.yy = fused_4::<KIND>(plane.bend, weight, self.yy);
        self.zz = fused_4::<KIND>(plane.plain, bend, self.zz);
        self.yz = fused_4::<KIND>(plane.slope, slope, self.yz);
    }
}

/// Four points in a row.
#[inline(always)]
fn row(mesh: &[f32], first: usize) -> f32x4 {
    // The frame keeps every spline inside the mesh.
    f32x4::new(*mesh[first..].first_chunk().unwrap_or(&[0.0; TAPS]))
}
