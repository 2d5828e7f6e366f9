//! Which nodes are related to a node, by what they say and by whom they know?
//!
//! Text: the cosine of the nodes' TF-IDF vectors (Salton and Buckley, 1988). Links: the index of
//! Adamic and Adar ("Friends and neighbors on the web", 2003), the sum over shared neighbours of
//! 1 / ln(degree). The candidates are bounded, so that a hub costs no more than any other node.

use std::collections::HashMap;

use weft_proto::weft::graph::v1::Direction;

use super::Steps;
use crate::domain::{
    memory::Memory,
    search::{Document, SearchIndex},
};

/// Nodes that one answer, over all its pages, holds at most.
pub const MAX_RELATED: usize = 500;

/// Candidates by text at most, by links at most.
const MAX_TEXT_CANDIDATES: usize = 1_000;
const MAX_LINK_CANDIDATES: usize = 1_000;
/// Postings that are looked at for candidates, rarest terms first.
const MAX_POSTINGS: usize = 20_000;
/// Neighbours that are asked for their neighbours, rarest first, and how many each may name.
const MAX_NEIGHBORS: usize = 500;
const MAX_NEIGHBOR_DEGREE: usize = 2_000;
/// Shared neighbours that are named.
const MAX_SHARED: usize = 8;

/// A related node.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// Its ordinal.
    pub ordinal: u32,
    /// Mean of the two similarities.
    pub score: f64,
    /// Cosine of the texts.
    pub text: f64,
    /// Adamic-Adar index divided by the largest among the candidates.
    pub link: f64,
    /// Ordinals of shared neighbours, the rarest first.
    pub shared: Vec<u32>,
    /// An edge joins the two.
    pub linked: bool,
}

/// The nodes that are most related to one node, best first, then by ordinal.
pub fn related(memory: &Memory, index: &SearchIndex, ordinal: u32) -> Vec<Related> {
    let Some(node) = memory.table().node(ordinal) else { return Vec::new() };
    let own = Vector::of(index, &Document::of(node));
    let steps = Steps::new(memory, Direction::Both, &[]);
    let neighbors = distinct_neighbors(&steps, ordinal);
    let links = link_candidates(&steps, ordinal, &neighbors);
    let mut candidates: Vec<u32> = text_candidates(index, &own, ordinal);
    candidates.extend(links.keys());
    candidates.sort_unstable();
    candidates.dedup();
    let largest = links.values().map(|link| link.index).fold(0.0, f64::max);
    let mut found: Vec<Related> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = memory.table().node(candidate)?;
            let text = own.cosine(&Vector::of(index, &Document::of(other)));
            let links = links.get(&candidate);
            let link = links.map_or(0.0, |links| if largest > 0.0 { links.index / largest } else { 0.0 });
            Some(Related {
                ordinal: candidate,
                score: f64::midpoint(text, link),
                text,
                link,
                shared: links.map_or_else(Vec::new, |links| links.shared.clone()),
                linked: neighbors.binary_search(&candidate).is_ok(),
            })
        })
        .filter(|related| related.score > 0.0)
        .collect();
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
    found.truncate(MAX_RELATED);
    found
}

/// A TF-IDF vector of length 1, sorted by term.
struct Vector(Vec<(Box<str>, f64)>);

impl Vector {
    fn of(index: &SearchIndex, document: &Document) -> Self {
        let mut terms: Vec<(Box<str>, f64)> = document
            .terms
            .iter()
            .map(|(term, weight)| {
                let frequency = 1.0 + f64::from(*weight).ln().max(0.0);
                (term.clone(), frequency * index.rarity(index.document_frequency(term)))
            })
            .collect();
        let norm = terms.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        if norm > 0.0 {
            for (_, weight) in &mut terms {
                *weight /= norm;
            }
        }
        Self(terms)
    }

    fn cosine(&self, other: &Self) -> f64 {
        let (mut sum, mut at) = (0.0, 0);
        for (term, weight) in &self.0 {
            while other.0.get(at).is_some_and(|(other, _)| other < term) {
                at += 1;
            }
            if let Some((_, other)) = other.0.get(at).filter(|(other, _)| other == term) {
                sum += weight * other;
            }
        }
        sum.clamp(0.0, 1.0)
    }
}

/// Nodes that share the heaviest terms, those that share most weight first.
fn text_candidates(index: &SearchIndex, own: &Vector, ordinal: u32) -> Vec<u32> {
    let mut terms: Vec<&(Box<str>, f64)> = own.0.iter().collect();
    terms.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut left = MAX_POSTINGS;
    let mut weights: HashMap<u32, f64> = HashMap::new();
    for (term, weight) in terms {
        let frequency = index.document_frequency(term);
        if frequency > left {
            continue;
        }
        left -= frequency;
        for other in index.nodes_with(term).filter(|other| *other != ordinal) {
            *weights.entry(other).or_default() += weight;
        }
    }
    let mut candidates: Vec<(u32, f64)> = weights.into_iter().collect();
    candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    candidates.truncate(MAX_TEXT_CANDIDATES);
    candidates.into_iter().map(|(candidate, _)| candidate).collect()
}

#[derive(Default)]
struct Links {
    index: f64,
    shared: Vec<u32>,
}

/// Nodes two steps away, with their Adamic-Adar index.
fn link_candidates(steps: &Steps<'_>, ordinal: u32, neighbors: &[u32]) -> HashMap<u32, Links> {
    let memory = steps.memory();
    let mut rarest: Vec<u32> = neighbors
        .iter()
        .copied()
        .filter(|neighbor| memory.degree(*neighbor) <= MAX_NEIGHBOR_DEGREE)
        .collect();
    rarest.sort_unstable_by_key(|neighbor| (memory.degree(*neighbor), *neighbor));
    rarest.truncate(MAX_NEIGHBORS);
    let mut found: HashMap<u32, Links> = HashMap::new();
    for neighbor in rarest {
        let others = distinct_neighbors(steps, neighbor);
        // A shared neighbour has at least two.
        let weight = 1.0 / (others.len().max(2) as f64).ln();
        for other in others.into_iter().filter(|other| *other != ordinal) {
            let links = found.entry(other).or_default();
            links.index += weight;
            if links.shared.len() < MAX_SHARED {
                links.shared.push(neighbor);
            }
        }
    }
    if found.len() > MAX_LINK_CANDIDATES {
        let mut order: Vec<(u32, f64)> = found.iter().map(|(other, links)| (*other, links.index)).collect();
        order.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (other, _) in &order[MAX_LINK_CANDIDATES..] {
            found.remove(other);
        }
    }
    found
}

/// The nodes that an edge joins to a node, each once, without itself, by ordinal.
fn distinct_neighbors(steps: &Steps<'_>, ordinal: u32) -> Vec<u32> {
    let mut neighbors: Vec<u32> =
        steps.from(ordinal).map(|step| step.to).filter(|neighbor| *neighbor != ordinal).collect();
    neighbors.sort_unstable();
    neighbors.dedup();
    neighbors
}
