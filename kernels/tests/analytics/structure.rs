//! Components, cores, triangles, labels, precedence.

use proptest::prelude::*;
use weft_kernels::analytics::{
    Along, AnalysisError, Unobserved, anomalies, core_numbers, precedence, propagate_labels,
    strong_components, triangles, weak_components,
};

use crate::made::{Made, any_dag, any_graph};
use crate::naive::{assert_same, names, reaches, same};

proptest! {
    #[test]
    fn weakly_connected_is_who_can_be_reached_without_directions(made in any_graph(24)) {
        let reaches = reaches(&made.undirected());
        let expected = names(|a, b| reaches[a][b], made.nodes());
        let found = weak_components(&made.network());
        prop_assert_eq!(&found.labels, &expected);
        let sizes = |name: u32| expected.iter().filter(|other| **other == name).count();
        let roots = || expected.iter().enumerate().filter(|(slot, name)| *slot == **name as usize);
        prop_assert_eq!(found.count, roots().count());
        prop_assert_eq!(found.largest, roots().map(|(_, name)| sizes(*name)).max().unwrap_or(0));
    }

    #[test]
    fn strongly_connected_is_who_reaches_each_other(made in any_graph(24)) {
        let reaches = reaches(&made.matrix());
        let expected = names(|a, b| reaches[a][b] && reaches[b][a], made.nodes());
        prop_assert_eq!(strong_components(&made.network()).labels, expected);
    }

    #[test]
    fn the_core_number_is_the_last_core_that_a_node_survives(made in any_graph(20)) {
        let matrix = made.undirected();
        let mut expected = vec![0; made.nodes()];
        for core in 1..made.nodes() as u32 {
            let mut inside = vec![true; made.nodes()];
            let neighbours = |slot: usize, inside: &[bool]| {
                (0..inside.len()).filter(|other| inside[*other] && matrix[slot][*other] > 0.0).count() as u32
            };
            while let Some(weak) = (0..inside.len()).find(|slot| inside[*slot] && neighbours(*slot, &inside) < core) {
                inside[weak] = false;
            }
            for slot in (0..inside.len()).filter(|slot| inside[*slot]) {
                expected[slot] = core;
            }
        }
        prop_assert_eq!(core_numbers(&made.network()), expected);
    }

    #[test]
    fn every_triangle_counts_at_its_three_corners(made in any_graph(16)) {
        let matrix = made.undirected();
        let linked = |a: usize, b: usize| matrix[a][b] > 0.0;
        let nodes = made.nodes();
        let mut counts = vec![0_u64; nodes];
        for a in 0..nodes {
            for b in 0..a {
                for c in 0..b {
                    if linked(a, b) && linked(b, c) && linked(a, c) {
                        for slot in [a, b, c] {
                            counts[slot] += 1;
                        }
                    }
                }
            }
        }
        let found = triangles(&made.network(), &Unobserved).unwrap();
        prop_assert_eq!(found.total, counts.iter().sum::<u64>() / 3);
        let pairs = |slot: usize| {
            let degree = (0..nodes).filter(|other| linked(slot, *other)).count() as f64;
            degree * (degree - 1.0) / 2.0
        };
        let part = |count: f64, pairs: f64| if pairs > 0.0 { count / pairs } else { 0.0 };
        let clustering: Vec<f64> = (0..nodes).map(|slot| part(counts[slot] as f64, pairs(slot))).collect();
        assert_same(&found.clustering, &clustering);
        let all = (0..nodes).map(pairs).sum::<f64>();
        prop_assert!(same(found.transitivity, part(counts.iter().sum::<u64>() as f64, all)));
        prop_assert_eq!(found.counts, counts);
    }

    #[test]
    fn everybody_takes_the_label_heard_most_often(made in any_graph(16), rounds in 0_u32..6) {
        let mut labels: Vec<u32> = (0..made.nodes() as u32).collect();
        for _ in 0..rounds {
            let hears = |slot: usize, label: u32| {
                let one = |(from, to, _): (usize, usize, f64)| {
                    usize::from(from == slot && labels[to] == label) + usize::from(to == slot && labels[from] == label)
                };
                made.entries().map(one).sum::<usize>()
            };
            labels = (0..made.nodes())
                .map(|slot| {
                    let best = labels.iter().copied().max_by_key(|label| (hears(slot, *label), std::cmp::Reverse(*label)));
                    best.filter(|label| hears(slot, *label) > 0).unwrap_or(labels[slot])
                })
                .collect();
        }
        prop_assert_eq!(propagate_labels(&made.network(), Along::Both, rounds, &Unobserved).unwrap(), labels);
    }

    #[test]
    fn an_order_keeps_every_edge_and_its_critical_path_is_as_long_as_all(made in any_dag(16)) {
        let durations: Vec<f64> = (0..made.nodes()).map(|slot| (slot % 4) as f64).collect();
        let found = precedence(&made.network(), Some(&durations), true).unwrap();
        let mut places = vec![usize::MAX; made.nodes()];
        for (place, slot) in found.order.iter().enumerate() {
            places[*slot as usize] = place;
        }
        prop_assert!(places.iter().all(|place| *place < made.nodes()), "everybody has a place");
        for (from, to, lag) in made.entries() {
            prop_assert!(places[from] < places[to]);
            prop_assert!(found.levels[from] < found.levels[to]);
            prop_assert!(found.earliest[from] + durations[from] + lag <= found.earliest[to]);
        }
        // Its length along the chain, gaps by the edges' lags, is that of the whole.
        let lag = |from: u32, to: u32| {
            let between = made.entries().filter(|edge| (edge.0, edge.1) == (from as usize, to as usize));
            between.map(|edge| edge.2).fold(f64::NAN, f64::max)
        };
        let gaps: f64 = found.critical.windows(2).map(|pair| lag(pair[0], pair[1])).sum();
        let work: f64 = found.critical.iter().map(|slot| durations[*slot as usize]).sum();
        prop_assert!(same(gaps + work, found.length));
        prop_assert!(found.critical.iter().all(|slot| same(found.slack[*slot as usize], 0.0)));
        // What has slack can be delayed by it: nothing else moves beyond its own.
        for (from, to, lag) in made.entries() {
            let latest = |slot: usize| found.earliest[slot] + found.slack[slot];
            prop_assert!(latest(from) + durations[from] + lag <= latest(to) + 1e-9);
        }
    }

    #[test]
    fn a_cycle_is_named(made in any_graph(16)) {
        let network = made.network();
        let matrix = made.matrix();
        let reaches = reaches(&matrix);
        let nodes = made.nodes();
        let has_cycle = (0..nodes).any(|a| matrix[a][a] > 0.0 || (0..nodes).any(|b| a != b && reaches[a][b] && reaches[b][a]));
        match precedence(&network, None, false) {
            Ok(_) => prop_assert!(!has_cycle),
            Err(AnalysisError::Cycle { cycle }) => {
                prop_assert!(!cycle.is_empty());
                let slots: Vec<usize> = cycle.iter().map(|id| network.slot(*id).unwrap()).collect();
                for (at, from) in slots.iter().enumerate() {
                    prop_assert!(matrix[*from][slots[(at + 1) % slots.len()]] > 0.0);
                }
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn of_those_that_could_come_next_the_smallest_does() {
    let made = Made::of(5, &[(4, 0), (3, 1)]);
    let found = precedence(&made.network(), None, false).unwrap();
    assert_eq!(found.order, [2, 3, 1, 4, 0]);
    assert_eq!(found.levels, [1, 1, 0, 0, 0]);
    assert_eq!(found.critical, [4, 0]);
}

proptest! {
    /// Egonets, counted edge by edge.
    #[test]
    fn egonets_are_counted(made in any_graph(24)) {
        let found = anomalies(&made.network(), &Unobserved).unwrap();
        let matrix = made.undirected();
        let linked = |a: usize, b: usize| matrix[a][b] > 0.0;
        for node in 0..made.nodes() {
            let members: Vec<usize> =
                (0..made.nodes()).filter(|other| *other == node || linked(node, *other)).collect();
            let pairs = members.iter().enumerate().flat_map(|(at, a)| members[at + 1..].iter().map(move |b| (*a, *b)));
            prop_assert_eq!(found.nodes[node], members.len() as u64);
            prop_assert_eq!(found.edges[node], pairs.filter(|(a, b)| linked(*a, *b)).count() as u64);
            prop_assert!(found.scores[node] >= 0.0 && found.scores[node].is_finite());
        }
    }
}

#[test]
fn a_clique_among_stars_is_odd() {
    let mut pairs = Vec::new();
    // Twenty stars of different sizes.
    let mut next = 0;
    for size in 3..23 {
        let centre = next;
        pairs.extend((1..=size).map(|at| (centre, centre + at)));
        next += size + 1;
    }
    let clique = next;
    for a in 0..12 {
        pairs.extend((a + 1..12).map(|b| (clique + a, clique + b)));
    }
    let made = Made::of(clique + 12, &pairs);
    let found = anomalies(&made.network(), &Unobserved).unwrap();
    let oddest = (0..made.nodes()).max_by(|a, b| found.scores[*a].total_cmp(&found.scores[*b])).unwrap();
    assert!(oddest >= clique, "{oddest} is in no clique");
}
