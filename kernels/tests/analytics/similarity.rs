//! Pairs of nodes that are alike.

use proptest::prelude::*;
use weft_kernels::analytics::{
    Along, AnalysisError, Features, Pair, SimilarityParams, Unobserved, similar_neighbors, similar_texts,
};

use crate::made::{Made, any_graph};

/// The pairs that the definition keeps, of all similarities between all nodes.
fn expected(similarity: &[Vec<f64>], params: &SimilarityParams) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (a, of_a) in similarity.iter().enumerate() {
        let is_kept = |b: &usize| *b != a && of_a[*b] > 0.0 && of_a[*b] >= params.least;
        let mut others: Vec<usize> = (0..of_a.len()).filter(is_kept).collect();
        others.sort_by(|b, c| of_a[*c].total_cmp(&of_a[*b]).then(b.cmp(c)));
        pairs.extend(others.into_iter().take(params.per_node).map(|b| (a as u32, b as u32, of_a[b])));
    }
    let kept = pairs.clone();
    pairs.retain(|(a, b, _)| a < b || !kept.iter().any(|other| (other.0, other.1) == (*b, *a)));
    pairs.sort_by_key(|pair| (pair.0, pair.1));
    pairs.into_iter().map(|(a, b, similarity)| Pair { a, b, similarity }).collect()
}

/// The definition of Jaccard, in the plain words of sets.
fn jaccard(rows: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let of = |a: &Vec<usize>, b: &Vec<usize>| {
        let both = a.iter().filter(|one| b.contains(one)).count();
        if both == 0 { 0.0 } else { both as f64 / (a.len() + b.len() - both) as f64 }
    };
    rows.iter().map(|a| rows.iter().map(|b| of(a, b)).collect()).collect()
}

