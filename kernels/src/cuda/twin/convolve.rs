//! Masses to potential: twin of `convolve.cu` and `fourier.cuh`, by whole complex transforms of the whole
//! mesh with its empty margin, in double precision.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

/// Convolves `mesh` with the kernel one octant of whose transform is `octant`.
pub(in crate::cuda) fn convolve(mesh: &[f64], octant: &[f32], side: usize, axes: usize) -> Vec<f64> {
    let (length, waves) = (2 * side, side + 1);
    let all = length.pow(axes as u32);
    let place = |at: usize, base: usize| -> Vec<usize> {
        (0..axes).map(|axis| at / base.pow(axis as u32) % base).collect()
    };
    let number = |place: &[usize], base: usize| place.iter().rev().fold(0, |number, c| number * base + c);
    let mut padded = vec![Complex64::default(); all];
    for (at, mass) in mesh.iter().enumerate() {
        padded[number(&place(at, side), length)].re = *mass;
    }
    transform(&mut padded, length, axes, false);
    for (at, value) in padded.iter_mut().enumerate() {
        let folded: Vec<usize> = place(at, length).iter().map(|wave| *wave.min(&(length - wave))).collect();
        *value *= f64::from(octant[number(&folded, waves)]);
    }
    transform(&mut padded, length, axes, true);
    (0..mesh.len()).map(|at| padded[number(&place(at, side), length)].re).collect()
}

/// Transforms along each axis in turn.
fn transform(values: &mut [Complex64], length: usize, axes: usize, back: bool) {
    let mut planner = FftPlanner::new();
    let plan = if back { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) };
    let mut line = vec![Complex64::default(); length];
    for axis in 0..axes {
        let stride = length.pow(axis as u32);
        for first in (0..values.len()).filter(|at| (at / stride).is_multiple_of(length)) {
            for (at, value) in line.iter_mut().enumerate() {
                *value = values[first + at * stride];
            }
            plan.process(&mut line);
            for (at, value) in line.iter().enumerate() {
                values[first + at * stride] = *value;
            }
        }
    }
}
