//! PageRank of a graph without directions.
//!
//! The ranks `x` solve `(I − αAD⁻¹) x = b`, `A` being the weights, `D` their sums by node, `α` the damping and `b` where one
//! begins anew. With `x = Dy` that is `(D − αA) y = b`, whose matrix is symmetric and positive definite: conjugate
//! gradients (Hestenes and Stiefel, 1952), preconditioned by `D`, need about `√((1 + α) ÷ (1 − α))` steps for each digit or
//! two, where sweeps need that many squared.

use rayon::prelude::*;

use super::super::network::Rows;
use super::super::{AnalysisError, Observer, ask};
use super::{PageRank, PageRankParams, normalised};

/// Nodes whose sums are added up at a time: the same ones for any number of threads.
const PIECE: usize = 2_048;

/// Steps between two questions whether to go on.
const STEPS_PER_QUESTION: u32 = 4;

/// The equations and how far they are solved.
struct System<'a> {
    rows: &'a Rows,
    damping: f64,
    /// The diagonal: 0 where a node has no edges, which is then not part of the system.
    strengths: Vec<f64>,
    /// The solution `y`.
    solution: Vec<f64>,
    /// What is missing: `b − (D − αA) y`, which is `b − (I − αAD⁻¹) x` too.
    residual: Vec<f64>,
    /// Where the next step leads.
    direction: Vec<f64>,
    /// `(D − αA)` times that.
    image: Vec<f64>,
}

/// Of all residuals: their absolute values, and their squares over the diagonal.
#[derive(Clone, Copy)]
struct Missing {
    absolute: f64,
    square: f64,
}

pub(super) fn solve(
    rows: &Rows,
    begin: &[f64],
    params: &PageRankParams,
    observer: &dyn Observer,
) -> Result<PageRank, AnalysisError> {
    let nodes = rows.nodes();
    let strengths: Vec<f64> =
        (0..nodes).into_par_iter().with_min_len(PIECE).map(|slot| rows.strength(slot)).collect();
    let residual: Vec<f64> = strengths
        .iter()
        .zip(begin)
        .map(|(strength, begin)| if *strength > 0.0 { *begin } else { 0.0 })
        .collect();
    let mut system = System {
        rows,
        damping: params.damping,
        direction: residual
            .iter()
            .zip(&strengths)
            .map(|(residual, strength)| over(*residual, *strength))
            .collect(),
        solution: vec![0.0; nodes],
        image: vec![0.0; nodes],
        residual,
        strengths,
    };
    let mut missing = system.missing();
    let (mut steps, mut told) = (0, 0.0_f64);
    while missing.absolute >= params.tolerance && steps < params.max_sweeps {
        // How far it is can be told by the digits that are there; now and then one is lost again.
        told = told.max(missing.absolute.ln() / params.tolerance.min(0.5).ln());
        if steps.is_multiple_of(STEPS_PER_QUESTION) {
            ask(observer, told)?;
        }
        let curvature = system.apply();
        if curvature <= 0.0 {
            // Nothing is left that numbers could tell from 0.
            break;
        }
        let before = missing.square;
        missing = system.step(before / curvature);
        system.turn(missing.square / before);
        steps += 1;
    }
    let rank = |((solution, strength), begin): ((&f64, &f64), &f64)| {
        if *strength > 0.0 { (solution * strength).max(0.0) } else { *begin }
    };
    let ranks = system.solution.iter().zip(&system.strengths).zip(begin).map(rank).collect();
    let converged = missing.absolute < params.tolerance;
    Ok(PageRank { ranks: normalised(ranks), sweeps: steps.max(1), converged })
}

impl System<'_> {
    fn missing(&self) -> Missing {
        let sums = self.residual.par_chunks(PIECE).zip(self.strengths.par_chunks(PIECE));
        Missing::sum(sums.map(|(residual, strengths)| Missing::of(residual, strengths)).collect())
    }

    /// The image of the direction; says how much the two have in common.
    fn apply(&mut self) -> f64 {
        let (rows, direction, strengths, damping) =
            (self.rows, &self.direction, &self.strengths, self.damping);
        let piece = |(index, image): (usize, &mut [f64])| {
            let mut common = 0.0;
            for (slot, image) in (index * PIECE..).zip(image) {
                let around: f64 = if rows.is_unweighted() {
                    rows.targets(slot).iter().map(|other| direction[*other as usize]).sum()
                } else {
                    let part = |(other, weight): (u32, f32)| direction[other as usize] * f64::from(weight);
                    rows.entries(slot).map(part).sum()
                };
                *image = strengths[slot] * direction[slot] - damping * around;
                common += *image * direction[slot];
            }
            common
        };
        let sums: Vec<f64> = self.image.par_chunks_mut(PIECE).enumerate().map(piece).collect();
        sums.into_iter().sum()
    }

    /// Goes `length` along the direction; says what is missing then.
    fn step(&mut self, length: f64) -> Missing {
        let solution = self.solution.par_chunks_mut(PIECE).zip(self.direction.par_chunks(PIECE));
        let residual = self.residual.par_chunks_mut(PIECE).zip(self.image.par_chunks(PIECE));
        let all = solution.zip(residual).zip(self.strengths.par_chunks(PIECE));
        let sums = all.map(|(((solution, direction), (residual, image)), strengths)| {
            for (solution, direction) in solution.iter_mut().zip(direction) {
                *solution += length * direction;
            }
            for (residual, image) in residual.iter_mut().zip(image) {
                *residual -= length * image;
            }
            Missing::of(residual, strengths)
        });
        Missing::sum(sums.collect())
    }

    /// The next direction: what is missing, and so much of the last one.
    fn turn(&mut self, last: f64) {
        let missing = self.residual.par_chunks(PIECE).zip(self.strengths.par_chunks(PIECE));
        self.direction.par_chunks_mut(PIECE).zip(missing).for_each(|(direction, (residual, strengths))| {
            for ((direction, residual), strength) in direction.iter_mut().zip(residual).zip(strengths) {
                *direction = over(*residual, *strength) + last * *direction;
            }
        });
    }
}

impl Missing {
    fn of(residual: &[f64], strengths: &[f64]) -> Self {
        let mut missing = Self { absolute: 0.0, square: 0.0 };
        for (residual, strength) in residual.iter().zip(strengths) {
            missing.absolute += residual.abs();
            missing.square += residual * over(*residual, *strength);
        }
        missing
    }

    fn sum(pieces: Vec<Self>) -> Self {
        pieces.into_iter().fold(Self { absolute: 0.0, square: 0.0 }, |sum, piece| Self {
            absolute: sum.absolute + piece.absolute,
            square: sum.square + piece.square,
        })
    }
}

/// A quotient; 0 for a node that is not part of the system.
fn over(residual: f64, strength: f64) -> f64 {
    if strength > 0.0 { residual / strength } else { 0.0 }
}