proptest! {
    #[test]
    fn neighbours_are_compared_as_sets(
        made in any_graph(16),
        per_node in 1_usize..5,
        least in prop::sample::select(vec![0.05, 0.25, 0.5, 1.0]),
        out in any::<bool>(),
    ) {
        let matrix = if out { made.matrix() } else { made.undirected() };
        let row = |slot: usize| -> Vec<usize> {
            (0..made.nodes()).filter(|other| *other != slot && matrix[slot][*other] > 0.0).collect()
        };
        let rows: Vec<Vec<usize>> = (0..made.nodes()).map(row).collect();
        let params = SimilarityParams { per_node, least, max_sharing: 1_000 };
        let along = if out { Along::Out } else { Along::Both };
        let found = similar_neighbors(&made.network(), along, &params, &Unobserved).unwrap();
        prop_assert_eq!(found, expected(&jaccard(&rows), &params));
    }

    #[test]
    fn a_common_neighbour_leads_to_nobody_and_still_counts(made in any_graph(14), max_sharing in 2_usize..5) {
        let matrix = made.undirected();
        let row = |slot: usize| -> Vec<usize> {
            (0..made.nodes()).filter(|other| matrix[slot][*other] > 0.0).collect()
        };
        let rows: Vec<Vec<usize>> = (0..made.nodes()).map(row).collect();
        let mut similarity = jaccard(&rows);
        for (a, of_a) in similarity.iter_mut().enumerate() {
            for (b, value) in of_a.iter_mut().enumerate() {
                let rare = rows[a].iter().any(|shared| rows[b].contains(shared) && rows[*shared].len() <= max_sharing);
                *value = if rare { *value } else { 0.0 };
            }
        }
        let params = SimilarityParams { per_node: 3, least: 0.1, max_sharing };
        let found = similar_neighbors(&made.network(), Along::Both, &params, &Unobserved).unwrap();
        prop_assert_eq!(found, expected(&similarity, &params));
    }

    #[test]
    fn texts_are_compared_by_the_angle_between_them(
        rows in prop::collection::vec(prop::collection::vec((0_u32..8, 1_u32..4), 0..6), 0..14),
        max_sharing in prop::sample::select(vec![2_usize, 4, 1_000]),
    ) {
        let counts = |row: &Vec<(u32, u32)>| {
            let mut counts = [0_u32; 8];
            for (word, times) in row {
                counts[*word as usize] += times;
            }
            counts
        };
        let counts: Vec<[u32; 8]> = rows.iter().map(counts).collect();
        let have: Vec<usize> =
            (0..8).map(|word| counts.iter().filter(|counts| counts[word] > 0).count()).collect();
        let vector = |counts: &[u32; 8]| -> Vec<f64> {
            let nodes = rows.len() as f64;
            let weight = |(word, times): (usize, &u32)| {
                let (times, have) = (f64::from(*times), have[word] as f64);
                if times == 0.0 { 0.0 } else { (1.0 + times.ln()) * (1.0 + (nodes - have + 0.5) / (have + 0.5)).ln() }
            };
            counts.iter().enumerate().map(weight).collect()
        };
        let vectors: Vec<Vec<f64>> = counts.iter().map(vector).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |a: usize, b: usize| {
            dot(&vectors[a], &vectors[b]) / (dot(&vectors[a], &vectors[a]) * dot(&vectors[b], &vectors[b])).sqrt()
        };
        let rare = |a: usize, b: usize| {
            (0..8).any(|word| counts[a][word] > 0 && counts[b][word] > 0 && have[word] <= max_sharing)
        };
        let features = Features::counted(
            rows.iter().map(|row| row.iter().map(|(word, times)| (*word, *times as f32)).collect()), 8,
        );
        // All pairs, so that what is rounded decides nothing but what is at the very border.
        let least = 0.123_456;
        let params = SimilarityParams { per_node: 1_000, least, max_sharing };
        let found = similar_texts(features, &params, &Unobserved).unwrap();
        let mut at = found.iter().peekable();
        for a in 0..rows.len() {
            for b in a + 1..rows.len() {
                let wanted = if rare(a, b) { cosine(a, b) } else { 0.0 };
                let is_found = at.next_if(|pair| (pair.a as usize, pair.b as usize) == (a, b));
                match is_found {
                    Some(pair) => prop_assert!((pair.similarity - wanted).abs() < 1e-5, "{pair:?}, {wanted}"),
                    None => prop_assert!(wanted < least + 1e-5, "{a} and {b} at {wanted}"),
                }
            }
        }
        prop_assert_eq!(at.next(), None);
    }
}

#[test]
fn the_leaves_of_a_star_cost_nothing_where_they_are_many() {
    let leaves: Vec<(usize, usize)> = (1..200_000).map(|leaf| (0, leaf)).collect();
    let star = Made::of(200_000, &leaves).network();
    let params = SimilarityParams::default();
    assert_eq!(similar_neighbors(&star, Along::Both, &params, &Unobserved), Ok(Vec::new()));
    let few = Made::of(4, &[(0, 1), (0, 2), (0, 3)]).network();
    let found = similar_neighbors(&few, Along::Both, &params, &Unobserved).unwrap();
    let pairs: Vec<(u32, u32, f64)> = found.iter().map(|pair| (pair.a, pair.b, pair.similarity)).collect();
    assert_eq!(pairs, [(1, 2, 1.0), (1, 3, 1.0), (2, 3, 1.0)]);
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let network = Made::of(2, &[(0, 1)]).network();
    let refused =
        |params: SimilarityParams| match similar_neighbors(&network, Along::Both, &params, &Unobserved) {
            Err(AnalysisError::Parameter { field, .. }) => field,
            other => panic!("{other:?}"),
        };
    let good = SimilarityParams::default();
    assert_eq!(refused(SimilarityParams { per_node: 0, ..good }), "per_node");
    assert_eq!(refused(SimilarityParams { least: 0.0, ..good }), "least");
    assert_eq!(refused(SimilarityParams { least: f64::NAN, ..good }), "least");
    assert_eq!(refused(SimilarityParams { max_sharing: 1, ..good }), "max_sharing");
}
