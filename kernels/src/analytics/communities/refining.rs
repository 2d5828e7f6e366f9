//! What moved together is put together anew from single nodes, along edges only: so that what the next level takes as one
//! is connected, and what hung together by a node that left comes apart.

use super::level::Level;
use super::moving::Near;

/// A partition finer than `labels`: every part is connected and lies in one community. Those that `in_question` says
/// no of are one part as they are.
pub(super) fn refine(
    level: &Level<'_>,
    labels: &[u32],
    in_question: impl Fn(u32) -> bool,
    resolution: f64,
) -> Vec<u32> {
    let nodes = level.nodes();
    let mut parts: Vec<u32> = (0..nodes as u32).collect();
    if level.total <= 0.0 {
        return parts;
    }
    let mut communities = vec![0.0; nodes];
    // Of each community its first node.
    let mut firsts = vec![u32::MAX; nodes];
    for (node, label) in labels.iter().enumerate() {
        communities[*label as usize] += level.strengths[node];
        let first = &mut firsts[*label as usize];
        *first = (*first).min(node as u32);
        if !in_question(*label) {
            parts[node] = *first;
        }
    }
    let mut refined = Refined {
        factor: resolution / level.total,
        strengths: level.strengths.clone(),
        // The weight from a part to the rest of its community.
        outward: vec![0.0; nodes],
        is_alone: vec![true; nodes],
    };
    let mut near = Near::new(nodes);
    let looked_at = |node: &usize| in_question(labels[*node]);
    for node in (0..nodes).filter(looked_at) {
        let same = |target: &(u32, f32)| labels[target.0 as usize] == labels[node];
        refined.outward[node] = level.entries(node).filter(same).map(|entry| f64::from(entry.1)).sum();
    }
    for node in (0..nodes).filter(looked_at) {
        let community = communities[labels[node] as usize];
        // Only those that are still alone, so that nothing is torn from what has grown.
        if !refined.is_alone[node] || !refined.is_well_connected(node, community) {
            continue;
        }
        near.look_where(level, node, &parts, |target| labels[target] == labels[node]);
        let strength = level.strengths[node];
        let (mut to, mut most) = (node as u32, 0.0);
        for part in &near.labels {
            let gain =
                f64::from(near.weight(*part)) - refined.factor * strength * refined.strengths[*part as usize];
            if gain > most && refined.is_well_connected(*part as usize, community) {
                (to, most) = (*part, gain);
            }
        }
        if to as usize == node {
            continue;
        }
        let inside = 2.0 * f64::from(near.weight(to));
        parts[node] = to;
        let to = to as usize;
        refined.is_alone[node] = false;
        refined.is_alone[to] = false;
        refined.strengths[to] += strength;
        refined.strengths[node] = 0.0;
        refined.outward[to] += refined.outward[node] - inside;
    }
    parts
}

struct Refined {
    factor: f64,
    strengths: Vec<f64>,
    outward: Vec<f64>,
    is_alone: Vec<bool>,
}

impl Refined {
    /// Whether a part belongs to its community rather than being in it by chance (the condition γ-connected of the
    /// source).
    fn is_well_connected(&self, part: usize, community: f64) -> bool {
        let strength = self.strengths[part];
        self.outward[part] >= self.factor * strength * (community - strength)
    }
}
