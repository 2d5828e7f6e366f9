//! The transform of a kernel that depends on distance alone: real, and the same in every octant,
//! so one octant of it is kept.

use rayon::prelude::*;
use rustfft::FftPlanner;
use rustfft::num_complex::{Complex32, Complex64};

use super::spline::response;

/// One octant of a kernel's transform, ready to multiply spectra with.
#[derive(Debug)]
pub(super) struct Transform {
    /// Half the length of the transforms.
    side: usize,
    values: Vec<f32>,
}

impl Transform {
    /// Transforms `kernel`, a function of the squared distance in mesh points, for meshes of
    /// `side` points along each axis. `sharpen` takes out what spreading by splines and reading by
    /// splines do to it, so that node to node the kernel is what was asked for.
    ///
    /// In double precision: its error would be everywhere.
    pub(super) fn new<const D: usize>(
        side: usize,
        sharpen: bool,
        kernel: impl Fn(f64) -> f64 + Sync,
    ) -> Self {
        let waves = side + 1;
        // Squares are whole numbers, and in space there are far fewer of them than points.
        let squares = if D == 2 { 0 } else { D * side * side + 1 };
        let table: Vec<f64> = (0..squares).into_par_iter().map(|square| kernel(square as f64)).collect();
        let mut octant: Vec<f64> = (0..waves.pow(D as u32))
            .into_par_iter()
            .map(|at| {
                let far = |axis: usize| (at / waves.pow(axis as u32) % waves).pow(2);
                let square: usize = (0..D).map(far).sum();
                table.get(square).copied().unwrap_or_else(|| kernel(square as f64))
            })
            .collect();
        let length = 2 * side;
        let plan = FftPlanner::<f64>::new().plan_fft_forward(length);
        for _ in 0..D {
            // Along the axis that changes fastest, and the result with its axes turned by one:
            // after as many turns as there are axes everything is in its place again. (The
            // octant is the same under any exchange of axes, so the turns need not be undone.)
            let mut turned = vec![0.0; octant.len()];
            let rows = octant.len() / waves;
            // What is real and the same from both ends has a transform that is real: two lines go as one,
            // the second as the imaginary part of the first.
            let lines: Vec<Vec<Complex64>> = octant
                .par_chunks(2 * waves)
                .map_init(
                    || {
                        (
                            vec![Complex64::default(); length],
                            vec![Complex64::default(); plan.get_inplace_scratch_len()],
                        )
                    },
                    |(line, scratch), rows| {
                        let (first, second) = rows.split_at(waves);
                        for at in 0..waves {
                            line[at] = Complex64::new(first[at], second.get(at).copied().unwrap_or(0.0));
                            line[(length - at) % length] = line[at];
                        }
                        plan.process_with_scratch(line, scratch);
                        line[..waves].to_vec()
                    },
                )
                .collect();
            turned.par_chunks_mut(rows).enumerate().for_each(|(at, row)| {
                for (pair, line) in row.chunks_mut(2).zip(&lines) {
                    for (value, part) in pair.iter_mut().zip([line[at].re, line[at].im]) {
                        *value = part;
                    }
                }
            });
            octant = turned;
        }

        let scale = 1.0 / (length as f64).powi(D as i32);
        let blurs: Vec<f64> = (0..waves).map(|wave| response(wave, length).powi(2)).collect();
        let values = octant.par_iter().enumerate().map(|(at, value)| {
            let blurred = |axis: usize| blurs[at / waves.pow(axis as u32) % waves];
            let blur: f64 = if sharpen { (0..D).map(blurred).product() } else { 1.0 };
            (value * scale / blur) as f32
        });
        Self { side, values: values.collect() }
    }

    /// Multiplies the spectrum along one line by row `row` of the transform.
    pub(super) fn apply(&self, row: usize, line: &mut [Complex32]) {
        let waves = self.side + 1;
        let row = &self.values[row * waves..][..waves];
        let (near, far) = line.split_at_mut(waves);
        for (value, factor) in near.iter_mut().zip(row) {
            *value *= factor;
        }
        for (value, factor) in far.iter_mut().rev().zip(&row[1..]) {
            *value *= factor;
        }
    }

    /// One octant, row after row: as many numbers along each axis as there are wave numbers.
    pub(super) fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.values.capacity() * size_of::<f32>()
    }
}
