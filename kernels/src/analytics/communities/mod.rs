//! Communities: parts with more edges inside than chance would put there.
//!
//! ```text
//! groups.rs    who is in which group
//! level.rs     a graph of which each node stands for a part of the one before
//! moving.rs    nodes move to where they gain most
//! refining.rs  what moved together is put together anew, so that no community falls apart
//! renewing.rs  communities of a graph that has changed, from those that it had
//! names.rs     names that communities keep while they change
//! ```

mod groups;
mod level;
mod moving;
mod names;
mod refining;
mod renewing;

pub use renewing::{LiveCommunities, changed_nodes};

use rayon::prelude::*;

use super::network::{Along, Network};
use super::{AnalysisError, Observer, ask, check};
use level::{Level, PIECE};

/// Where fewer than one node of so many moves in a round, the next level is worth more than another round.
const STIRRED: usize = 200;

/// How communities are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CommunityParams {
    /// By which method. Default [`Method::Leiden`].
    pub method: Method,
    /// Above 1 makes more and smaller communities, below 1 fewer and larger ones (Reichardt and Bornholdt, 2006); from 0
    /// to 1e6. Default 1.
    pub resolution: f64,
    /// Whole passes at most, each beginning with the communities of the one before; from 1 to 100. Ends earlier when one
    /// gains nothing. Default 2.
    pub passes: u32,
}

impl Default for CommunityParams {
    fn default() -> Self {
        Self { method: Method::Leiden, resolution: 1.0, passes: 2 }
    }
}

/// A method of looking for communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Blondel, Guillaume, Lambiotte and Lefebvre, 2008. A community can consist of parts that have nothing to do
    /// with each other.
    Louvain,
    /// Traag, Waltman and van Eck: From Louvain to Leiden, 2019. Every community is connected. Refines greedily (as
    /// GVE-Leiden: Sahu, 2023), so that there is nothing random in it.
    Leiden,
}

/// A partition of the nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// For each node, the smallest slot of its community: its name.
    pub labels: Vec<u32>,
    /// Number of communities.
    pub count: usize,
    /// Its modularity at the resolution that was asked for.
    pub modularity: f64,
}

/// Looks for the partition of greatest modularity (Newman and Girvan, 2004). Edges have no direction here, parallel
/// ones add up, loops do not count.
///
/// # Errors
/// Parameters out of range; cancelled.
pub fn communities(
    network: &Network,
    params: &CommunityParams,
    observer: &dyn Observer,
) -> Result<Communities, AnalysisError> {
    check("resolution", params.resolution, 0.0, 1e6)?;
    check("passes", f64::from(params.passes), 1.0, 100.0)?;
    let ground = Level::ground(network.rows(Along::Both));
    let mut labels: Vec<u32> = (0..network.nodes() as u32).collect();
    let mut best = f64::NEG_INFINITY;
    for pass in 0..params.passes {
        let told = |part: f64| ask(observer, (f64::from(pass) + part) / f64::from(params.passes));
        labels = climb(&ground, labels, None, params, &told)?;
        let reached = quality(&ground, &labels, params.resolution);
        if reached <= best + 1e-9 {
            best = best.max(reached);
            break;
        }
        best = reached;
    }
    if params.method == Method::Leiden {
        let (apart, count) = connected(&ground, &labels);
        if count > dense(&labels).1 {
            // Of what fell apart the parts are worth no less than the whole.
            best = quality(&ground, &apart, params.resolution);
        }
        labels = apart;
    }
    let (labels, count) = named(&labels);
    Ok(Communities { labels, count, modularity: if best.is_finite() { best } else { 0.0 } })
}

/// Modularity of the partition that gives every node the label of its slot; 0 for a graph without edges.
///
/// # Errors
/// Another number of labels than nodes; a resolution out of range.
pub fn modularity(network: &Network, labels: &[u32], resolution: f64) -> Result<f64, AnalysisError> {
    check("resolution", resolution, 0.0, 1e6)?;
    if labels.len() != network.nodes() {
        return Err(AnalysisError::Length { given: labels.len(), nodes: network.nodes() });
    }
    let labels = numbered(labels.iter());
    Ok(quality(&Level::ground(network.rows(Along::Both)), &labels, resolution))
}

