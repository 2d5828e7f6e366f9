//! Pairs of nodes that are alike: by whom they know, or by what they say.
//!
//! Every pair that shares something is found through lists of who has what (an inverted index; Bayardo, Ma and Srikant:
//! scaling up all pairs similarity search, 2007), and measured exactly. What too many have is not walked through: it says little,
//! and a star of n leaves has n² pairs.

mod features;

use rayon::prelude::*;

use super::network::{Along, Network};
use super::{AnalysisError, Observer, ask, check};

pub use features::Features;

/// Which pairs are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimilarityParams {
    /// Pairs that are kept for a node, the most similar ones; a pair stays if one of its two keeps it. 1 to 1,000.
    pub per_node: usize,
    /// The least similarity. Above 0, at most 1.
    pub least: f64,
    /// Pairs are looked for among the nodes that share a feature which no more than so many have. At least 2.
    pub max_sharing: usize,
}

impl Default for SimilarityParams {
    fn default() -> Self {
        Self { per_node: 10, least: 0.2, max_sharing: 1_000 }
    }
}

/// Two nodes that are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Slot of the one that has the other among its most similar ones; the smaller slot if both have.
    pub a: u32,
    /// Slot of the other one.
    pub b: u32,
    /// How much: above 0, at most 1.
    pub similarity: f64,
}

/// How alike two rows of features are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Shared ÷ all that one of them has.
    Jaccard,
    /// The cosine; rows have length 1.
    Cosine,
}

/// Nodes with the same neighbours: those that both have, divided by those that one of them has (Jaccard, 1901). Loops and
/// parallel edges do not count; pairs are in the order of `a` and `b`, so that each node is
/// the first of `per_node` at most.
///
/// # Errors
/// Cancelled; parameters out of range.
pub fn similar_neighbors(
    network: &Network,
    along: Along,
    params: &SimilarityParams,
    observer: &dyn Observer,
) -> Result<Vec<Pair>, AnalysisError> {
    search(&Features::neighbors(network, along), Measure::Jaccard, params, observer)
}

/// Nodes that say the same: the cosine of their TF-IDF vectors (Salton and Buckley, 1988), of counts of words or of anything
/// else. Pairs as above.
///
/// # Errors
/// Cancelled; parameters out of range.
pub fn similar_texts(
    words: Features,
    params: &SimilarityParams,
    observer: &dyn Observer,
) -> Result<Vec<Pair>, AnalysisError> {
    search(&words.weighted(), Measure::Cosine, params, observer)
}

/// Nodes that one thread takes at a time.
const PIECE: usize = 64;
/// By so much a bound of a cosine may be too small, because weights and their sums are rounded.
const ROUNDING: f64 = 1e-4;
/// Candidates that are measured before it is asked again whether to go on.
const MEASURED: usize = 1_024;

fn search(
    features: &Features,
    measure: Measure,
    params: &SimilarityParams,
    observer: &dyn Observer,
) -> Result<Vec<Pair>, AnalysisError> {
    check("per_node", params.per_node as f64, 1.0, 1_000.0)?;
    check("least", params.least, f64::MIN_POSITIVE, 1.0)?;
    check("max_sharing", params.max_sharing as f64, 2.0, f64::INFINITY)?;
    let nodes = features.nodes();
    let search = Search::new(features, measure, *params);
    let pieces = nodes.div_ceil(PIECE);
    let found: Vec<Vec<Pair>> = (0..pieces)
        .into_par_iter()
        .map_init(
            || Scratch { shared: vec![0.0; nodes], met: Vec::new() },
            |scratch, piece| {
                let go_on = || ask(observer, piece as f64 / pieces as f64);
                go_on()?;
                let mut kept = Vec::new();
                for slot in piece * PIECE..((piece + 1) * PIECE).min(nodes) {
                    kept.extend(search.of(slot, scratch, &go_on)?);
                }
                Ok(kept)
            },
        )
        .collect::<Result<_, _>>()?;
    let mut pairs: Vec<Pair> = found.into_iter().flatten().collect();
    // Both may keep it; either way round it was measured alike.
    let ends = |pair: &Pair| (pair.a.min(pair.b), pair.a.max(pair.b));
    pairs.par_sort_unstable_by_key(|pair| (ends(pair), pair.a));
    pairs.dedup_by_key(|pair| ends(pair));
    pairs.par_sort_unstable_by_key(|pair| (pair.a, pair.b));
    Ok(pairs)
}

