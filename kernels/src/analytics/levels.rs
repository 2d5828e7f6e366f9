//! How deep in a hierarchy each node is, in graphs that may have cycles.

use super::components::StrongOrder;
use super::network::{Along, Network};

/// For each node, the longest way that ends at it, counted in edges between strongly connected
/// components: nodes that can reach each other are one step and share a level, so that cycles need no
/// edge turned round. Level 0 has what nothing leads to.
pub fn levels(network: &Network) -> Vec<u32> {
    let rows = network.rows(Along::Out);
    let order = StrongOrder::new(rows);
    let mut part_of = vec![0_u32; network.nodes()];
    for (number, part) in order.parts().enumerate() {
        for slot in part {
            part_of[*slot as usize] = number as u32;
        }
    }
    // From those that reach to those that are reached: a part is final before its edges are followed.
    let mut level = vec![0_u32; order.parts().len()];
    for (number, part) in order.parts().enumerate().rev() {
        for target in part.iter().flat_map(|slot| rows.targets(*slot as usize)) {
            let reached = part_of[*target as usize] as usize;
            if reached != number {
                level[reached] = level[reached].max(level[number] + 1);
            }
        }
    }
    part_of.into_iter().map(|part| level[part as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphs::link;

    #[test]
    fn a_cycle_is_one_step_of_the_longest_way() {
        // 0 → 1 → 2 → 3 → 1, a short cut 0 → 4, and 3 → 4.
        let edges = [link(0, 1), link(1, 2), link(2, 3), link(3, 1), link(0, 4), link(3, 4)];
        let network = Network::new(&[0, 1, 2, 3, 4, 5], &edges).unwrap();
        assert_eq!(levels(&network), [0, 1, 1, 1, 2, 0]);
    }
}
