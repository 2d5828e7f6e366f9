//! Nodes move to the community where they gain most, until none gains by moving.

use std::collections::VecDeque;

use super::super::AnalysisError;
use super::level::Level;

/// Nodes that are looked at between two questions whether to go on.
const PER_QUESTION: usize = 65_536;

/// Moves nodes between the communities `labels` (numbers below the number of nodes).
///
/// Those in `first` are looked at, in their order and each once. A node is looked at again, or at all, only when a
/// neighbour has left for another community (the fast local move of Traag, Waltman and van Eck, 2019).
pub(super) fn settle(
    level: &Level<'_>,
    labels: &mut [u32],
    first: VecDeque<u32>,
    resolution: f64,
    ask: &dyn Fn() -> Result<(), AnalysisError>,
) -> Result<(), AnalysisError> {
    let nodes = level.nodes();
    if level.total <= 0.0 {
        return Ok(());
    }
    let mut strengths = vec![0.0; nodes];
    let mut sizes = vec![0_u32; nodes];
    for (node, label) in labels.iter().enumerate() {
        strengths[*label as usize] += level.strengths[node];
        sizes[*label as usize] += 1;
    }
    let mut free: Vec<u32> = (0..nodes as u32).rev().filter(|label| sizes[*label as usize] == 0).collect();
    let mut is_waiting = vec![false; nodes];
    for node in &first {
        is_waiting[*node as usize] = true;
    }
    let mut waiting = first;
    let mut near = Near::new(nodes);
    let factor = resolution / level.total;
    let mut seen = 0;
    while let Some(node) = waiting.pop_front() {
        let node = node as usize;
        is_waiting[node] = false;
        seen += 1;
        if seen % PER_QUESTION == 0 {
            ask()?;
        }
        let (here, strength) = (labels[node], level.strengths[node]);
        near.look(level, node, labels);
        strengths[here as usize] -= strength;
        let gain = |label: u32| f64::from(near.weight(label)) - factor * strength * strengths[label as usize];
        let stay = gain(here);
        let (mut to, mut most) = (here, stay);
        for label in &near.labels {
            let gain = gain(*label);
            // The order in which labels are met is that of the nodes, so that this is decided, not chance.
            if gain > most {
                (to, most) = (*label, gain);
            }
        }
        // Alone, it gains nothing and loses nothing.
        if most < 0.0
            && sizes[here as usize] > 1
            && let Some(label) = free.pop()
        {
            to = label;
        }
        strengths[to as usize] += strength;
        if to == here {
            continue;
        }
        labels[node] = to;
        sizes[to as usize] += 1;
        sizes[here as usize] -= 1;
        if sizes[here as usize] == 0 {
            // Exactly, whatever was lost in adding and taking away.
            strengths[here as usize] = 0.0;
            free.push(here);
        }
        for target in level.targets(node) {
            let target = *target as usize;
            if !is_waiting[target] && labels[target] != to {
                is_waiting[target] = true;
                waiting.push_back(target as u32);
            }
        }
    }
    Ok(())
}

/// The weights of a node's edges to the communities around it.
pub(super) struct Near {
    weights: Vec<f32>,
    /// Communities with an edge, in the order in which they were met.
    pub(super) labels: Vec<u32>,
}

impl Near {
    pub(super) fn new(nodes: usize) -> Self {
        Self { weights: vec![0.0; nodes], labels: Vec::new() }
    }

    pub(super) fn weight(&self, label: u32) -> f32 {
        self.weights[label as usize]
    }

    /// Looks around `node`, and forgets what was seen before.
    pub(super) fn look(&mut self, level: &Level<'_>, node: usize, labels: &[u32]) {
        self.look_where(level, node, labels, |_| true);
    }

    /// The same, with those neighbours only that `counts` says count.
    pub(super) fn look_where(
        &mut self,
        level: &Level<'_>,
        node: usize,
        labels: &[u32],
        counts: impl Fn(usize) -> bool,
    ) {
        for label in self.labels.drain(..) {
            self.weights[label as usize] = 0.0;
        }
        let mut add = |target: u32, weight: f32| {
            let label = labels[target as usize];
            let sum = &mut self.weights[label as usize];
            if *sum == 0.0 {
                self.labels.push(label);
            }
            *sum += weight;
        };
        if level.is_unweighted() {
            level
                .targets(node)
                .iter()
                .filter(|target| counts(**target as usize))
                .for_each(|target| add(*target, 1.0));
        } else {
            level
                .entries(node)
                .filter(|(target, weight)| *weight > 0.0 && counts(*target as usize))
                .for_each(|(target, weight)| add(target, weight));
        }
    }
}
