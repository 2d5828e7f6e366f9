//! Nodes whose surroundings are unlike those of the others.

use super::network::{Along, Network};
use super::{AnalysisError, Observer, triangles};

/// How odd each node is.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomalies {
    /// For each node, how far its egonet lies from the line; 0 for what has no neighbours.
    pub scores: Vec<f64>,
    /// For each node, the nodes of its egonet: itself and its neighbours.
    pub nodes: Vec<u64>,
    /// For each node, the edges among these.
    pub edges: Vec<u64>,
    /// The line: edges ≈ `factor` × nodes ^ `exponent`.
    pub exponent: f64,
    /// See above.
    pub factor: f64,
}

/// Buckets of the number of nodes for each power of ten.
const BUCKETS: f64 = 5.0;

/// Scores of `OddBall` (Akoglu, `McGlohon` and Faloutsos, 2010) from the nodes and edges of each egonet: over a whole graph the
/// edges follow a power of the nodes, between 1 (a star) and 2 (a clique). The line is fitted by least squares to the medians of
/// buckets of equal width in the logarithm, so that what is odd does not bend it. A node's score is
/// `max(y, fit) / min(y, fit) × ln(|y − fit| + 1)`: near-cliques and near-stars have high ones. Directions, loops and parallel edges do
/// not count.
///
/// # Errors
/// Cancelled.
pub fn anomalies(network: &Network, observer: &dyn Observer) -> Result<Anomalies, AnalysisError> {
    let found = triangles(network, observer)?;
    let rows = network.rows(Along::Both);
    let nodes: Vec<u64> = (0..network.nodes()).map(|slot| rows.degree(slot) as u64 + 1).collect();
    // Of an egonet's edges each is at the node itself, or closes a triangle with it.
    let edges: Vec<u64> = nodes.iter().zip(&found.counts).map(|(nodes, closed)| nodes - 1 + closed).collect();
    let (exponent, factor) = line(&nodes, &edges);
    let score = |(nodes, edges): (&u64, &u64)| {
        if *edges == 0 {
            return 0.0;
        }
        let (edges, fit) = (*edges as f64, factor * (*nodes as f64).powf(exponent));
        edges.max(fit) / edges.min(fit) * ((edges - fit).abs() + 1.0).ln()
    };
    let scores = nodes.iter().zip(&edges).map(score).collect();
    Ok(Anomalies { scores, nodes, edges, exponent, factor })
}

/// Exponent and factor of the power law.
fn line(nodes: &[u64], edges: &[u64]) -> (f64, f64) {
    let mut buckets: std::collections::BTreeMap<i64, Vec<(f64, f64)>> = std::collections::BTreeMap::new();
    for (nodes, edges) in nodes.iter().zip(edges).filter(|(_, edges)| **edges > 0) {
        let (x, y) = ((*nodes as f64).log10(), (*edges as f64).log10());
        buckets.entry((x * BUCKETS).floor() as i64).or_default().push((x, y));
    }
    let middle = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let points: Vec<(f64, f64)> = buckets
        .into_values()
        .map(|bucket| {
            let (x, y) = bucket.into_iter().unzip();
            (middle(x), middle(y))
        })
        .collect();
    let count = points.len().max(1) as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    let both: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum();
    // One bucket says nothing of a slope: a star's.
    let exponent = if spread > 0.0 { both / spread } else { 1.0 };
    (exponent, 10_f64.powf(mean_y - exponent * mean_x))
}
