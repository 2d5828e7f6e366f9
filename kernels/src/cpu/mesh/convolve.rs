//! Convolution of a mesh with a fixed kernel by fast Fourier transform, without neighbours across
//! the edges: the mesh is a corner of one twice as long, the rest of which is empty (Hockney and
//! Eastwood, 1981). Empty rows are never transformed, and no more is kept than is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::transform::Transform;
use crate::cpu::scratch::PerThread;

/// Lines that are transformed side by side, so that memory is read in whole cache lines.
const BLOCK: usize = 8;

/// Blocks that are one piece of parallel work.
const fn blocks<const D: usize>() -> usize {
    if D == 2 { 1 } else { 12 }
}

/// Rows (2D) or layers (3D) that are one piece of parallel work.
const fn rows<const D: usize>() -> usize {
    if D == 2 { 8 } else { 1 }
}

/// The plans of one size.
struct Plans {
    /// Along x, from numbers to half a spectrum, and back.
    forward_x: Arc<dyn RealToComplex<f32>>,
    inverse_x: Arc<dyn ComplexToReal<f32>>,
    /// Along the other axes.
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

/// Memory of a thread at work.
#[derive(Default)]
struct Work {
    row: Vec<f32>,
    /// One row (2D) or layer (3D) after the transform along x.
    layer: Vec<Complex32>,
    lines: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// Memory of a convolution; used for one size and then another.
#[derive(Default)]
pub(super) struct Convolver<const D: usize> {
    plans: Vec<(usize, Plans)>,
    /// Half spectra, by block of lines, then row (2D) or layer (3D), then line: each row or layer is written by
    /// one thread, each block read and written by one. Atomics because what a thread writes of a row
    /// lies between what others write; nothing is ever read while it is written.
    spectra: Vec<AtomicU64>,
    work: PerThread<Work>,
}

impl<const D: usize> std::fmt::Debug for Convolver<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Convolver").field("memory", &self.memory()).finish_non_exhaustive()
    }
}

impl<const D: usize> Convolver<D> {
    /// Replaces the numbers on `mesh` (`side` points along each axis, x changing fastest) by their
    /// convolution with the kernel that `transform` is of.
    pub(super) fn run(&mut self, side: usize, transform: &Transform, mesh: &mut [f32]) {
        let plan = self.plan(side);
        let shape = Shape::<D>::new(side);
        let plans = &self.plans[plan].1;
        self.spectra.resize_with(side * shape.blocks * BLOCK, AtomicU64::default);
        self.work.fit();
        for work in self.work.iter_mut() {
            shape.fit(plans, work);
        }

        let rows = rows::<D>();
        let (work, spectra) = (&self.work, &self.spectra);
        mesh.par_chunks(rows * shape.row()).enumerate().for_each(|(piece, mesh)| {
            work.with(|work| {
                for (at, mesh) in mesh.chunks(shape.row()).enumerate() {
                    shape.forward(plans, piece * rows + at, mesh, spectra, work);
                }
            });
        });
        self.spectra.par_chunks_mut(blocks::<D>() * side * BLOCK).enumerate().for_each(|(piece, spectra)| {
            work.with(|work| {
                for (at, spectra) in spectra.chunks_mut(side * BLOCK).enumerate() {
                    shape.filter(plans, transform, piece * blocks::<D>() + at, spectra, work);
                }
            });
        });
        let spectra = &self.spectra;
        mesh.par_chunks_mut(rows * shape.row()).enumerate().for_each(|(piece, mesh)| {
            work.with(|work| {
                for (at, mesh) in mesh.chunks_mut(shape.row()).enumerate() {
                    shape.inverse(plans, piece * rows + at, spectra, mesh, work);
                }
            });
        });
    }

    /// Index of the plans for `side`, made on first use.
    fn plan(&mut self, side: usize) -> usize {
        if let Some(known) = self.plans.iter().position(|(of, _)| *of == side) {
            return known;
        }
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        let plans = Plans {
            forward_x: real.plan_fft_forward(2 * side),
            inverse_x: real.plan_fft_inverse(2 * side),
            forward: complex.plan_fft_forward(2 * side),
            inverse: complex.plan_fft_inverse(2 * side),
        };
        self.plans.push((side, plans));
        self.plans.len() - 1
    }

    /// Bytes held on the heap, without the plans' own.
    pub(super) fn memory(&self) -> usize {
        let work = |work: &Work| {
            work.row.capacity() * size_of::<f32>()
                + (work.layer.capacity() + work.lines.capacity() + work.scratch.capacity())
                    * size_of::<Complex32>()
        };
        self.spectra.capacity() * size_of::<AtomicU64>() + self.work.memory(work)
    }
}

