//! What moved together is put together anew from single nodes, along edges only: so that what the next level takes as one
//! is connected, and what hung together by a node that left comes apart.

use std::ops::Range;

use rayon::prelude::*;

use super::super::tally::Tally;
use super::groups::Groups;
use super::level::{Level, PIECE};

/// A partition finer than `labels` (numbers below the number of nodes): every part is connected and lies in one
/// community. Those that `in_question` says no of are one part as they are. Communities have nothing to do with each other
/// here, and are worked on by all threads.
pub(super) fn refine(
    level: &Level<'_>,
    labels: &[u32],
    in_question: impl Fn(u32) -> bool + Sync,
    resolution: f64,
) -> Vec<u32> {
    let nodes = level.nodes();
    if level.total <= 0.0 {
        return (0..nodes as u32).collect();
    }
    let communities = Groups::new(labels, nodes);
    // Where each node is among the members of all communities.
    let mut places = vec![0_u32; nodes];
    for (place, node) in communities.members().iter().enumerate() {
        places[*node as usize] = place as u32;
    }
    let factor = resolution / level.total;
    // For each place, that of its part's first member; communities one after the other.
    let mut parts = vec![0_u32; nodes];
    let mut rest = parts.as_mut_slice();
    let mut tasks: Vec<(Range<usize>, &mut [u32])> = Vec::new();
    for task in communities.tasks(PIECE) {
        let members = communities.range(task.end - 1).end - communities.range(task.start).start;
        let (parts, after) = rest.split_at_mut(members);
        tasks.push((task, parts));
        rest = after;
    }
    tasks.into_par_iter().for_each_init(Community::default, |community, (task, mut parts)| {
        for label in task {
            let range = communities.range(label);
            let (own, after) = parts.split_at_mut(range.len());
            if range.len() > 1 && in_question(label as u32) {
                community.begin(level, &communities, &places, label);
                community.refine(factor, own);
            } else {
                own.fill(0);
            }
            for part in own.iter_mut() {
                *part += range.start as u32;
            }
            parts = after;
        }
    });
    let part = |place: &u32| communities.members()[parts[*place as usize] as usize];
    places.par_iter().with_min_len(PIECE).map(part).collect()
}

/// One community, whose members have numbers from 0 here.
#[derive(Default)]
struct Community {
    /// Its inner edges, member by member, and where those of each begin.
    edges: Vec<(u32, f32)>,
    starts: Vec<usize>,
    /// Strength of everybody in it.
    strength: f64,
    /// Of each part, which is named by a member.
    strengths: Vec<f64>,
    /// The weight from a part to the rest of the community.
    outward: Vec<f64>,
    is_alone: Vec<bool>,
    near: Tally<f32>,
}

impl Community {
    /// Everybody is alone.
    fn begin(&mut self, level: &Level<'_>, communities: &Groups, places: &[u32], label: usize) {
        let range = communities.range(label);
        let members = communities.of(label);
        self.edges.clear();
        self.starts.clear();
        self.outward.clear();
        self.strengths.clear();
        self.strengths.extend(members.iter().map(|node| level.strengths[*node as usize]));
        self.strength = self.strengths.iter().sum();
        self.is_alone.clear();
        self.is_alone.resize(members.len(), true);
        for node in members {
            self.starts.push(self.edges.len());
            let mut outward = 0.0;
            for (target, weight) in level.entries(*node as usize) {
                let place = places[target as usize] as usize;
                if range.contains(&place) && weight > 0.0 {
                    self.edges.push(((place - range.start) as u32, weight));
                    outward += f64::from(weight);
                }
            }
            self.outward.push(outward);
        }
        self.starts.push(self.edges.len());
    }

    /// For each member the one that its part is named by.
    fn refine(&mut self, factor: f64, parts: &mut [u32]) {
        for (member, part) in parts.iter_mut().enumerate() {
            *part = member as u32;
        }
        for member in 0..parts.len() {
            // Only those that are still alone, so that nothing is torn from what has grown.
            if !self.is_alone[member] || !self.is_well_connected(member, factor) {
                continue;
            }
            let edges = &self.edges[self.starts[member]..self.starts[member + 1]];
            self.near.begin(edges.len());
            for (target, weight) in edges {
                self.near.add(parts[*target as usize], *weight);
            }
            let strength = self.strengths[member];
            let (mut to, mut most, mut joined) = (member, 0.0, 0.0);
            for (part, weight) in self.near.met() {
                let (part, weight) = (*part as usize, f64::from(*weight));
                let gain = weight - factor * strength * self.strengths[part];
                if gain > most && self.is_well_connected(part, factor) {
                    (to, most, joined) = (part, gain, weight);
                }
            }
            if to == member {
                continue;
            }
            parts[member] = to as u32;
            self.is_alone[member] = false;
            self.is_alone[to] = false;
            self.strengths[to] += strength;
            self.strengths[member] = 0.0;
            self.outward[to] += self.outward[member] - 2.0 * joined;
        }
    }

    /// Whether a part belongs to its community rather than being in it by chance (the condition γ-connected of the
    /// source).
    fn is_well_connected(&self, part: usize, factor: f64) -> bool {
        let strength = self.strengths[part];
        self.outward[part] >= factor * strength * (self.strength - strength)
    }
}
