//! How well a layout shows its graph: the numbers by which layouts are compared.
//!
//! All of them are independent of the layout's size, place and direction, and are taken on samples that
//! follow from a seed and the nodes' ids, so two layouts of one graph are compared on the same samples.
//!
//! ```
//! use weft_kernels::quality::{Sampling, Yardstick};
//! use weft_kernels::{Dim, Edge, analytics::Network};
//!
//! let link = |source, target| Edge { source, target, weight: 1.0 };
//! let network = Network::new(&[1, 2, 3], &[link(1, 2), link(2, 3)])?;
//! let yardstick = Yardstick::new(&network, &Sampling::default());
//! let quality = yardstick.measure(Dim::Two, &[[0.0; 3], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])?;
//! // A straight line of equal steps shows a chain as it is.
//! assert!(quality.stress < 1e-6 && quality.rank_correlation > 0.999);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use rayon::prelude::*;

use crate::analytics::{Along, AnalysisError, Network, UNREACHED, Unobserved, breadth_first};
use crate::{Dim, Point, random};

/// What is looked at. A graph with fewer nodes than that is looked at whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Nodes whose neighbourhoods are compared. Default 1,500.
    pub nodes: usize,
    /// Nodes with more neighbours than this are not among them: no place is near to all of so many.
    /// Default 200.
    pub max_degree: usize,
    /// Nodes from which distances in the graph are taken. Default 40.
    pub sources: usize,
    /// Nodes to which they are taken, others for each source. Default 3,000.
    pub targets: usize,
    /// Another one gives other samples. Default 1.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { nodes: 1_500, max_degree: 200, sources: 40, targets: 3_000, seed: 1 }
    }
}

/// How well a layout shows its graph. A number that a graph gives no occasion for is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// Mean, over nodes with neighbours, of the Jaccard index of a node's `k` neighbours and the `k`
    /// nodes nearest to it: from 0 to 1 (Kruiger et al., Graph Layouts by t-SNE, 2017). More is better.
    pub neighbourhood_preservation: f64,
    /// Scale-normalised stress: the mean of `(s·x/d − 1)²` over pairs at distance `x` in the layout and
    /// `d` in the graph, at the scale `s` that makes it smallest (the stress of Gansner, Koren and North,
    /// 2004, with the scale of Smelser, Miller and Kobourov, "Normalized Stress" is Not Normalized, 2024).
    /// From 0 to 1; less is better.
    pub stress: f64,
    /// Rank correlation (Spearman's) of the same pairs' distances in the layout and in the graph: from
    /// -1 to 1. More is better.
    pub rank_correlation: f64,
    /// Standard deviation of the edges' lengths over their mean, 0 where all are equal.
    pub edge_length_variation: f64,
}

/// Measures layouts of one graph: what does not depend on the layout is computed once.
#[derive(Debug)]
pub struct Yardstick {
    nodes: usize,
    edges: Vec<(u32, u32)>,
    /// Sampled nodes and their neighbours.
    neighbourhoods: Vec<(u32, Vec<u32>)>,
    /// Pairs at a distance in the graph.
    pairs: Vec<(u32, u32, u32)>,
}

impl Yardstick {
    /// Gets ready for layouts of `network`, whose edges have no direction and no weight here. Takes
    /// [`Sampling::sources`] breadth-first searches.
    pub fn new(network: &Network, sampling: &Sampling) -> Self {
        let rows = network.rows(Along::Both);
        let ids = network.ids();
        let linked = |slot: &u32| rows.degree(*slot as usize) > 0;
        let all = 0..ids.len() as u32;

        let fit =
            all.clone().filter(|slot| linked(slot) && rows.degree(*slot as usize) <= sampling.max_degree);
        let neighbourhoods = draw(fit.collect(), sampling.nodes, sampling.seed, ids)
            .into_iter()
            .map(|slot| (slot, rows.targets(slot as usize).to_vec()))
            .collect();

        let sources = draw(all.clone().filter(linked).collect(), sampling.sources, !sampling.seed, ids);
        let pairs = sources
            .into_par_iter()
            .flat_map_iter(|source| {
                let id = ids[source as usize];
                let depths = breadth_first(network, id, Along::Both, &Unobserved)
                    .expect("the source is one of the ids, and nobody cancels");
                let seed = random::mix(sampling.seed, u64::from(id));
                let reached = |slot: &u32| *slot != source && depths[*slot as usize] != UNREACHED;
                draw(all.clone().filter(reached).collect(), sampling.targets, seed, ids)
                    .into_iter()
                    .map(move |target| (source, target, depths[target as usize]))
            })
            .collect();

        let edges = all
            .flat_map(|slot| rows.targets(slot as usize).iter().map(move |other| (slot, *other)))
            .filter(|(a, b)| a < b)
            .collect();
        Self { nodes: ids.len(), edges, neighbourhoods, pairs }
    }

