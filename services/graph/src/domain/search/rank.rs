//! Which nodes match best? BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework:
//! BM25 and Beyond", 2009) over weighted fields.

use std::collections::HashMap;

use weft_kit::words::query_words;

use super::index::{Posting, SearchIndex};
use crate::domain::memory::Memory;

/// How soon more occurrences stop to count, and how much a long text is marked down.
const K1: f64 = 1.2;
const B: f64 = 0.6;

/// The node whose key is the query itself comes first.
const EXACT_KEY: f64 = 100.0;

/// A node that matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its ordinal.
    pub ordinal: u32,
    /// How well it matches.
    pub score: f64,
}

/// The nodes that have all words of a query (the last of them perhaps only the beginning of a
/// word), best first; equals in the order of their ordinals.
pub fn search(memory: &Memory, index: &SearchIndex, query: &str) -> Vec<Hit> {
    let (words, open) = query_words(query);
    let mut scores: Option<HashMap<u32, f64>> = None;
    let last = words.len().saturating_sub(1);
    for (place, word) in words.iter().enumerate() {
        let mut of_word: HashMap<u32, f64> = HashMap::new();
        let mut add = |postings: &[Posting], discount: f64| {
            let rarity = index.rarity(postings.len()) * discount;
            for posting in postings {
                if scores.as_ref().is_some_and(|scores| !scores.contains_key(&posting.ordinal)) {
                    continue;
                }
                let score = rarity
                    * saturated(posting.weight.into(), index.length(posting.ordinal), index.mean_length());
                let best = of_word.entry(posting.ordinal).or_insert(0.0);
                *best = best.max(score);
            }
        };
        if open && place == last {
            for (term, postings) in index.postings_from(word) {
                // The more of the word was typed, the surer it is meant.
                add(postings, word.len() as f64 / term.len() as f64);
            }
        } else {
            add(index.postings(word), 1.0);
        }
        if let Some(before) = &scores {
            for (ordinal, score) in &mut of_word {
                *score += before[ordinal];
            }
        }
        scores = Some(of_word);
    }
    let mut scores = scores.unwrap_or_default();
    let query = query.trim();
    let exact = memory.find_node(query).or_else(|| memory.find_node(&query.to_lowercase()));
    if let Some(score) = exact.and_then(|ordinal| scores.get_mut(&ordinal)) {
        *score += EXACT_KEY;
    }
    let mut hits: Vec<Hit> = scores.into_iter().map(|(ordinal, score)| Hit { ordinal, score }).collect();
    hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal)));
    hits
}

fn saturated(weight: f64, length: f64, mean_length: f64) -> f64 {
    weight * (K1 + 1.0) / (weight + K1 * (1.0 - B + B * length / mean_length))
}
