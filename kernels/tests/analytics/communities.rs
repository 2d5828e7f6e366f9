//! Leiden and Louvain.

use proptest::prelude::*;
use weft_kernels::analytics::{CommunityParams, Method, Unobserved, communities, modularity};

use crate::made::{Made, any_graph};
use crate::naive::{reaches, same};

/// The definition, pair by pair.
fn definition(made: &Made, labels: &[u32], resolution: f64) -> f64 {
    let matrix = made.undirected();
    let strengths: Vec<f64> = matrix.iter().map(|row| row.iter().sum()).collect();
    let total: f64 = strengths.iter().sum();
    let mut sum = 0.0;
    for a in 0..made.nodes() {
        for b in (0..made.nodes()).filter(|b| labels[a] == labels[*b]) {
            sum += matrix[a][b] - resolution * strengths[a] * strengths[b] / total;
        }
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

proptest! {
    #[test]
    fn modularity_is_its_definition_and_never_worse_than_everybody_alone(
        made in any_graph(16),
        resolution in 0.0..3.0_f64,
        method in prop_oneof![Just(Method::Leiden), Just(Method::Louvain)],
    ) {
        let network = made.network();
        let params = CommunityParams { method, resolution, ..CommunityParams::default() };
        let found = communities(&network, &params, &Unobserved).unwrap();
        prop_assert!(same(found.modularity, definition(&made, &found.labels, resolution)));
        prop_assert!(same(found.modularity, modularity(&network, &found.labels, resolution).unwrap()));
        let alone: Vec<u32> = (0..made.nodes() as u32).collect();
        prop_assert!(found.modularity >= definition(&made, &alone, resolution) - 1e-9);
        let names = || found.labels.iter().enumerate().filter(|(slot, name)| *slot == **name as usize);
        prop_assert_eq!(names().count(), found.count);
        prop_assert!(found.labels.iter().enumerate().all(|(slot, name)| *name as usize <= slot));
    }

    #[test]
    fn every_community_of_leiden_is_connected(made in any_graph(20), resolution in 0.2..2.0_f64) {
        let params = CommunityParams { resolution, ..CommunityParams::default() };
        let labels = communities(&made.network(), &params, &Unobserved).unwrap().labels;
        let mut inside = made.undirected();
        for (from, row) in inside.iter_mut().enumerate() {
            for (_, weight) in row.iter_mut().enumerate().filter(|(to, _)| labels[*to] != labels[from]) {
                *weight = 0.0;
            }
        }
        let reaches = reaches(&inside);
        for from in 0..made.nodes() {
            for to in (0..made.nodes()).filter(|to| labels[*to] == labels[from]) {
                prop_assert!(reaches[from][to], "{from} and {to} are in one community");
            }
        }
    }
}

#[test]
fn planted_communities_are_found() {
    // Twelve rings of 20 with chords, a single edge from each to the next.
    let mut pairs = Vec::new();
    for part in 0..12 {
        let at = |slot: usize| part * 20 + slot % 20;
        pairs.extend((0..20).flat_map(|slot| [1, 2, 5].map(|step| (at(slot), at(slot + step)))));
        pairs.push((at(0), (part + 1) % 12 * 20));
    }
    let made = Made::of(240, &pairs);
    for method in [Method::Leiden, Method::Louvain] {
        let params = CommunityParams { method, ..CommunityParams::default() };
        let found = communities(&made.network(), &params, &Unobserved).unwrap();
        let planted: Vec<u32> = (0..240).map(|slot| slot / 20 * 20).collect();
        assert_eq!(found.labels, planted, "{method:?}");
    }
}

#[test]
fn a_higher_resolution_makes_more_communities() {
    let ring: Vec<(usize, usize)> = (0..200).map(|slot| (slot, (slot + 1) % 200)).collect();
    let network = Made::of(200, &ring).network();
    let count = |resolution| {
        let params = CommunityParams { resolution, ..CommunityParams::default() };
        communities(&network, &params, &Unobserved).unwrap().count
    };
    assert!(count(0.2) < count(1.0) && count(1.0) < count(8.0));
    assert_eq!(count(1e6), 200);
    assert_eq!(count(0.0), 1);
}
