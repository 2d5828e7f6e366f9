//! The push of all nodes on all nodes, by groups over the tree (Barnes and Hut, 1986; groups
//! after Barnes, 1990).

use super::interaction::{Opening, Sources};
pub(crate) use super::pairs::Field;
use super::pairs::Sums;
use super::scratch::PerThread;
use super::tree::{Group, Tree};
use crate::Dim;

/// How exactly to sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accuracy {
    /// Opening ratio.
    pub(crate) theta: f32,
    /// Distance under which the push of a pair fades to nothing.
    pub(crate) softening: f32,
}

/// Groups that are one piece of parallel work.
const PIECE: usize = 8;

/// Fills `fields` with the field on every node, in curve order. `sources` is memory.
pub(crate) fn repulsion(
    tree: &Tree,
    dim: Dim,
    accuracy: Accuracy,
    sources: &mut PerThread<Sources>,
    fields: &mut Vec<Field>,
) {
    fields.resize(tree.bodies.mass.len(), Field::default());
    let opening = Opening {
        theta_squared: accuracy.theta * accuracy.theta,
        point_squared: (0.05 * accuracy.softening).powi(2),
    };
    let softening_squared = accuracy.softening * accuracy.softening;
    sources.fit();
    let sources = &*sources;
    each_piece(&tree.groups, fields, &|groups, fields| {
        sources.with(|sources| {
            let mut fields = fields;
            for group in groups {
                let (part, rest) = fields.split_at_mut((group.end - group.begin) as usize);
                fields = rest;
                sources.collect(tree, group, opening);
                match dim {
                    Dim::Two => evaluate::<2>(tree, group, sources, softening_squared, part),
                    Dim::Three => evaluate::<3>(tree, group, sources, softening_squared, part),
                }
            }
        });
    });
}

/// Fills `fields`, the fields on the nodes of `group`, from its `sources`, with the widest
/// vectors that this processor and this crate know. The bits are the same with any.
fn evaluate<const D: usize>(
    tree: &Tree,
    group: &Group,
    sources: &Sources,
    softening_squared: f32,
    fields: &mut [Field],
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "nearly twice as fast; safe code cannot choose at run time")]
        // SAFETY: each function's only condition is that the processor has what it is compiled for, which is
        // checked above and here.
        unsafe {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return evaluate_avx512::<D>(tree, group, sources, softening_squared, fields);
            }
            return evaluate_avx2::<D>(tree, group, sources, softening_squared, fields);
        }
    }
    evaluate_inline::<D>(tree, group, sources, softening_squared, fields);
}

/// [`evaluate_inline`], compiled for processors with AVX2. Without FMA: fusing would change bits.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn evaluate_avx2<const D: usize>(
    tree: &Tree,
    group: &Group,
    sources: &Sources,
    softening_squared: f32,
    fields: &mut [Field],
) {
    evaluate_inline::<D>(tree, group, sources, softening_squared, fields);
}

/// [`evaluate_inline`], compiled for processors with AVX-512, without fusing either.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn evaluate_avx512<const D: usize>(
    tree: &Tree,
    group: &Group,
    sources: &Sources,
    softening_squared: f32,
    fields: &mut [Field],
) {
    evaluate_inline::<D>(tree, group, sources, softening_squared, fields);
}

#[expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]
#[inline(always)]
fn evaluate_inline<const D: usize>(
    tree: &Tree,
    group: &Group,
    sources: &Sources,
    softening_squared: f32,
    fields: &mut [Field],
) {
    for (at, field) in (group.begin as usize..).zip(fields) {
        let point = tree.bodies.point(at);
        let mut sums = Sums::<D>::ZERO;
        sums.add_nodes(point, &sources.nodes, softening_squared);
        sums.add_cells(point, &sources.cells, softening_squared);
        *field = sums.field();
    }
}

/// Hands groups, a few at a time, and the part of `fields` that is theirs to `work`, on all threads. Groups are
/// consecutive and cover all nodes.
fn each_piece(groups: &[Group], fields: &mut [Field], work: &(impl Fn(&[Group], &mut [Field]) + Sync)) {
    if groups.len() <= PIECE {
        return work(groups, fields);
    }
    let (left, right) = groups.split_at(groups.len() / 2);
    let (near, far) = fields.split_at_mut((right[0].begin - left[0].begin) as usize);
    rayon::join(|| each_piece(left, near, work), || each_piece(right, far, work));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bounds, Params, Point, Simulation, graphs};

    /// Root mean square of the error of the field on every 20th node, over that of the exact
    /// field: the sum over all pairs in double precision.
    fn relative_error(dim: Dim, positions: &[Point], masses: &[f32], theta: f32) -> f64 {
        let softening = 0.1;
        let mut tree = Tree::default();
        let mut fields = Vec::new();
        tree.build(dim, &Bounds::of(positions), positions, masses);
        repulsion(&tree, dim, Accuracy { theta, softening }, &mut PerThread::default(), &mut fields);

        let (mut error, mut total) = (0.0, 0.0);
        for slot in (0..positions.len()).step_by(20) {
            let mut exact = [0.0_f64; 3];
            for (other, mass) in positions.iter().zip(masses) {
                let apart: [f64; 3] =
                    std::array::from_fn(|axis| f64::from(positions[slot][axis]) - f64::from(other[axis]));
                let square = apart.iter().map(|c| c * c).sum::<f64>();
                let weight = f64::from(*mass) / (square + f64::from(softening * softening));
                for axis in 0..3 {
                    exact[axis] += apart[axis] * weight;
                }
            }
            let field = fields[tree.rank()[slot] as usize].push;
            for axis in 0..3 {
                error += (f64::from(field[axis]) - exact[axis]).powi(2);
                total += exact[axis].powi(2);
            }
        }
        (error / total).sqrt()
    }

    /// A laid-out scale-free graph: dense middle, sparse rim, heavy hubs.
    fn laid_out(dim: Dim) -> (Vec<Point>, Vec<f32>) {
        let graph = graphs::preferential(20_000, 3, 4);
        let mut layout = Simulation::new(dim, Params::default(), 4).unwrap();
        layout.sync(&graph.nodes, &graph.edges).unwrap();
        for _ in 0..150 {
            layout.tick();
        }
        let mut masses = vec![1.0; graph.nodes.len()];
        for edge in &graph.edges {
            masses[edge.source as usize] += 1.0;
            masses[edge.target as usize] += 1.0;
        }
        (layout.positions().to_vec(), masses)
    }

    #[test]
    fn default_accuracy_is_within_two_percent_of_the_exact_sum() {
        for dim in [Dim::Two, Dim::Three] {
            let (positions, masses) = laid_out(dim);
            let error = relative_error(dim, &positions, &masses, Params::default().theta);
            assert!(error < 0.02, "{dim:?}: {error}");
        }
    }

    #[test]
    fn wider_vectors_do_not_change_a_bit() {
        let (positions, masses) = laid_out(Dim::Three);
        let mut tree = Tree::default();
        tree.build(Dim::Three, &Bounds::of(&positions), &positions, &masses);
        let opening = Opening { theta_squared: 1.0, point_squared: 0.0 };
        let mut sources = Sources::default();
        for group in tree.groups.iter().step_by(10) {
            sources.collect(&tree, group, opening);
            let mut fields = [vec![], vec![]];
            for column in &mut fields {
                column.resize((group.end - group.begin) as usize, Field::default());
            }
            evaluate::<3>(&tree, group, &sources, 0.01, &mut fields[0]);
            evaluate_inline::<3>(&tree, group, &sources, 0.01, &mut fields[1]);
            assert_eq!(fields[0], fields[1]);
        }
    }
}