struct Search<'a> {
    features: &'a Features,
    holders: Features,
    measure: Measure,
    params: SimilarityParams,
    /// For each node, what its features that are not walked through can add at most: to a cosine no more than the product of
    /// the two lengths (Cauchy and Schwarz), to a set no more than the smaller number.
    common: Vec<f32>,
}

/// What one thread counts in.
struct Scratch {
    /// For each node, what it shares with the one that is looked at; 0 between two of them.
    shared: Vec<f32>,
    met: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(features: &'a Features, measure: Measure, params: SimilarityParams) -> Self {
        let holders = features.holders();
        let is_common = |feature: u32| holders.len(feature as usize) > params.max_sharing;
        let common = (0..features.nodes()).into_par_iter().map(|slot| {
            let weights =
                features.row(slot).filter(|(feature, _)| is_common(*feature)).map(|(_, weight)| weight);
            match measure {
                Measure::Jaccard => weights.sum(),
                Measure::Cosine => weights.map(|weight| weight * weight).sum::<f32>().sqrt(),
            }
        });
        Self { features, common: common.collect(), holders, measure, params }
    }

    /// The pairs that a node keeps.
    fn of(
        &self,
        slot: usize,
        scratch: &mut Scratch,
        go_on: &dyn Fn() -> Result<(), AnalysisError>,
    ) -> Result<Vec<Pair>, AnalysisError> {
        for (feature, weight) in self.features.row(slot) {
            if self.holders.len(feature as usize) > self.params.max_sharing {
                continue;
            }
            for (other, weight_there) in self.holders.row(feature as usize) {
                let shared = &mut scratch.shared[other as usize];
                if *shared == 0.0 {
                    scratch.met.push(other);
                }
                *shared += weight * weight_there;
            }
        }
        let mut candidates = Vec::with_capacity(scratch.met.len());
        for other in scratch.met.drain(..) {
            let shared = f64::from(std::mem::take(&mut scratch.shared[other as usize]));
            let most = self.most(slot, other as usize, shared);
            if other as usize != slot && most >= self.params.least {
                candidates.push((most, other));
            }
        }
        self.best(slot, candidates, go_on)
    }

    /// A bound of the similarity of two nodes that share so much of what is not common.
    fn most(&self, a: usize, b: usize, shared: f64) -> f64 {
        let (of_a, of_b) = (f64::from(self.common[a]), f64::from(self.common[b]));
        match self.measure {
            // Sums of ones, which are exact.
            Measure::Jaccard => self.jaccard(a, b, shared + of_a.min(of_b)),
            Measure::Cosine => shared + of_a * of_b + ROUNDING,
        }
    }

    fn jaccard(&self, a: usize, b: usize, shared: f64) -> f64 {
        shared / ((self.features.len(a) + self.features.len(b)) as f64 - shared)
    }

    fn similarity(&self, a: usize, b: usize) -> f64 {
        let shared = self.features.shared(a, b);
        match self.measure {
            Measure::Jaccard => self.jaccard(a, b, shared),
            Measure::Cosine => shared.min(1.0),
        }
    }

    /// The most similar of some candidates, which come with bounds: they are measured by falling bound, until none of the
    /// others can be among them. Of those that are alike the smallest slots.
    fn best(
        &self,
        slot: usize,
        mut candidates: Vec<(f64, u32)>,
        go_on: &dyn Fn() -> Result<(), AnalysisError>,
    ) -> Result<Vec<Pair>, AnalysisError> {
        candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut best: Vec<(f64, u32)> = Vec::with_capacity(self.params.per_node + 1);
        for (at, (most, other)) in candidates.into_iter().enumerate() {
            let full = best.len() == self.params.per_node;
            // Those that follow have the same bound and larger slots, or a smaller one.
            let is_worse = |last: &(f64, u32)| most.total_cmp(&last.0).then(last.1.cmp(&other)).is_lt();
            if full && best.last().is_some_and(is_worse) {
                break;
            }
            if at % MEASURED == MEASURED - 1 {
                go_on()?;
            }
            let similarity = self.similarity(slot, other as usize);
            if similarity < self.params.least {
                continue;
            }
            let at =
                best.partition_point(|(kept, by)| similarity.total_cmp(kept).then(by.cmp(&other)).is_lt());
            if at < self.params.per_node {
                best.insert(at, (similarity, other));
                best.truncate(self.params.per_node);
            }
        }
        let pair = |(similarity, other): (f64, u32)| Pair { a: slot as u32, b: other, similarity };
        Ok(best.into_iter().map(pair).collect())
    }
}
