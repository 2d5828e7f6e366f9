//! Label propagation: everybody joins those that most of his neighbours belong to.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::network::{Along, Network};
use super::{AnalysisError, Observer, ask};

/// Nodes that one thread takes at a time, at least.
const PIECE: usize = 2_048;
/// Pieces for each thread: some nodes have more neighbours than others.
const PIECES_PER_THREAD: usize = 4;

/// Rounds of label propagation in which all nodes change at once: each takes the label that is most frequent among
/// its neighbours, the smallest of several (CDLP of LDBC Graphalytics; Raghavan, Albert and Kumara, 2007). At
/// first a node's label is its slot. With [`Along::Both`], as the definition has it, an edge in each direction
/// makes a neighbour count twice. Ends early when a round changes nothing; a graph can also go to and fro for ever.
///
/// # Errors
/// Cancelled.
pub fn propagate_labels(
    network: &Network,
    along: Along,
    rounds: u32,
    observer: &dyn Observer,
) -> Result<Vec<u32>, AnalysisError> {
    let nodes = network.nodes();
    // Both directions are read as two rows: merged ones would count a pair once.
    let rows: &[_] = match along {
        Along::Out => &[network.rows(Along::Out)],
        Along::Into => &[network.rows(Along::Into)],
        Along::Both => &[network.rows(Along::Out), network.rows(Along::Into)],
    };
    let readers: &[_] = match along {
        Along::Out => &[network.rows(Along::Into)],
        Along::Into => &[network.rows(Along::Out)],
        Along::Both => &[network.rows(Along::Out), network.rows(Along::Into)],
    };
    let mut labels: Vec<u32> = (0..nodes as u32).collect();
    let mut next = labels.clone();
    // Whether a neighbour has changed in the last round: nobody else can change in this one.
    let mut stirred: Vec<AtomicBool> = (0..nodes).map(|_| AtomicBool::new(true)).collect();
    // Each piece has memory for every label.
    let piece = nodes.div_ceil(rayon::current_num_threads() * PIECES_PER_THREAD).max(PIECE);
    for round in 0..rounds {
        ask(observer, f64::from(round) / f64::from(rounds))?;
        next.par_chunks_mut(piece).enumerate().for_each_init(
            || Heard::new(nodes),
            |heard, (index, next)| {
                for (at, next) in next.iter_mut().enumerate() {
                    let slot = index * piece + at;
                    *next = labels[slot];
                    if stirred[slot].load(Ordering::Relaxed) {
                        let neighbours = rows.iter().flat_map(|rows| rows.targets(slot));
                        neighbours.for_each(|other| heard.hear(labels[*other as usize]));
                        *next = heard.most_frequent().unwrap_or(*next);
                    }
                }
            },
        );
        stirred.par_iter_mut().with_min_len(PIECE).for_each(|stirred| *stirred.get_mut() = false);
        let changed: usize = (0..nodes)
            .into_par_iter()
            .with_min_len(PIECE)
            .filter(|slot| labels[*slot] != next[*slot])
            .map(|slot| {
                for other in readers.iter().flat_map(|rows| rows.targets(slot)) {
                    stirred[*other as usize].store(true, Ordering::Relaxed);
                }
            })
            .count();
        if changed == 0 {
            break;
        }
        std::mem::swap(&mut labels, &mut next);
    }
    Ok(labels)
}

/// The labels of a node's neighbours.
struct Heard {
    /// How often each label was heard.
    counts: Vec<u32>,
    /// Labels that were heard.
    labels: Vec<u32>,
}

impl Heard {
    fn new(labels: usize) -> Self {
        Self { counts: vec![0; labels], labels: Vec::new() }
    }

    fn hear(&mut self, label: u32) {
        let count = &mut self.counts[label as usize];
        if *count == 0 {
            self.labels.push(label);
        }
        *count += 1;
    }

    /// The most frequent label, the smallest of several; all are forgotten.
    fn most_frequent(&mut self) -> Option<u32> {
        let mut best = None;
        for label in self.labels.drain(..) {
            let count = std::mem::take(&mut self.counts[label as usize]);
            best = best.max(Some((count, Reverse(label))));
        }
        best.map(|(_, Reverse(label))| label)
    }
}
