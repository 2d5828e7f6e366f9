//! Cubic B-splines: how a node spreads over the mesh points round it, and reads from them.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use wide::f32x4;

use super::frame::ratio;

/// Mesh points that a spline touches, along an axis.
pub(super) const TAPS: usize = 4;

/// One spline along one axis: at `t` mesh points past its first point but one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spline {
    /// First mesh point.
    pub(super) base: usize,
    t: f32x4,
}

impl Spline {
    /// The spline at `local`, counted in near cells. The first near cell that holds nodes begins
    /// at mesh point 1.
    #[inline(always)]
    pub(super) fn new<const D: usize>(local: f32) -> Self {
        let place = (local - 1.0) * ratio::<D>();
        let base = place as i32;
        Self { base: base as usize, t: f32x4::splat(place - base as f32) }
    }

    /// Share of each of the four points; they add up to 1.
    #[inline(always)]
    pub(super) fn weights(&self) -> f32x4 {
        const SIXTH: f32 = 1.0 / 6.0;
        let [c0, c1, c2, c3] = [
            [SIXTH, 4.0 * SIXTH, SIXTH, 0.0],
            [-0.5, 0.0, 0.5, 0.0],
            [0.5, -1.0, 0.5, 0.0],
            [-SIXTH, 0.5, -0.5, SIXTH],
        ]
        .map(f32x4::new);
        c0 + self.t * (c1 + self.t * (c2 + self.t * c3))
    }

    /// How fast each share changes, per mesh point; they add up to 0.
    #[inline(always)]
    pub(super) fn slopes(&self) -> f32x4 {
        let [c0, c1, c2] =
            [[-0.5, 0.0, 0.5, 0.0], [1.0, -2.0, 1.0, 0.0], [-0.5, 1.5, -1.5, 0.5]].map(f32x4::new);
        c0 + self.t * (c1 + self.t * c2)
    }

    /// How fast each slope changes, per mesh point; they add up to 0.
    #[inline(always)]
    pub(super) fn bends(&self) -> f32x4 {
        let [c0, c1] = [[1.0, -2.0, 1.0, 0.0], [-1.0, 3.0, -3.0, 1.0]].map(f32x4::new);
        c0 + self.t * c1
    }
}

/// What sampling a spline at the mesh points does to the wave number `wave` of a transform of
/// length `length`.
pub(super) fn response(wave: usize, length: usize) -> f64 {
    (2.0 + (std::f64::consts::TAU * wave as f64 / length as f64).cos()) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_slopes_and_bends_are_their_derivatives() {
        for local in [1.0, 3.3, 7.999] {
            let here = Spline::new::<2>(local);
            assert!((here.weights().reduce_add() - 1.0).abs() < 1e-6);
            assert!(here.slopes().reduce_add().abs() < 1e-6);
        }
        let step = 1e-3;
        let [before, here, after] = [2.5 - step, 2.5, 2.5 + step].map(Spline::new::<3>);
        let scale = f32x4::splat(0.5 / step);
        let off = (after.weights() - before.weights()) * scale - here.slopes();
        assert!(off.abs().to_array().iter().all(|off| *off < 1e-3), "{off}");
        let off = (after.slopes() - before.slopes()) * scale - here.bends();
        assert!(off.abs().to_array().iter().all(|off| *off < 1e-3), "{off}");
    }

    #[test]
    fn response_is_that_of_one_sixth_four_sixths_one_sixth() {
        assert!((response(0, 8) - 1.0).abs() < 1e-12);
        assert!((response(4, 8) - 1.0 / 3.0).abs() < 1e-12);
    }
}