/// One pass: levels of ever fewer nodes until none of them moves. With a `frontier`, nodes of the ground, only what is
/// reached from there is looked at below; and all of what stands for it and for the rest above.
fn climb(
    ground: &Level<'_>,
    mut labels: Vec<u32>,
    mut frontier: Option<&[u32]>,
    params: &CommunityParams,
    told: &dyn Fn(f64) -> Result<(), AnalysisError>,
) -> Result<Vec<u32>, AnalysisError> {
    /// Part of the work that the lower levels are, roughly: each costs about half of the one below.
    fn done(depth: i32) -> f64 {
        1.0 - 0.5_f64.powi(depth)
    }
    // For each node of the ground, the node of today's level that it is part of.
    let mut place: Vec<u32> = (0..labels.len() as u32).collect();
    let mut raised: Option<Level<'static>> = None;
    let mut depth = 0;
    loop {
        told(done(depth))?;
        let level = raised.as_ref().unwrap_or(ground);
        let frontier = frontier.take();
        // Of a change every consequence is looked at, however small.
        let (first, few) = match frontier {
            Some(frontier) => (frontier.to_vec(), 0),
            None => ((0..level.nodes() as u32).collect(), level.nodes() / STIRRED),
        };
        let before = frontier.map(|_| labels.clone());
        moving::settle(level, &mut labels, first, params.resolution, few, &|| told(done(depth)))?;
        let parts = match (params.method, frontier, before) {
            (Method::Louvain, ..) => labels.clone(),
            (Method::Leiden, Some(frontier), Some(before)) => {
                let changed = changed(&before, &labels, frontier);
                refining::refine(level, &labels, |label| changed[label as usize], params.resolution)
            }
            (Method::Leiden, ..) => refining::refine(level, &labels, |_| true, params.resolution),
        };
        let (next, of_part) = level.raise(&parts);
        if next.nodes() == level.nodes() {
            return Ok(place.par_iter().map(|node| labels[*node as usize]).collect());
        }
        // A node of the next level is where the nodes that it stands for are.
        let mut above = vec![0; next.nodes()];
        for (node, part) in of_part.iter().enumerate() {
            above[*part as usize] = labels[node];
        }
        place.par_iter_mut().with_min_len(PIECE).for_each(|node| *node = of_part[*node as usize]);
        labels = dense_below(&above, level.nodes()).0;
        raised = Some(next);
        depth += 1;
    }
}

/// Which communities somebody has joined or left, or have somebody of the frontier: what is not one of them hangs
/// together as it did before.
fn changed(before: &[u32], after: &[u32], frontier: &[u32]) -> Vec<bool> {
    let mut changed = vec![false; after.len()];
    for (from, to) in before.iter().zip(after).filter(|(from, to)| from != to) {
        changed[*from as usize] = true;
        changed[*to as usize] = true;
    }
    for node in frontier {
        changed[after[*node as usize] as usize] = true;
    }
    changed
}

/// The same partition with its smallest slots as names, and how many parts it has; `labels` are below the number of nodes.
fn named(labels: &[u32]) -> (Vec<u32>, usize) {
    const NONE: u32 = u32::MAX;
    let mut names = vec![NONE; labels.len()];
    let mut count = 0;
    let named = labels.iter().enumerate().map(|(slot, label)| {
        let name = &mut names[*label as usize];
        if *name == NONE {
            *name = slot as u32;
            count += 1;
        }
        *name
    });
    (named.collect(), count)
}

/// The same partition with the numbers from 0 in the order in which they are met, and how many there are; `labels` are
/// below their number.
fn dense(labels: &[u32]) -> (Vec<u32>, usize) {
    dense_below(labels, labels.len())
}

/// The same, of labels below `end`.
fn dense_below(labels: &[u32], end: usize) -> (Vec<u32>, usize) {
    const NONE: u32 = u32::MAX;
    let mut numbers = vec![NONE; end];
    let mut count = 0;
    let dense = labels.iter().map(|label| {
        let number = &mut numbers[*label as usize];
        if *number == NONE {
            *number = count;
            count += 1;
        }
        *number
    });
    (dense.collect(), count as usize)
}

/// The same of labels that can be anything.
fn numbered<L: Eq + std::hash::Hash>(labels: impl Iterator<Item = L>) -> Vec<u32> {
    let mut numbers = std::collections::HashMap::new();
    labels
        .map(|label| {
            let next = numbers.len() as u32;
            *numbers.entry(label).or_insert(next)
        })
        .collect()
}

/// Modularity of a partition whose labels are below the number of nodes.
fn quality(level: &Level<'_>, labels: &[u32], resolution: f64) -> f64 {
    if level.total <= 0.0 {
        return 0.0;
    }
    let mut strengths = vec![0.0; level.nodes()];
    for (label, strength) in labels.iter().zip(&level.strengths) {
        strengths[*label as usize] += strength;
    }
    // In pieces that do not depend on the number of threads: nor does the sum.
    let pieces = labels.par_chunks(PIECE).enumerate().map(|(index, piece)| {
        let mut inside = 0.0;
        for (node, label) in (index * PIECE..).zip(piece) {
            let same = |entry: &(u32, f32)| labels[entry.0 as usize] == *label;
            inside += level.entries(node).filter(same).map(|entry| f64::from(entry.1)).sum::<f64>();
        }
        inside
    });
    let inside: f64 = pieces.collect::<Vec<_>>().into_iter().sum();
    let expected: f64 = strengths.iter().map(|strength| (strength / level.total).powi(2)).sum();
    inside / level.total - resolution * expected
}

/// The same communities, those that fall apart as several: numbers from 0 in the order of their first nodes, and how many.
fn connected(level: &Level<'_>, labels: &[u32]) -> (Vec<u32>, usize) {
    const NONE: u32 = u32::MAX;
    let mut parts = vec![NONE; labels.len()];
    let mut count = 0;
    let mut open: Vec<u32> = Vec::new();
    for first in 0..labels.len() {
        if parts[first] != NONE {
            continue;
        }
        parts[first] = count;
        open.push(first as u32);
        while let Some(node) = open.pop() {
            let node = node as usize;
            for (target, weight) in level.entries(node) {
                let part = &mut parts[target as usize];
                if weight > 0.0 && *part == NONE && labels[target as usize] == labels[node] {
                    *part = count;
                    open.push(target);
                }
            }
        }
        count += 1;
    }
    (parts, count as usize)
}