    /// Measures one layout; `positions` are by slot. Takes the time of `Sampling::nodes` passes over all
    /// positions. The same bits for any number of threads.
    ///
    /// # Errors
    /// [`AnalysisError::Length`]: not one position for each node.
    pub fn measure(&self, dim: Dim, positions: &[Point]) -> Result<Quality, AnalysisError> {
        if positions.len() != self.nodes {
            return Err(AnalysisError::Length { given: positions.len(), nodes: self.nodes });
        }
        let positions: Vec<Point> = positions.iter().map(|point| dim.flatten(*point)).collect();
        let (drawn, steps): (Vec<f64>, Vec<f64>) =
            self.pairs.iter().map(|(a, b, steps)| (distance(&positions, *a, *b), f64::from(*steps))).unzip();
        Ok(Quality {
            neighbourhood_preservation: self.preservation(&positions),
            stress: stress(&drawn, &steps),
            rank_correlation: correlation(&ranks(&drawn), &ranks(&steps)),
            edge_length_variation: variation(self.edges.iter().map(|(a, b)| distance(&positions, *a, *b))),
        })
    }

    fn preservation(&self, positions: &[Point]) -> f64 {
        let kept: Vec<f64> = self
            .neighbourhoods
            .par_iter()
            .map_init(Vec::new, |near, (node, neighbours)| {
                nearest(near, positions, *node, neighbours.len());
                let both = near.iter().filter(|(_, other)| neighbours.binary_search(other).is_ok()).count();
                both as f64 / (2 * neighbours.len() - both) as f64
            })
            .collect();
        mean(&kept)
    }
}

/// `count` of `slots`, without repetition, by a number drawn for each id; ascending.
fn draw(mut slots: Vec<u32>, count: usize, seed: u64, ids: &[u32]) -> Vec<u32> {
    if count < slots.len() {
        // The second key only for the sake of a strict order; mixing is one to one.
        slots.select_nth_unstable_by_key(count, |slot| {
            (random::mix(seed, u64::from(ids[*slot as usize])), *slot)
        });
        slots.truncate(count);
        slots.sort_unstable();
    }
    slots
}

/// Leaves the `count` nodes nearest to `node` in `near`; of equally near ones the first.
fn nearest(near: &mut Vec<(f32, u32)>, positions: &[Point], node: u32, count: usize) {
    let here = positions[node as usize];
    near.clear();
    let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let mut limit = f32::INFINITY;
    for (slot, there) in positions.iter().enumerate() {
        let square = here.iter().zip(there).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        if square < limit && slot as u32 != node {
            near.push((square, slot as u32));
            // Now and then what cannot be among the nearest any more is thrown away.
            if near.len() >= 2 * count + 32 {
                near.select_nth_unstable_by(count - 1, order);
                near.truncate(count);
                limit = near[count - 1].0;
            }
        }
    }
    if near.len() > count {
        near.select_nth_unstable_by(count - 1, order);
        near.truncate(count);
    }
}

fn distance(positions: &[Point], a: u32, b: u32) -> f64 {
    let (a, b) = (positions[a as usize], positions[b as usize]);
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2)).sum::<f64>().sqrt()
}

