//! Distances, PageRank, betweenness, closeness.

use proptest::prelude::*;
use weft_kernels::analytics::{
    Along, AnalysisError, PageRankParams, Sources, UNREACHED, Unobserved, betweenness, breadth_first,
    closeness, pagerank, shortest_paths,
};

use crate::made::{Made, any_graph};
use crate::naive::{assert_same, close, hops, same, ways};

fn matrix(made: &Made, along: Along) -> Vec<Vec<f64>> {
    match along {
        Along::Out => made.matrix(),
        Along::Into => {
            let matrix = made.matrix();
            (0..made.nodes()).map(|to| matrix.iter().map(|row| row[to]).collect()).collect()
        }
        Along::Both => made.undirected(),
    }
}

fn any_way() -> impl Strategy<Value = Along> {
    prop_oneof![Just(Along::Out), Just(Along::Into), Just(Along::Both)]
}

proptest! {
    #[test]
    fn depths_are_edges_of_the_shortest_ways(made in any_graph(24), along in any_way()) {
        let hops = hops(&matrix(&made, along));
        let network = made.network();
        for (from, id) in made.ids.iter().enumerate() {
            let depth = |hops: &f64| if hops.is_finite() { *hops as u32 } else { UNREACHED };
            let expected: Vec<u32> = hops[from].iter().map(depth).collect();
            prop_assert_eq!(breadth_first(&network, *id, along, &Unobserved).unwrap(), expected);
        }
    }

    #[test]
    fn the_shortest_way_is_the_shortest_of_all(made in any_graph(24)) {
        let mut lengths = vec![vec![f64::INFINITY; made.nodes()]; made.nodes()];
        for (from, to, length) in made.entries() {
            lengths[from][to] = lengths[from][to].min(length);
        }
        let lengths = close(lengths);
        let network = made.network();
        for (from, id) in made.ids.iter().enumerate() {
            let found = shortest_paths(&network, *id, Along::Out, &Unobserved).unwrap();
            // Halves add up exactly, in any order.
            prop_assert_eq!(&found, &lengths[from]);
        }
    }

    #[test]
    fn ranks_are_where_the_walk_is_found(made in any_graph(16), along in any_way(), personal in any::<bool>()) {
        let nodes = made.nodes();
        let matrix = matrix(&made, along);
        let weights: Vec<f64> = (0..nodes).map(|slot| if personal { (slot % 3) as f64 + 0.5 } else { 1.0 }).collect();
        let begin: Vec<f64> = weights.iter().map(|weight| weight / weights.iter().sum::<f64>()).collect();
        // The walk itself, step by step, from nodes without edges to where one begins.
        let mut expected = begin.clone();
        for _ in 0..400 {
            let mut next: Vec<f64> = begin.iter().map(|begin| begin * 0.15).collect();
            for (from, row) in matrix.iter().enumerate() {
                let strength: f64 = row.iter().sum();
                for (to, next) in next.iter_mut().enumerate() {
                    let part = if strength > 0.0 { row[to] / strength } else { begin[to] };
                    *next += 0.85 * expected[from] * part;
                }
            }
            expected = next;
        }
        let params = PageRankParams {
            along,
            tolerance: 1e-13,
            personalisation: personal.then_some(weights),
            ..PageRankParams::default()
        };
        let found = pagerank(&made.network(), &params, &Unobserved).unwrap();
        prop_assert!(found.converged);
        assert_same(&found.ranks, &expected);
    }

    #[test]
    fn betweenness_counts_the_ways_over_a_node(made in any_graph(12), along in any_way()) {
        let matrix = matrix(&made, along);
        let (hops, nodes) = (hops(&matrix), made.nodes());
        let ways = ways(&matrix, &hops);
        let over = |by: usize, from: usize, to: usize| {
            let is_between = by != from && by != to && from != to && hops[from][to].is_finite();
            let on_the_way = is_between && same(hops[from][by] + hops[by][to], hops[from][to]);
            if on_the_way { ways[from][by] * ways[by][to] / ways[from][to] } else { 0.0 }
        };
        let pairs = if along == Along::Both { 0.5 } else { 1.0 };
        let of = |by: usize, from: usize| (0..nodes).map(|to| over(by, from, to)).sum::<f64>() * pairs;
        let network = made.network();
        let expected: Vec<f64> = (0..nodes).map(|by| (0..nodes).map(|from| of(by, from)).sum()).collect();
        assert_same(&betweenness(&network, along, &Sources::All, &Unobserved).unwrap(), &expected);

        let first = Sources::Nodes(vec![made.ids[0]]);
        let expected: Vec<f64> = (0..nodes).map(|by| of(by, 0)).collect();
        assert_same(&betweenness(&network, along, &first, &Unobserved).unwrap(), &expected);
    }

    #[test]
    fn closeness_is_of_distances_to_all_who_are_reached(made in any_graph(16), along in any_way()) {
        let hops = hops(&matrix(&made, along));
        let others = (made.nodes() - 1).max(1) as f64;
        let found = closeness(&made.network(), along, &Sources::All, &Unobserved).unwrap();
        for (from, hops) in hops.iter().enumerate() {
            let reached: Vec<f64> = hops.iter().copied().filter(|hops| *hops > 0.0 && hops.is_finite()).collect();
            let (count, sum) = (reached.len() as f64, reached.iter().sum::<f64>());
            let expected = if sum > 0.0 { count / others * count / sum } else { 0.0 };
            prop_assert!(same(found.closeness[from], expected));
            let harmonic = reached.iter().map(|hops| 1.0 / hops).sum::<f64>() / others;
            prop_assert!(same(found.harmonic[from], harmonic));
        }
        prop_assert_eq!(found.nodes, made.ids);
    }
}

