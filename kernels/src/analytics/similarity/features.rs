//! What is known of each node, as rows of features with weights.

use super::super::network::{Along, Network};

/// What nodes have: for each its features, ascending, each once, with weights above 0.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// Entries of node `i` lie at `starts[i]..starts[i + 1]`.
    starts: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
    /// Number of features that there are.
    count: usize,
}

impl Features {
    /// Rows of features and how often each node has them: bags of words, for example. `count` is larger than any
    /// feature. Of one that is in a row twice the counts add up; what is not above 0 is left out.
    pub fn counted(rows: impl IntoIterator<Item = Vec<(u32, f32)>>, count: usize) -> Self {
        let mut found = Self { starts: vec![0], count, ..Self::default() };
        for mut row in rows {
            row.retain(|(feature, times)| (*feature as usize) < count && *times > 0.0 && times.is_finite());
            row.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            for (feature, times) in row {
                match found.columns.last() {
                    Some(last) if *last == feature && found.starts.last() != Some(&found.columns.len()) => {
                        let at = found.weights.len() - 1;
                        found.weights[at] += times;
                    }
                    _ => {
                        found.columns.push(feature);
                        found.weights.push(times);
                    }
                }
            }
            found.starts.push(found.columns.len());
        }
        found
    }

    /// The neighbours of each node, all alike: parallel edges are one, loops none.
    pub(super) fn neighbors(network: &Network, along: Along) -> Self {
        let rows = network.rows(along);
        let mut found = Self { starts: vec![0], count: network.nodes(), ..Self::default() };
        for slot in 0..network.nodes() {
            found.columns.extend(rows.distinct(slot).filter(|other| *other as usize != slot));
            found.starts.push(found.columns.len());
        }
        found.weights = vec![1.0; found.columns.len()];
        found
    }

    /// Counts as TF-IDF weights, and every row of length 1: (1 + ln count) × ln(1 + (n − d + ½) ÷ (d + ½)) for a feature
    /// that d of the n nodes have (Salton and Buckley, 1988; the rarity of Robertson and Spärck Jones, 1976, made positive).
    pub(super) fn weighted(mut self) -> Self {
        let mut holders = vec![0_u32; self.count];
        for feature in &self.columns {
            holders[*feature as usize] += 1;
        }
        let nodes = self.nodes() as f64;
        let rarity = |feature: u32| {
            let have = f64::from(holders[feature as usize]);
            (1.0 + (nodes - have + 0.5) / (have + 0.5)).ln()
        };
        for slot in 0..self.nodes() {
            let range = self.starts[slot]..self.starts[slot + 1];
            let weigh =
                |at: usize| (1.0 + f64::from(self.weights[at]).ln().max(0.0)) * rarity(self.columns[at]);
            let row: Vec<f64> = range.clone().map(weigh).collect();
            let length = row.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
            for (at, weight) in range.zip(row) {
                self.weights[at] = (weight / length) as f32;
            }
        }
        self
    }

    /// For each feature the nodes that have it, ascending, with the same weights.
    pub(super) fn holders(&self) -> Self {
        let mut starts = vec![0_usize; self.count + 1];
        for feature in &self.columns {
            starts[*feature as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let (mut nodes, mut weights) = (vec![0; self.columns.len()], vec![0.0; self.columns.len()]);
        for slot in 0..self.nodes() {
            for (feature, weight) in self.row(slot) {
                let at = &mut next[feature as usize];
                (nodes[*at], weights[*at]) = (slot as u32, weight);
                *at += 1;
            }
        }
        Self { starts, columns: nodes, weights, count: self.nodes() }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Features of a node.
    pub(super) fn len(&self, slot: usize) -> usize {
        self.starts[slot + 1] - self.starts[slot]
    }

    pub(super) fn row(&self, slot: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.starts[slot]..self.starts[slot + 1];
        self.columns[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// The sum, over the features that both have, of the product of their weights. The same bits either way round.
    pub(super) fn shared(&self, a: usize, b: usize) -> f64 {
        let (mut left, mut right) = (self.row(a), self.row(b));
        let (mut one, mut other) = (left.next(), right.next());
        let mut sum = 0.0;
        while let (Some((a, weight_a)), Some((b, weight_b))) = (one, other) {
            if a == b {
                sum += f64::from(weight_a) * f64::from(weight_b);
            }
            if a <= b {
                one = left.next();
            }
            if b <= a {
                other = right.next();
            }
        }
        sum
    }
}
