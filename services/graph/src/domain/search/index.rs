//! Which nodes have a term, and with what weight?

use std::{collections::BTreeMap, ops::Bound};

use weft_kit::words::{DISPLAY_NAME_WEIGHT, KEY_WEIGHT, LABEL_WEIGHT, MAX_WORDS, PROPERTY_WEIGHT, terms};

use crate::domain::{
    memory::{NodeRef, Table},
    properties::Properties,
};

/// A node that has a term, and the sum of the weights of its occurrences there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Posting {
    pub(super) ordinal: u32,
    pub(super) weight: f32,
}

/// What a node is found by: terms and weights, sorted by term, and the length that they add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Terms, each once, and their weights.
    pub terms: Vec<(Box<str>, f32)>,
    /// Number of words.
    pub length: u32,
}

impl Document {
    /// The terms of a node.
    pub fn of(node: NodeRef<'_>) -> Self {
        let mut all: Vec<(Box<str>, f32)> = Vec::new();
        {
            let mut add = |text: &str, weight: f32| {
                terms(text, &mut |term| {
                    if all.len() < MAX_WORDS {
                        all.push((Box::from(term), weight));
                    }
                });
            };
            add(node.key(), KEY_WEIGHT);
            add(node.display_name(), DISPLAY_NAME_WEIGHT);
            node.labels().for_each(|label| add(label, LABEL_WEIGHT));
            Properties(node.properties()).texts(&mut |text| add(text, PROPERTY_WEIGHT));
        }
        let length = all.len() as u32;
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        Self { terms: all, length }
    }
}

/// Postings by term, and how long each node's text is.
#[derive(Clone, Debug, Default)]
pub struct SearchIndex {
    postings: BTreeMap<Box<str>, Vec<Posting>>,
    /// One more than the number of words, by ordinal; 0: no such node.
    lengths: Vec<u32>,
    documents: u64,
    total_length: u64,
    bytes: usize,
}

impl SearchIndex {
    /// Indexes all nodes.
    pub fn build(table: &Table) -> Self {
        let mut index = Self::default();
        for node in table.nodes() {
            index.insert(node.ordinal(), &Document::of(node));
        }
        index
    }

    /// Adds a node that is not in the index.
    pub fn insert(&mut self, ordinal: u32, document: &Document) {
        for (term, weight) in &document.terms {
            let posting = Posting { ordinal, weight: *weight };
            if let Some(postings) = self.postings.get_mut(term.as_ref()) {
                // New nodes have the largest ordinals: nearly always this is the end.
                let at = if postings.last().is_some_and(|last| last.ordinal < ordinal) {
                    postings.len()
                } else {
                    postings.partition_point(|other| other.ordinal < ordinal)
                };
                postings.insert(at, posting);
            } else {
                self.bytes += term.len() + TERM_BYTES;
                self.postings.insert(term.clone(), vec![posting]);
            }
        }
        self.bytes += document.terms.len() * size_of::<Posting>();
        if self.lengths.len() <= ordinal as usize {
            self.lengths.resize(ordinal as usize + 1, 0);
        }
        self.lengths[ordinal as usize] = document.length + 1;
        self.documents += 1;
        self.total_length += u64::from(document.length);
    }

    /// Takes a node away, by what it was found by.
    pub fn remove(&mut self, ordinal: u32, document: &Document) {
        for (term, _) in &document.terms {
            let Some(postings) = self.postings.get_mut(term.as_ref()) else { continue };
            if let Ok(at) = postings.binary_search_by_key(&ordinal, |posting| posting.ordinal) {
                postings.remove(at);
                self.bytes -= size_of::<Posting>();
            }
            if postings.is_empty() {
                self.postings.remove(term.as_ref());
                self.bytes -= term.len() + TERM_BYTES;
            }
        }
        if let Some(length) = self.lengths.get_mut(ordinal as usize).filter(|length| **length > 0) {
            self.total_length -= u64::from(*length - 1);
            self.documents -= 1;
            *length = 0;
        }
    }

    /// Number of nodes.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// How many nodes have a term.
    pub fn document_frequency(&self, term: &str) -> usize {
        self.postings.get(term).map_or(0, Vec::len)
    }

    /// The ordinals of the nodes that have a term, ascending.
    pub fn nodes_with(&self, term: &str) -> impl Iterator<Item = u32> + '_ {
        self.postings.get(term).into_iter().flatten().map(|posting| posting.ordinal)
    }

    /// How rare a term is: the natural logarithm of one plus the odds of not having it.
    pub fn rarity(&self, document_frequency: usize) -> f64 {
        let (all, have) = (self.documents as f64, document_frequency as f64);
        (1.0 + (all - have + 0.5) / (have + 0.5)).ln()
    }

    /// Heap bytes, nearly.
    pub fn memory_bytes(&self) -> usize {
        self.bytes + self.lengths.capacity() * size_of::<u32>()
    }

    pub(super) fn postings(&self, term: &str) -> &[Posting] {
        self.postings.get(term).map_or(&[], Vec::as_slice)
    }

    /// The postings of every term that begins so.
    pub(super) fn postings_from(&self, prefix: &str) -> impl Iterator<Item = (&str, &[Posting])> {
        self.postings
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(term, _)| term.starts_with(prefix))
            .map(|(term, postings)| (term.as_ref(), postings.as_slice()))
    }

    pub(super) fn length(&self, ordinal: u32) -> f64 {
        f64::from(self.lengths.get(ordinal as usize).copied().unwrap_or(1).saturating_sub(1))
    }

    pub(super) fn mean_length(&self) -> f64 {
        (self.total_length as f64 / self.documents.max(1) as f64).max(1.0)
    }
}

/// What a term costs besides its text and its postings: its place in the tree, two heap blocks.
const TERM_BYTES: usize = 72;
