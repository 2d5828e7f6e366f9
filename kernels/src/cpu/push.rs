//! The push of all nodes on all nodes, by whichever method is faster for how they lie.

use rayon::prelude::*;

use super::bodies::{Bodies, Drift};
use super::interaction::Sources;
use super::mesh::{self, Mesh};
use super::repulsion::{Accuracy, Field, repulsion};
use super::scratch::PerThread;
use super::tree::Tree;
use crate::Dim;

/// What summed the push up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Method {
    /// The tree code: small graphs, and nodes that lie too unevenly for a mesh.
    #[default]
    Tree,
    /// A mesh in the plane.
    Flat,
    /// A mesh in space.
    Deep,
}

/// Ticks in a row without it after which the memory of the tree is given back.
const FORGET: u32 = 50;

/// The push on every node, and the memory of both methods.
#[derive(Debug, Default)]
pub(super) struct Push {
    tree: Tree,
    sources: PerThread<Sources>,
    flat: Mesh<2>,
    deep: Mesh<3>,
    method: Method,
    /// Ticks in a row that a mesh has done.
    meshed: u32,
    fields: Vec<Field>,
}

impl Push {
    /// Sums the push on all of `bodies` up. `drift`: these are the bodies of the last sum and nothing but
    /// their places has changed, by so much; what is far may then be taken over.
    pub(super) fn sum(&mut self, bodies: &Bodies<'_>, accuracy: Accuracy, drift: Option<Drift>) {
        let drift = drift.filter(|_| self.method != Method::Tree);
        let meshed = bodies.positions.len() >= mesh::FEWEST
            && match bodies.dim {
                Dim::Two => self.flat.fill(bodies, accuracy.softening, drift, &mut self.fields),
                Dim::Three => self.deep.fill(bodies, accuracy.softening, drift, &mut self.fields),
            };
        self.method = match bodies.dim {
            _ if !meshed => Method::Tree,
            Dim::Two => Method::Flat,
            Dim::Three => Method::Deep,
        };
        if meshed {
            self.meshed = self.meshed.saturating_add(1);
            if self.meshed == FORGET {
                self.tree = Tree::default();
            }
        } else {
            self.meshed = 0;
            self.tree.build(bodies.dim, &bodies.bounds, bodies.positions, bodies.masses);
            repulsion(&self.tree, bodies.dim, accuracy, &mut self.sources, &mut self.fields);
        }
    }

    /// Whether the last sum took over what is far.
    #[cfg(test)]
    fn reused(&self) -> bool {
        self.flat.reused() || self.deep.reused()
    }

    /// Root mean square of the error of the last sum on about `samples` of its `bodies`, over that of the push
    /// itself: against the sum over all pairs in double precision.
    pub(super) fn error(&self, bodies: &Bodies<'_>, accuracy: Accuracy, samples: usize) -> f64 {
        let every = bodies.positions.len().div_ceil(samples.max(1)).max(1);
        let nodes: Vec<usize> = (0..bodies.positions.len()).step_by(every).collect();
        let sums: Vec<(f64, f64)> = nodes
            .into_par_iter()
            .map(|node| {
                let (exact, _) = exact_field(bodies, accuracy.softening, node);
                let found = self.fields[self.rank()[node] as usize].push;
                let off = found.into_iter().zip(exact).map(|(found, exact)| f64::from(found) - exact);
                (off.map(|c| c * c).sum(), exact.iter().map(|c| c * c).sum())
            })
            .collect();
        let (error, total) = sums.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if total > 0.0 { (error / total).sqrt() } else { 0.0 }
    }

    /// The field on every node, in an order of its own.
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Where each node's field is.
    pub(super) fn rank(&self) -> &[u32] {
        match self.method {
            Method::Tree => self.tree.rank(),
            Method::Flat => self.flat.rank(),
            Method::Deep => self.deep.rank(),
        }
    }

    /// Calls `visit` with every node that lies exactly where another one lies, but for one of them, in no
    /// order.
    pub(super) fn for_each_coincident(&self, visit: impl FnMut(usize)) {
        match self.method {
            Method::Tree => self.tree.coincident().for_each(visit),
            Method::Flat => self.flat.for_each_coincident(visit),
            Method::Deep => self.deep.for_each_coincident(visit),
        }
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.tree.memory()
            + self.sources.memory(Sources::memory)
            + self.flat.memory()
            + self.deep.memory()
            + self.fields.capacity() * size_of::<Field>()
    }
}

/// [`Push::error`] of a sum made for this purpose.
pub(super) fn error(bodies: &Bodies<'_>, accuracy: Accuracy, samples: usize) -> f64 {
    let mut push = Push::default();
    push.sum(bodies, accuracy, None);
    push.error(bodies, accuracy, samples)
}

/// The exact push on a node, and the Frobenius norm of its derivative by the node's place.
fn exact_field(bodies: &Bodies<'_>, softening: f32, node: usize) -> ([f64; 3], f64) {
    let (mut push, mut bends) = ([0.0_f64; 3], [[0.0_f64; 3]; 3]);
    let here = bodies.positions[node];
    let axes = if bodies.dim == Dim::Two { 2 } else { 3 };
    for (there, mass) in bodies.positions.iter().zip(bodies.masses) {
        let apart: [f64; 3] = std::array::from_fn(|axis| f64::from(here[axis]) - f64::from(there[axis]));
        let square = apart.iter().map(|c| c * c).sum::<f64>();
        if square == 0.0 {
            continue;
        }
        let (mass, inverse) = (f64::from(*mass), 1.0 / (square + f64::from(softening * softening)));
        for (axis, row) in bends.iter_mut().take(axes).enumerate() {
            push[axis] += mass * apart[axis] * inverse;
            row[axis] += mass * inverse;
            for (bend, other) in row.iter_mut().zip(apart) {
                *bend -= mass * 2.0 * apart[axis] * other * inverse * inverse;
            }
        }
    }
    (push, bends.iter().flatten().map(|bend| bend * bend).sum::<f64>().sqrt())
}

#[cfg(test)]
mod tests;
