//! Label propagation: everybody joins those that most of his neighbours belong to.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::network::{Along, Network};
use super::tally::Tally;
use super::{AnalysisError, Observer, ask};

/// Nodes that one thread takes at a time: few, as some have many more neighbours than others.
const PIECE: usize = 1_024;
/// Where more than one node of so many has changed, everybody is asked again: to find out who has a neighbour that has
/// changed would take as long.
const MANY: usize = 4;

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
    for round in 0..rounds {
        ask(observer, f64::from(round) / f64::from(rounds))?;
        let renew = |heard: &mut Tally<u32>, slot: usize| {
            if !stirred[slot].load(Ordering::Relaxed) {
                return labels[slot];
            }
            let degree: usize = rows.iter().map(|rows| rows.degree(slot)).sum();
            heard.begin(degree.min(nodes));
            for other in rows.iter().flat_map(|rows| rows.targets(slot)) {
                heard.add(labels[*other as usize], 1);
            }
            most_frequent(heard).unwrap_or(labels[slot])
        };
        let pieces =
            next.par_chunks_mut(PIECE).enumerate().map_init(Tally::default, |heard, (index, next)| {
                let mut changed = 0;
                for (at, next) in next.iter_mut().enumerate() {
                    let slot = index * PIECE + at;
                    *next = renew(heard, slot);
                    changed += usize::from(*next != labels[slot]);
                }
                changed
            });
        let changed: usize = pieces.sum();
        if changed == 0 {
            break;
        }
        let are_many = changed > nodes / MANY;
        stirred.par_iter_mut().with_min_len(PIECE).for_each(|stirred| *stirred.get_mut() = are_many);
        if !are_many {
            let has_changed = |slot: &usize| labels[*slot] != next[*slot];
            (0..nodes).into_par_iter().with_min_len(PIECE).filter(has_changed).for_each(|slot| {
                for other in readers.iter().flat_map(|rows| rows.targets(slot)) {
                    stirred[*other as usize].store(true, Ordering::Relaxed);
                }
            });
        }
        std::mem::swap(&mut labels, &mut next);
    }
    Ok(labels)
}

/// The label that was heard most often, the smallest of several.
fn most_frequent(heard: &Tally<u32>) -> Option<u32> {
    heard.met().iter().max_by_key(|(label, count)| (*count, Reverse(*label))).map(|(label, _)| *label)
}
