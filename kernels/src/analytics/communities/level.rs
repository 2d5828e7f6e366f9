//! A graph of which each node stands for a part of the graph below.

use std::borrow::Cow;

use super::super::network::{Rows, RowsBuilder};

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
        let strengths: Vec<f64> = (0..rows.nodes()).map(|slot| rows.strength(slot)).collect();
        let total = strengths.iter().sum();
        Self { rows: Cow::Borrowed(rows), strengths, total }
    }

    pub(super) fn nodes(&self) -> usize {
        self.strengths.len()
    }

    pub(super) fn entries(&self, node: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.rows.entries(node)
    }

    pub(super) fn targets(&self, node: usize) -> &[u32] {
        self.rows.targets(node)
    }

    pub(super) fn is_unweighted(&self) -> bool {
        self.rows.is_unweighted()
    }

    /// The level above: a node for each part, `parts` having a number below [`nodes`](Self::nodes) for every node; and for
    /// each node the one that stands for it.
    pub(super) fn raise(&self, parts: &[u32]) -> (Level<'static>, Vec<u32>) {
        const NONE: u32 = u32::MAX;
        let mut numbers = vec![NONE; self.nodes()];
        let mut count = 0;
        let of_part: Vec<u32> = parts
            .iter()
            .map(|part| {
                let number = &mut numbers[*part as usize];
                if *number == NONE {
                    *number = count;
                    count += 1;
                }
                *number
            })
            .collect();
        let count = count as usize;

        // The nodes, part by part.
        let mut starts = vec![0_u32; count + 1];
        for part in &of_part {
            starts[*part as usize + 1] += 1;
        }
        for part in 0..count {
            starts[part + 1] += starts[part];
        }
        let mut next = starts.clone();
        let mut members = vec![0_u32; self.nodes()];
        for (node, part) in of_part.iter().enumerate() {
            members[next[*part as usize] as usize] = node as u32;
            next[*part as usize] += 1;
        }

        let mut strengths = vec![0.0; count];
        let mut weight_to = vec![0.0_f32; count];
        let mut met: Vec<u32> = Vec::new();
        let mut rows = RowsBuilder::new(count);
        for part in 0..count {
            for node in &members[starts[part] as usize..starts[part + 1] as usize] {
                strengths[part] += self.strengths[*node as usize];
                for (target, weight) in self.entries(*node as usize) {
                    let to = of_part[target as usize];
                    if to as usize != part && weight > 0.0 {
                        if weight_to[to as usize] == 0.0 {
                            met.push(to);
                        }
                        weight_to[to as usize] += weight;
                    }
                }
            }
            met.sort_unstable();
            for to in met.drain(..) {
                rows.push(to, std::mem::take(&mut weight_to[to as usize]));
            }
            rows.end_row();
        }
        (Level { rows: Cow::Owned(rows.build()), strengths, total: self.total }, of_part)
    }
}
