//! Which nodes of a graph become one node of a coarser graph.

use rayon::prelude::*;

use super::fine::Fine;
use crate::random;

/// Nodes that are looked at by one thread.
const PIECE: usize = 1_024;
/// A node that hangs together with nothing, and so is part of no coarser graph.
pub(super) const LOOSE: u32 = u32::MAX;
/// A node whose cluster is being looked for.
const ON_THE_WAY: u32 = u32::MAX - 1;

/// For every node the number of its cluster, [`LOOSE`] for those without neighbours, and how many clusters there are.
///
/// Every node joins the neighbour that it is tied to most, measured by what both weigh: the weight of the
/// edge over the product of the masses, so that small ones join small ones and a hub gets those that have nobody
/// else. That is a round of Borůvka's: clusters are trees, and the best edge of all in a cluster is the only
/// one that both its ends chose. Drawn numbers decide among equals. All of it follows from the graph alone.
///
/// A weight that is a sum can differ in its last bits from one end to the other, so that more than two may choose each
/// other in a circle: that is a cluster like any other.
pub(super) fn clusters(fine: &Fine<'_>) -> (Vec<u32>, usize) {
    let nodes = fine.masses.len();
    let mut chosen = vec![LOOSE; nodes];
    chosen.par_chunks_mut(PIECE).enumerate().for_each(|(piece, chosen)| {
        for (at, chosen) in chosen.iter_mut().enumerate() {
            *chosen = best(fine, piece * PIECE + at);
        }
    });
    let mut cluster = vec![LOOSE; nodes];
    let mut count = 0;
    let mut way = Vec::new();
    for first in 0..nodes {
        // Follow the choices to one whose cluster is known, or back to one that was passed: those chose each other.
        let mut node = first;
        while cluster[node] == LOOSE && chosen[node] != LOOSE {
            cluster[node] = ON_THE_WAY;
            way.push(node);
            node = chosen[node] as usize;
        }
        let found = if cluster[node] == ON_THE_WAY {
            count += 1;
            count - 1
        } else {
            cluster[node]
        };
        way.drain(..).for_each(|passed| cluster[passed] = found);
    }
    (cluster, count as usize)
}

/// The neighbour that a node is tied to most.
fn best(fine: &Fine<'_>, node: usize) -> u32 {
    let tie = |other: u32| {
        let (low, high) = (other.min(node as u32), other.max(node as u32));
        random::mix(u64::from(low), u64::from(high))
    };
    let (mut best, mut strength) = (LOOSE, f32::MIN);
    fine.each_edge(node, |other, weight| {
        let found = weight / (fine.masses[node] * fine.masses[other as usize]);
        let order = found.total_cmp(&strength).then_with(|| tie(other).cmp(&tie(best)));
        if best == LOOSE || order.is_gt() {
            (best, strength) = (other, found);
        }
    });
    best
}
