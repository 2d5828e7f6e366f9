//! Core numbers: how deep inside the dense part of a graph a node lies.

use super::network::{Along, Network};

/// For each node the largest k for which it belongs to a part in which everybody has at least k neighbours
/// in the part; directions, loops and parallel edges do not count (Seidman, 1983).
///
/// Nodes are taken away by degree, kept sorted by moving one place for each neighbour lost: time in proportion to
/// nodes and edges (Batagelj and Zaveršnik, 2003).
pub fn core_numbers(network: &Network) -> Vec<u32> {
    let rows = network.rows(Along::Both);
    let nodes = network.nodes();
    let mut degrees: Vec<u32> = (0..nodes).map(|slot| rows.degree(slot) as u32).collect();
    let most = degrees.iter().copied().max().unwrap_or(0) as usize;
    // Where the nodes of each degree begin in `order`.
    let mut begins = vec![0_u32; most + 2];
    for degree in &degrees {
        begins[*degree as usize + 1] += 1;
    }
    for degree in 0..=most {
        begins[degree + 1] += begins[degree];
    }
    let mut next = begins.clone();
    let (mut order, mut places) = (vec![0_u32; nodes], vec![0_u32; nodes]);
    for (slot, degree) in degrees.iter().enumerate() {
        let place = &mut next[*degree as usize];
        order[*place as usize] = slot as u32;
        places[slot] = *place;
        *place += 1;
    }
    for at in 0..nodes {
        let slot = order[at] as usize;
        for neighbour in rows.targets(slot) {
            let neighbour = *neighbour as usize;
            let degree = degrees[neighbour];
            if degree > degrees[slot] {
                // Changes places with the first of its degree, which then begins one further.
                let (place, first) = (places[neighbour], begins[degree as usize]);
                let other = order[first as usize];
                order.swap(place as usize, first as usize);
                places[other as usize] = place;
                places[neighbour] = first;
                begins[degree as usize] += 1;
                degrees[neighbour] -= 1;
            }
        }
    }
    degrees
}
