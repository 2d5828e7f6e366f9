//! The short part of the push, pair by pair.
//!
//! Written as independent running sums, which a compiler turns into vector code of whatever width
//! the processor has; the sums and their final order are fixed, so the width does not change a bit.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use std::ops::Range;

use wide::f32x4;

use super::cells::Cells;
use super::read::add_up;

/// Running sums of a number.
const LANES: usize = 8;

/// Running sums of the short part on one node; lengths are counted in reaches.
pub(super) struct Sums<const D: usize> {
    push: [[f32; LANES]; D],
    stiffness: [f32; LANES],
}

/// `a · b + c`, in one rounding where `FUSED`.
#[inline(always)]
fn fused<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

impl<const D: usize> Sums<D> {
    pub(super) const ZERO: Self = Self { push: [[0.0; LANES]; D], stiffness: [0.0; LANES] };

    /// Adds the nodes of `range`. One in the very same place does not act. `FUSED` is for
    /// processors that have fused arithmetic.
    #[inline(always)]
    pub(super) fn add<const FUSED: bool>(
        &mut self,
        point: &[f32; D],
        cells: &Cells,
        range: &Range<u32>,
        softening_squared: f32,
    ) {
        let length = range.end - range.start;
        let begin = range.start as usize;
        let padded = begin..begin + length.next_multiple_of(LANES as u32) as usize;
        let place: [&[[f32; LANES]]; D] =
            std::array::from_fn(|axis| cells.place[axis][padded.clone()].as_chunks().0);
        let mass: &[[f32; LANES]] = cells.mass[padded].as_chunks().0;
        let mut left = length as i32 as f32;
        for block in 0..mass.len() {
            for lane in 0..LANES {
                let apart: [f32; D] = std::array::from_fn(|axis| point[axis] - place[axis][block][lane]);
                let mut square = apart[0] * apart[0];
                for apart in &apart[1..] {
                    square = fused::<FUSED>(*apart, *apart, square);
                }
                // What lies behind the range is no part of it, or is a part of another one.
                let acts = square > 0.0 && (lane as f32) < left;
                let mass = if acts { mass[block][lane] } else { 0.0 };
                let near = (1.0 - square).max(0.0);
                let bend = mass * near / (square + softening_squared);
                let weight = bend * (near * near * near);
                for (sum, apart) in self.push.iter_mut().zip(apart) {
                    sum[lane] = fused::<FUSED>(apart, weight, sum[lane]);
                }
                self.stiffness[lane] += bend;
            }
            left -= LANES as f32;
        }
    }

    /// The sums over all lanes: push and stiffness.
    #[inline(always)]
    pub(super) fn fold(&self) -> ([f32; D], f32) {
        let halves = |lanes: &[f32; LANES]| {
            let (low, high) = lanes.split_at(LANES / 2);
            f32x4::from(low) + f32x4::from(high)
        };
        let third = if D == 3 { halves(&self.push[D - 1]) } else { f32x4::ZERO };
        let sums = add_up([halves(&self.push[0]), halves(&self.push[1]), third, halves(&self.stiffness)]);
        // The derivative of the short part, (1 - u)³ (1 + 7u) / u, is at most so often (1 - u) / u.
        (std::array::from_fn(|axis| sums[axis]), 1.6 * sums[3])
    }
}