/// The sizes that follow from the side of a mesh.
#[derive(Clone, Copy)]
struct Shape<const D: usize> {
    side: usize,
    /// Length of the transforms.
    length: usize,
    /// Wave numbers along x.
    waves: usize,
    /// Lines along the last axis.
    lines: usize,
    blocks: usize,
}

impl<const D: usize> Shape<D> {
    fn new(side: usize) -> Self {
        let (length, waves) = (2 * side, side + 1);
        let lines = if D == 2 { waves } else { waves * length };
        Self { side, length, waves, lines, blocks: lines.div_ceil(BLOCK) }
    }

    /// Mesh points per index of the last axis.
    fn row(&self) -> usize {
        self.side.pow(D as u32 - 1)
    }

    /// Makes `work` large enough.
    fn fit(&self, plans: &Plans, work: &mut Work) {
        let scratch = [
            plans.forward_x.get_scratch_len(),
            plans.inverse_x.get_scratch_len(),
            plans.forward.get_inplace_scratch_len(),
            plans.inverse.get_inplace_scratch_len(),
        ];
        let least = scratch.into_iter().max().unwrap_or_default();
        work.scratch.resize(least.max(work.scratch.len()), Complex32::default());
        work.row.resize(self.length, 0.0);
        work.layer.resize(self.row() / self.side * self.waves, Complex32::default());
        work.lines.resize(BLOCK * self.length, Complex32::default());
    }

    /// Where the number of row (2D) or layer (3D) `at` and `line` is among the spectra.
    fn place(&self, at: usize, line: usize) -> usize {
        (line / BLOCK * self.side + at) * BLOCK + line % BLOCK
    }

    /// Transforms row (2D) or layer (3D) `at` along all axes but the last.
    fn forward(&self, plans: &Plans, at: usize, mesh: &[f32], spectra: &[AtomicU64], work: &mut Work) {
        for (mesh, row) in mesh.chunks(self.side).zip(work.layer.chunks_mut(self.waves)) {
            self.forward_row(plans, mesh, row, &mut work.row, &mut work.scratch);
        }
        let put = |line: usize, value: Complex32| spectra[self.place(at, line)].store(bits(value), Relaxed);
        if D == 2 {
            work.layer.iter().enumerate().for_each(|(line, value)| put(line, *value));
            return;
        }
        for first in (0..self.waves).step_by(BLOCK) {
            let width = BLOCK.min(self.waves - first);
            let lines = &mut work.lines[..width * self.length];
            lines.fill(Complex32::default());
            for (y, row) in work.layer.chunks(self.waves).enumerate() {
                for (line, value) in row[first..first + width].iter().enumerate() {
                    lines[line * self.length + y] = *value;
                }
            }
            plans.forward.process_with_scratch(lines, &mut work.scratch);
            for y in 0..self.length {
                for line in 0..width {
                    put(y * self.waves + first + line, lines[line * self.length + y]);
                }
            }
        }
    }

    fn forward_row(
        &self,
        plans: &Plans,
        mesh: &[f32],
        spectrum: &mut [Complex32],
        row: &mut [f32],
        scratch: &mut [Complex32],
    ) {
        row[..self.side].copy_from_slice(mesh);
        row[self.side..].fill(0.0);
        plans.forward_x.process_with_scratch(row, spectrum, scratch).expect(FITS);
    }

    /// Transforms one block of lines along the last axis, applies the kernel, and transforms back.
    fn filter(
        &self,
        plans: &Plans,
        transform: &Transform,
        block: usize,
        spectra: &mut [AtomicU64],
        work: &mut Work,
    ) {
        let first = block * BLOCK;
        let width = BLOCK.min(self.lines - first);
        let lines = &mut work.lines[..width * self.length];
        lines.fill(Complex32::default());
        for (at, spectrum) in spectra.chunks_mut(BLOCK).enumerate() {
            for (line, value) in spectrum[..width].iter_mut().enumerate() {
                lines[line * self.length + at] = number(*value.get_mut());
            }
        }
        plans.forward.process_with_scratch(lines, &mut work.scratch);
        for (line, values) in lines.chunks_mut(self.length).enumerate() {
            transform.apply(self.transform_row(first + line), values);
        }
        plans.inverse.process_with_scratch(lines, &mut work.scratch);
        for (at, spectrum) in spectra.chunks_mut(BLOCK).enumerate() {
            for (line, value) in spectrum[..width].iter_mut().enumerate() {
                *value.get_mut() = bits(lines[line * self.length + at]);
            }
        }
    }