#[test]
fn a_sample_of_all_nodes_is_all_of_them_and_a_smaller_one_is_the_same_each_time() {
    let ring: Vec<(usize, usize)> = (0..40).map(|slot| (slot, (slot * 7 + 1) % 40)).collect();
    let network = Made::of(40, &ring).network();
    let found = |sources: &Sources| betweenness(&network, Along::Both, sources, &Unobserved).unwrap();
    assert_eq!(found(&Sources::Sampled { count: 40, seed: 1 }), found(&Sources::All));
    let some = Sources::Sampled { count: 9, seed: 1 };
    assert_eq!(found(&some), found(&some));
    assert_ne!(found(&some), found(&Sources::Sampled { count: 9, seed: 2 }));
}

#[test]
fn large_fronts_are_met_from_the_other_side() {
    // A hub whose neighbours share a second ring of nodes: the second front is most of the graph.
    let hub = (1..=2_000).map(|slot| (0, slot));
    let ring = (1..=2_000).flat_map(|slot| [(slot, 2_000 + slot), (slot, 2_001 + slot % 2_000)]);
    let pairs: Vec<(usize, usize)> = hub.chain(ring).chain([(3_000, 4_001)]).collect();
    let made = Made::of(4_003, &pairs);
    let depths = breadth_first(&made.network(), made.ids[0], Along::Out, &Unobserved).unwrap();
    assert!(depths[1..=2_000].iter().all(|depth| *depth == 1));
    assert!(depths[2_001..=4_000].iter().all(|depth| *depth == 2));
    assert_eq!(depths[4_001..], [3, UNREACHED]);
}

#[test]
fn lengths_of_nothing_and_of_very_different_sizes_are_no_trouble() {
    let made = Made::weighted(5, &[(0, 1, 0.0), (1, 2, 1e-30), (2, 3, 1e6), (0, 3, 1.5e6)]);
    let found = shortest_paths(&made.network(), made.ids[0], Along::Out, &Unobserved).unwrap();
    assert_eq!(found, [0.0, 0.0, f64::from(1e-30_f32), 1e6, f64::INFINITY]);
}

#[test]
fn what_is_out_of_range_is_refused_by_name() {
    let network = Made::of(2, &[(0, 1)]).network();
    let refused = |params: PageRankParams| pagerank(&network, &params, &Unobserved).unwrap_err();
    let field = |error: AnalysisError| match error {
        AnalysisError::Parameter { field, .. } => field,
        other => panic!("{other}"),
    };
    let good = PageRankParams::default;
    assert_eq!(field(refused(PageRankParams { damping: f64::NAN, ..good() })), "damping");
    assert_eq!(field(refused(PageRankParams { tolerance: 0.0, ..good() })), "tolerance");
    let nowhere = Some(vec![0.0, 0.0]);
    assert_eq!(
        field(refused(PageRankParams { personalisation: nowhere, ..good() })),
        "sum of personalisation"
    );
    let short = PageRankParams { personalisation: Some(vec![1.0]), ..good() };
    assert_eq!(refused(short), AnalysisError::Length { given: 1, nodes: 2 });
    let stranger = breadth_first(&network, 1, Along::Out, &Unobserved).unwrap_err();
    assert_eq!(stranger, AnalysisError::UnknownNode { id: 1 });
}
