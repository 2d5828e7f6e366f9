//! What holds for every analysis: the same bits whatever the order of the edges and the number of threads; the
//! end when it is asked for; an answer for a graph of nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use weft_kernels::analytics::{
    Along, AnalysisError, CommunityParams, Network, Observer, PageRankParams, Pair, SimilarityParams,
    Sources, Unobserved, anomalies, betweenness, breadth_first, closeness, communities, core_numbers,
    pagerank, precedence, propagate_labels, shortest_paths, similar_neighbors, strong_components, triangles,
    weak_components,
};

use crate::made::Made;

/// Large enough that every thread has something to do, with loops, parallel edges and parts of their own.
fn large() -> Made {
    let nodes = 20_000_usize;
    let mut state = 7_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    let entries: Vec<(usize, usize, f32)> = (0..nodes * 3)
        .map(|_| {
            let from = below(nodes - 50);
            // Near ones for communities, early ones for hubs.
            let to = if below(3) == 0 {
                below(from / 8 + 1)
            } else {
                (from / 100 * 100 + below(100)).min(nodes - 51)
            };
            (from, to, 0.1 + below(40) as f32 / 7.0)
        })
        .collect();
    Made::weighted(nodes, &entries)
}

/// Everything there is, as bits.
fn everything(network: &Network, observer: &dyn Observer) -> Result<Vec<Vec<u64>>, AnalysisError> {
    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }
    fn alike(pairs: &[Pair]) -> Vec<u64> {
        pairs.iter().flat_map(|pair| [pair.a.into(), pair.b.into(), pair.similarity.to_bits()]).collect()
    }
    fn wide(values: &[u32]) -> Vec<u64> {
        values.iter().map(|value| u64::from(*value)).collect()
    }
    let first = network.ids()[0];
    let some = Sources::Sampled { count: 40, seed: 3 };
    let near = closeness(network, Along::Out, &some, observer)?;
    Ok(vec![
        wide(&weak_components(network).labels),
        wide(&strong_components(network).labels),
        wide(&core_numbers(network)),
        wide(&breadth_first(network, first, Along::Both, observer)?),
        bits(&shortest_paths(network, first, Along::Both, observer)?),
        bits(&pagerank(network, &PageRankParams::default(), observer)?.ranks),
        bits(&betweenness(network, Along::Both, &some, observer)?),
        bits(&near.closeness),
        bits(&near.harmonic),
        triangles(network, observer)?.counts,
        bits(&anomalies(network, observer)?.scores),
        alike(&similar_neighbors(network, Along::Out, &SimilarityParams::default(), observer)?),
        wide(&propagate_labels(network, Along::Both, 5, observer)?),
        wide(&communities(network, &CommunityParams::default(), observer)?.labels),
    ])
}

#[test]
fn the_same_bits_for_any_order_of_edges_and_any_number_of_threads() {
    let made = large();
    let on = |threads: usize, made: &Made| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| everything(&made.network(), &Unobserved).unwrap())
    };
    let expected = on(1, &made);
    let mut shuffled = made.clone();
    shuffled.edges.reverse();
    shuffled.edges.rotate_left(12_345);
    for (name, found) in
        [("2 threads", on(2, &made)), ("4 threads", on(4, &made)), ("another order", on(3, &shuffled))]
    {
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(found == expected, "{name}: result {index} differs");
        }
    }
}

#[test]
fn whatever_asks_ends_when_it_is_told_to() {
    let network = large().network();
    // One question more each time, until there are no more to say no to.
    let mut ended = 0;
    for patience in (0..).map(|step| step * 7) {
        let asked = AtomicUsize::new(0);
        let impatient = |_: f64| asked.fetch_add(1, Ordering::Relaxed) < patience;
        match everything(&network, &impatient) {
            Err(error) => assert_eq!(error, AnalysisError::Cancelled),
            Ok(_) => break,
        }
        ended += 1;
    }
    assert!(ended > 5, "{ended}");
}

#[test]
fn an_empty_graph_has_empty_results() {
    let network = Network::new(&[], &[]).unwrap();
    assert_eq!(weak_components(&network).count, 0);
    assert_eq!(strong_components(&network).largest, 0);
    assert!(core_numbers(&network).is_empty());
    assert!(pagerank(&network, &PageRankParams::default(), &Unobserved).unwrap().ranks.is_empty());
    assert!(betweenness(&network, Along::Out, &Sources::All, &Unobserved).unwrap().is_empty());
    assert!(closeness(&network, Along::Out, &Sources::All, &Unobserved).unwrap().nodes.is_empty());
    assert_eq!(triangles(&network, &Unobserved).unwrap().total, 0);
    assert!(propagate_labels(&network, Along::Both, 3, &Unobserved).unwrap().is_empty());
    assert_eq!(communities(&network, &CommunityParams::default(), &Unobserved).unwrap().count, 0);
    assert!(precedence(&network, None, false).unwrap().critical.is_empty());
}