/// Mean square of how far the ratios of `drawn` to `wanted` distances are from 1, at the best scale.
fn stress(drawn: &[f64], wanted: &[f64]) -> f64 {
    let ratios = || drawn.iter().zip(wanted).map(|(drawn, wanted)| drawn / wanted);
    let (sum, squares): (f64, f64) = (ratios().sum(), ratios().map(|ratio| ratio * ratio).sum());
    // At the scale `sum / squares`, what is left of the number of pairs.
    if squares > 0.0 { (1.0 - sum * sum / (squares * drawn.len() as f64)).max(0.0) } else { 0.0 }
}

/// The rank of every value, from 0; equal ones share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for tied in order.chunk_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]).is_eq()) {
        for slot in tied {
            ranks[*slot as usize] = first as f64 + (tied.len() - 1) as f64 / 2.0;
        }
        first += tied.len();
    }
    ranks
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut across, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        across += (a - mean_a) * (b - mean_b);
        square_a += (a - mean_a).powi(2);
        square_b += (b - mean_b).powi(2);
    }
    let spread = (square_a * square_b).sqrt();
    if spread > 0.0 { across / spread } else { 0.0 }
}

fn variation(lengths: impl Iterator<Item = f64>) -> f64 {
    let lengths: Vec<f64> = lengths.collect();
    let mean_length = mean(&lengths);
    if mean_length <= 0.0 {
        return 0.0;
    }
    let squares: Vec<f64> = lengths.iter().map(|length| (length - mean_length).powi(2)).collect();
    mean(&squares).sqrt() / mean_length
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;

    fn network(nodes: u32, edges: &[(u32, u32)]) -> Network {
        let edges: Vec<_> = edges
            .iter()
            .map(|(source, target)| Edge { source: *source, target: *target, weight: 1.0 })
            .collect();
        Network::new(&(0..nodes).collect::<Vec<_>>(), &edges).unwrap()
    }

    fn measure(network: &Network, places: &[[f32; 2]]) -> Quality {
        let positions: Vec<Point> = places.iter().map(|[x, y]| [*x, *y, 0.0]).collect();
        Yardstick::new(network, &Sampling::default()).measure(Dim::Two, &positions).unwrap()
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    /// 0 - 1 - 2 - 3.
    fn chain() -> Network {
        network(4, &[(0, 1), (1, 2), (2, 3)])
    }

    #[test]
    fn a_chain_drawn_as_a_line_is_perfect() {
        let quality = measure(&chain(), &[[0.0, 1.0], [3.0, 1.0], [6.0, 1.0], [9.0, 1.0]]);
        assert!(close(quality.neighbourhood_preservation, 1.0), "{quality:?}");
        assert!(close(quality.stress, 0.0) && close(quality.rank_correlation, 1.0), "{quality:?}");
        assert!(close(quality.edge_length_variation, 0.0), "{quality:?}");
    }

    #[test]
    fn a_chain_drawn_out_of_order_is_as_bad_as_computed_by_hand() {
        // In the order 0, 2, 1, 3 on a line, one apart.
        let quality = measure(&chain(), &[[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [3.0, 0.0]]);
        // Nearest of 0: 2 and not 1, Jaccard 0. Of 1: 2 and 3, wanted 0 and 2: 1/3. By symmetry the same again.
        assert!(close(quality.neighbourhood_preservation, 1.0 / 6.0), "{quality:?}");
        // Pairs, graph then line: 01 1 2, 02 2 1, 03 3 3, 12 1 1, 13 2 1, 23 1 2. The ratios 2, 1/2, 1, 1, 1/2, 2 add up
        // to 7, their squares to 10.5.
        assert!(close(quality.stress, 1.0 - 49.0 / (6.0 * 10.5)), "{quality:?}");
        // Ranks in the graph: 1, 3.5, 5, 1, 3.5, 1; on the line: 3.5, 1, 5, 1, 1, 3.5. From the mean of 2.5: products
        // -1.5, -1.5, 6.25, 2.25, -1.5, -1.5 add up to 2.5, squares on either side to 15.
        assert!(close(quality.rank_correlation, 2.5 / 15.0), "{quality:?}");
        // Lengths 2, 1, 2: mean 5/3, variance 2/9.
        assert!(close(quality.edge_length_variation, (2.0_f64 / 9.0).sqrt() / (5.0 / 3.0)), "{quality:?}");
    }

    #[test]
    fn size_place_and_mirror_do_not_matter() {
        let places = [[0.0, 0.0], [2.0, 1.0], [1.0, 4.0], [3.0, -2.0]];
        let before = measure(&chain(), &places);
        let after = measure(&chain(), &places.map(|[x, y]| [64.0 - 8.0 * x, 8.0 * y - 16.0]));
        assert!(close(before.stress, after.stress), "{before:?} {after:?}");
        assert!(close(before.neighbourhood_preservation, after.neighbourhood_preservation));
        assert!(close(before.rank_correlation, after.rank_correlation));
        assert!(close(before.edge_length_variation, after.edge_length_variation));
    }

    #[test]
    fn hubs_and_what_nothing_leads_to_are_left_out() {
        // A star of three round 0, with room for two neighbours only; and 4, alone.
        let star = network(5, &[(0, 1), (0, 2), (0, 3)]);
        let sampling = Sampling { max_degree: 2, ..Sampling::default() };
        let yardstick = Yardstick::new(&star, &sampling);
        let positions = [[0.0; 3], [1.0, 0.0, 0.0], [1.5, 0.0, 0.0], [-1.0, 0.0, 0.0], [-0.1, 0.0, 0.0]];
        let quality = yardstick.measure(Dim::Two, &positions).unwrap();
        // The leaves' nearest are 2, 1 and 4; none has the hub.
        assert!(close(quality.neighbourhood_preservation, 0.0), "{quality:?}");
        assert_eq!(yardstick.neighbourhoods.len(), 3);
        assert!(yardstick.pairs.iter().all(|(a, b, _)| *a != 4 && *b != 4));
    }

    #[test]
    fn a_graph_without_edges_or_nodes_gives_zeros() {
        assert_eq!(measure(&network(3, &[]), &[[0.0; 2]; 3]), Quality::default());
        assert_eq!(measure(&network(0, &[]), &[]), Quality::default());
        // All in one place.
        let heap = measure(&chain(), &[[1.0; 2]; 4]);
        assert!(close(heap.stress, 0.0) && close(heap.edge_length_variation, 0.0), "{heap:?}");
    }

    #[test]
    fn samples_follow_from_the_seed_and_have_no_repetition() {
        let ids: Vec<u32> = (0..1_000).map(|id| id * 3).collect();
        let slots: Vec<u32> = (0..1_000).collect();
        let one = draw(slots.clone(), 100, 7, &ids);
        assert_eq!(one, draw(slots.iter().rev().copied().collect(), 100, 7, &ids));
        assert!(one.windows(2).all(|pair| pair[0] < pair[1]) && one.len() == 100);
        assert_ne!(one, draw(slots.clone(), 100, 8, &ids));
        assert_eq!(draw(slots.clone(), 2_000, 7, &ids), slots);
    }

    #[test]
    fn the_nearest_are_those_of_a_full_sort() {
        let positions: Vec<Point> = (0..500).map(|at| random::in_ball(Dim::Two, 3, at)).collect();
        let mut near = Vec::new();
        for count in [1, 7, 200, 499] {
            nearest(&mut near, &positions, 17, count);
            let mut found: Vec<u32> = near.iter().map(|(_, slot)| *slot).collect();
            found.sort_unstable();
            let mut all: Vec<u32> = (0..500).filter(|slot| *slot != 17).collect();
            all.sort_by(|a, b| distance(&positions, 17, *a).total_cmp(&distance(&positions, 17, *b)));
            all.truncate(count);
            all.sort_unstable();
            assert_eq!(found, all, "{count}");
        }
    }

    #[test]
    fn another_number_of_positions_is_refused() {
        let error =
            Yardstick::new(&chain(), &Sampling::default()).measure(Dim::Two, &[[0.0; 3]]).unwrap_err();
        assert_eq!(error, AnalysisError::Length { given: 1, nodes: 4 });
    }
}
