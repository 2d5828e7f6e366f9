//! Who does what, where a layout has several devices: each owns a run of the nodes, in the order of the cells, and a run of
//! the mesh's points, which lie in the same order.
//!
//! What comes out has the same bits however they are divided; only how long it takes depends on it.

use std::ops::Range;

use super::machine::THREADS;
use super::shape::blocks;

/// A division is kept while its largest part is at most so many tenths of that of the best one: a new one makes
/// recordings anew.
const GOOD: u64 = 11;

/// What one device does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    /// Places in the order of the cells; begins with a block.
    pub(super) nodes: Range<u32>,
    /// Mesh points; as well.
    pub(super) points: Range<u32>,
}

/// What all devices do together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Division {
    nodes: u32,
    points: u32,
    /// First block of each device, and one past the last of all.
    node_blocks: Vec<u32>,
    point_blocks: Vec<u32>,
}

impl Division {
    /// All of it for one device.
    pub(super) fn whole(nodes: u32, points: u32) -> Self {
        Self { nodes, points, node_blocks: vec![0, blocks(nodes)], point_blocks: vec![0, blocks(points)] }
    }

    /// For `devices` devices, by what each block of nodes and of mesh points costs.
    pub(super) fn new(
        devices: usize,
        (nodes, points): (u32, u32),
        node_costs: &[u64],
        point_costs: &[u64],
    ) -> Self {
        Self { nodes, points, node_blocks: cut(node_costs, devices), point_blocks: cut(point_costs, devices) }
    }

    /// Whether this division is one of the same nodes and points as `new`, and nearly as good by these costs.
    pub(super) fn is_good(&self, new: &Self, node_costs: &[u64], point_costs: &[u64]) -> bool {
        let near = |costs: &[u64], old: &[u32], new: &[u32]| {
            old.len() == new.len() && 10 * largest(costs, old) <= GOOD * largest(costs, new)
        };
        (self.nodes, self.points) == (new.nodes, new.points)
            && near(node_costs, &self.node_blocks, &new.node_blocks)
            && near(point_costs, &self.point_blocks, &new.point_blocks)
    }

    /// The part of device `device`; may be empty.
    pub(super) fn share(&self, device: usize) -> Share {
        let range = |blocks: &[u32], all: u32| {
            let end = |block: u32| (block * THREADS).min(all);
            end(blocks[device])..end(blocks[device + 1])
        };
        Share { nodes: range(&self.node_blocks, self.nodes), points: range(&self.point_blocks, self.points) }
    }
}

/// Cuts a list into `parts` runs that cost about the same: where each begins, and its end.
fn cut(costs: &[u64], parts: usize) -> Vec<u32> {
    // What comes before each entry, and all.
    let mut before = vec![0_u64];
    before.extend(costs.iter().scan(0, |sum, cost| {
        *sum += cost;
        Some(*sum)
    }));
    let all = before[costs.len()];
    let parts = parts as u64;
    (0..=parts)
        .map(|part| {
            if part == parts {
                return costs.len() as u32;
            }
            let wanted = all * part / parts;
            // Whichever is nearer, before or after the entry in which it lies.
            let after = before.partition_point(|sum| *sum < wanted);
            let is_nearer = after > 0 && wanted - before[after - 1] <= before[after] - wanted;
            (if is_nearer { after - 1 } else { after }) as u32
        })
        .collect()
}

/// What the most expensive run costs.
fn largest(costs: &[u64], cuts: &[u32]) -> u64 {
    cuts.windows(2).map(|cut| costs[cut[0] as usize..cut[1] as usize].iter().sum()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cost_about_the_same_and_leave_nothing_out() {
        assert_eq!(cut(&[1; 12], 3), [0, 4, 8, 12]);
        assert_eq!(cut(&[1, 1, 1, 1, 8], 2), [0, 4, 5]);
        assert_eq!(cut(&[8, 1, 1, 1, 1], 2), [0, 1, 5]);
        // One is dear, and cannot be cut; fewer entries than parts.
        assert_eq!(cut(&[100, 1, 1], 3), [0, 0, 1, 3]);
        assert_eq!(cut(&[7], 3), [0, 0, 1, 1]);
        for parts in 1..9 {
            let costs: Vec<u64> = (0..50).map(|at| at * at % 37).collect();
            let cuts = cut(&costs, parts);
            assert!(cuts.len() == parts + 1 && cuts[0] == 0 && cuts[parts] == 50 && cuts.is_sorted());
            let fair = costs.iter().sum::<u64>() / parts as u64;
            assert!(largest(&costs, &cuts) <= fair + 37, "{parts} {cuts:?}");
        }
    }

    #[test]
    fn shares_are_whole_blocks_and_the_rest() {
        let division = Division::new(3, (600, 1_000), &[1, 1, 1], &[3, 1, 1, 1]);
        let shares: Vec<Share> = (0..3).map(|device| division.share(device)).collect();
        assert_eq!(shares[0], Share { nodes: 0..256, points: 0..256 });
        assert_eq!(shares[1].nodes, 256..512);
        assert_eq!(shares[2].nodes, 512..600);
        assert_eq!(shares[1].points.start, 256);
        assert_eq!(shares[2].points.end, 1_000);
        let whole = Division::whole(600, 1_000);
        assert_eq!(whole.share(0), Share { nodes: 0..600, points: 0..1_000 });
        // Fewer nodes than devices.
        let few = Division::new(4, (3, 64), &[9], &[9]);
        let nodes: u32 = (0..4).map(|device| few.share(device).nodes.len() as u32).sum();
        assert_eq!(nodes, 3);
    }

    #[test]
    fn a_division_is_kept_while_it_is_nearly_the_best() {
        let (sizes, points) = ((4 * 256, 256), [1]);
        let old = Division::new(2, sizes, &[10, 10, 10, 10], &points);
        let good = |costs: &[u64]| old.is_good(&Division::new(2, sizes, costs, &points), costs, &points);
        assert!(good(&[10, 11, 10, 10]));
        assert!(!good(&[30, 30, 10, 10]), "the first one is then better alone");
        // Nothing can be done about one dear block.
        assert!(good(&[0, 900, 0, 0]));
        let more = Division::new(2, (5 * 256, 256), &[10; 5], &points);
        assert!(!old.is_good(&more, &[10; 5], &points));
    }
}