    /// Row of the kernel's transform that belongs to a line.
    fn transform_row(&self, line: usize) -> usize {
        if D == 2 {
            return line;
        }
        let (y, x) = (line / self.waves, line % self.waves);
        y.min(self.length - y) * self.waves + x
    }

    /// Transforms one row (2D) or layer (3D) back.
    fn inverse(&self, plans: &Plans, at: usize, spectra: &[AtomicU64], mesh: &mut [f32], work: &mut Work) {
        let value = |line: usize| number(spectra[self.place(at, line)].load(Relaxed));
        if D == 2 {
            let spectrum = &mut work.lines[..self.waves];
            for (line, to) in spectrum.iter_mut().enumerate() {
                *to = value(line);
            }
            self.inverse_row(plans, spectrum, mesh, &mut work.row, &mut work.scratch);
            return;
        }
        for first in (0..self.waves).step_by(BLOCK) {
            let width = BLOCK.min(self.waves - first);
            let lines = &mut work.lines[..width * self.length];
            for y in 0..self.length {
                for line in 0..width {
                    lines[line * self.length + y] = value(y * self.waves + first + line);
                }
            }
            plans.inverse.process_with_scratch(lines, &mut work.scratch);
            for (y, row) in work.layer.chunks_mut(self.waves).enumerate() {
                for (line, to) in row[first..first + width].iter_mut().enumerate() {
                    *to = lines[line * self.length + y];
                }
            }
        }
        for (mesh, spectrum) in mesh.chunks_mut(self.side).zip(work.layer.chunks_mut(self.waves)) {
            self.inverse_row(plans, spectrum, mesh, &mut work.row, &mut work.scratch);
        }
    }

    fn inverse_row(
        &self,
        plans: &Plans,
        spectrum: &mut [Complex32],
        mesh: &mut [f32],
        row: &mut [f32],
        scratch: &mut [Complex32],
    ) {
        // Both are real but for rounding, and the transform wants them so.
        spectrum[0].im = 0.0;
        spectrum[self.side].im = 0.0;
        plans.inverse_x.process_with_scratch(spectrum, row, scratch).expect(FITS);
        mesh.copy_from_slice(&row[..self.side]);
    }
}

/// The bits of both parts of a number, and back.
fn bits(value: Complex32) -> u64 {
    u64::from(value.re.to_bits()) | u64::from(value.im.to_bits()) << 32
}

fn number(bits: u64) -> Complex32 {
    Complex32::new(f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32))
}

/// Why a transform cannot fail: all lengths come from one place.
const FITS: &str = "rows, spectra and scratch are of the lengths that the plan asked for";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphs::Random;

    /// The same by definition, in double precision.
    fn by_definition<const D: usize>(side: usize, kernel: impl Fn(f64) -> f64, mesh: &[f32]) -> Vec<f64> {
        let place =
            |at: usize| -> [usize; D] { std::array::from_fn(|axis| at / side.pow(axis as u32) % side) };
        (0..mesh.len())
            .map(|to| {
                let far = |from: usize| {
                    let apart = |axis: usize| place(to)[axis].abs_diff(place(from)[axis]).pow(2) as f64;
                    (0..D).map(apart).sum::<f64>()
                };
                mesh.iter().enumerate().map(|(from, value)| f64::from(*value) * kernel(far(from))).sum()
            })
            .collect()
    }

    fn agrees<const D: usize>(side: usize) {
        let kernel = |square: f64| 1.0 / (square + 1.0);
        let mut random = Random::new(5);
        let mut mesh: Vec<f32> = (0..side.pow(D as u32)).map(|_| random.below(100) as f32).collect();
        let exact = by_definition::<D>(side, kernel, &mesh);
        let transform = Transform::new::<D>(side, false, kernel);
        let mut convolver = Convolver::<D>::default();
        // Another size first: what it leaves behind must not matter.
        let other = Transform::new::<D>(6, false, kernel);
        convolver.run(6, &other, &mut vec![1.0; 6_usize.pow(D as u32)]);
        convolver.run(side, &transform, &mut mesh);
        for (value, exact) in mesh.iter().zip(exact) {
            assert!((f64::from(*value) - exact).abs() < 1e-5 * exact.abs(), "{value} {exact}");
        }
    }

    #[test]
    fn transforms_agree_with_the_definition() {
        agrees::<2>(24);
        agrees::<3>(12);
    }
}
