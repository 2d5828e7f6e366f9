//! A graph of which each node stands for a part of the graph below.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::super::network::{Piece, Rows};
use super::super::tally::Tally;
use super::groups::Groups;

/// Nodes whose sums are added up at a time: the same ones for any number of threads.
pub(super) const PIECE: usize = 4_096;

/// One level. What is inside of a node does not show: it moves with the node.
pub(super) struct Level<'a> {
    rows: Cow<'a, Rows>,
    /// For each node, the weights of all edges of what it stands for, inner ones twice.
    pub(super) strengths: Vec<f64>,
    /// All strengths together: twice the weight of all edges.
    pub(super) total: f64,
}

impl<'a> Level<'a> {
    /// The graph itself.
    pub(super) fn ground(rows: &'a Rows) -> Self {
        let slots = (0..rows.nodes()).into_par_iter().with_min_len(PIECE);
        let strengths: Vec<f64> = slots.map(|slot| rows.strength(slot)).collect();
        let total = strengths.iter().sum();
        Self { rows: Cow::Borrowed(rows), strengths, total }
    }

    pub(super) fn nodes(&self) -> usize {
        self.strengths.len()
    }

    pub(super) fn degree(&self, node: usize) -> usize {
        self.rows.degree(node)
    }

    pub(super) fn entries(&self, node: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.rows.entries(node)
    }

    pub(super) fn targets(&self, node: usize) -> &[u32] {
        self.rows.targets(node)
    }

    /// The weights of a node's edges to the communities around it.
    pub(super) fn look(&self, near: &mut Tally<f32>, node: usize, labels: &[u32]) {
        near.begin(self.degree(node));
        if self.rows.is_unweighted() {
            for target in self.targets(node) {
                near.add(labels[*target as usize], 1.0);
            }
        } else {
            for (target, weight) in self.entries(node).filter(|entry| entry.1 > 0.0) {
                near.add(labels[target as usize], weight);
            }
        }
    }

    /// The level above: a node for each part, `parts` having a number below [`nodes`](Self::nodes) for every node; and for
    /// each node the one that stands for it.
    pub(super) fn raise(&self, parts: &[u32]) -> (Level<'static>, Vec<u32>) {
        let (of_part, count) = super::dense(parts);
        let members = Groups::new(&of_part, count);
        let tasks = members.tasks(PIECE);
        let raise = |near: &mut Tally<f32>, task: &Range<usize>| {
            let mut piece: Piece = (Vec::with_capacity(task.len()), Vec::new());
            let mut strengths = Vec::with_capacity(task.len());
            for part in task.clone() {
                let members = members.of(part);
                strengths.push(members.iter().map(|node| self.strengths[*node as usize]).sum());
                let degree: usize = members.iter().map(|node| self.degree(*node as usize)).sum();
                near.begin(degree.min(count));
                for (target, weight) in members.iter().flat_map(|node| self.entries(*node as usize)) {
                    let to = of_part[target as usize];
                    if to as usize != part && weight > 0.0 {
                        near.add(to, weight);
                    }
                }
                near.met_mut().sort_unstable_by_key(|met| met.0);
                piece.0.push(near.met().len() as u32);
                piece.1.extend_from_slice(near.met());
            }
            (piece, strengths)
        };
        let raised: Vec<(Piece, Vec<f64>)> = tasks.par_iter().map_init(Tally::default, raise).collect();
        let (pieces, strengths): (Vec<Piece>, Vec<Vec<f64>>) = raised.into_iter().unzip();
        let rows = Rows::of_pieces(count, &pieces);
        (Level { rows: Cow::Owned(rows), strengths: strengths.concat(), total: self.total }, of_part)
    }
}
