//! Nodes move to the community where they gain most, until none gains by moving.
//!
//! Nodes are looked at in batches: all threads decide for the nodes of one, all from the same state of things, and then the
//! moves are made one after the other. A move of which a neighbour wants to move too is decided anew when it is made, so
//! that every move is a gain. What a batch is does not depend on the number of threads.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::super::AnalysisError;
use super::super::tally::Tally;
use super::level::Level;

/// Batches that all nodes make. In more of them decisions are younger, in fewer there is more to do at once.
const BATCHES: usize = 64;
/// Nodes that are looked at between two questions whether to go on.
const PER_QUESTION: usize = 65_536;
/// Rounds at most. Each gains, so they end by themselves; but of gains as small as rounding there may be very many.
const MOST_ROUNDS: usize = 100;
/// Nodes that one thread looks at at a time.
const PIECE: usize = 512;
/// Part of the nodes of which so few are marked that a list of them is sorted sooner than found.
const FEW: usize = 16;

/// Part of a node's strength that a move gains at least: less could be an error of rounding, and moves to and fro.
const LEAST: f64 = 1e-12;
/// The community of somebody who is to be alone.
const ALONE: u32 = u32::MAX;

/// Moves nodes between the communities `labels` (numbers below the number of nodes).
///
/// Those in `first` (ascending) are looked at. A node is looked at again, or at all, only when a neighbour has left for
/// another community (the fast local move of Traag, Waltman and van Eck, 2019), round after round, until a round
/// moves no more than `few` nodes.
pub(super) fn settle(
    level: &Level<'_>,
    labels: &mut [u32],
    first: Vec<u32>,
    resolution: f64,
    few: usize,
    ask: &dyn Fn() -> Result<(), AnalysisError>,
) -> Result<(), AnalysisError> {
    if level.total <= 0.0 {
        return Ok(());
    }
    let mut moving = Moving::new(level, labels, resolution);
    let batch = (level.nodes() / BATCHES).max(1);
    for node in &first {
        moving.is_waiting[*node as usize].store(true, Ordering::Relaxed);
    }
    let mut waiting = first;
    let mut seen = 0;
    for _ in 0..MOST_ROUNDS {
        if waiting.is_empty() {
            break;
        }
        let (mut next, mut moved) = (Vec::new(), 0);
        for batch in waiting.chunks(batch) {
            seen += batch.len();
            if seen >= PER_QUESTION {
                seen = 0;
                ask()?;
            }
            let moves = moving.make(moving.decide(batch));
            moved += moves.len();
            moving.wake(&moves, &mut next);
        }
        if moved <= few {
            break;
        }
        waiting = moving.in_order(next);
    }
    Ok(())
}

/// A node and where it goes.
#[derive(Clone, Copy)]
struct Move {
    node: u32,
    to: u32,
    /// Weight to the nodes there, less that to those it leaves.
    weight: f64,
    /// Whether a neighbour wants to move at the same time.
    is_disputed: bool,
}

struct Moving<'a> {
    level: &'a Level<'a>,
    labels: &'a mut [u32],
    factor: f64,
    strengths: Vec<f64>,
    sizes: Vec<u32>,
    /// Labels that nobody has.
    free: Vec<u32>,
    is_waiting: Vec<AtomicBool>,
    /// Whether a node of this batch wants to move.
    wants_to: Vec<AtomicBool>,
    near: Tally<f32>,
}

impl<'a> Moving<'a> {
    fn new(level: &'a Level<'a>, labels: &'a mut [u32], resolution: f64) -> Self {
        let nodes = level.nodes();
        let mut strengths = vec![0.0; nodes];
        let mut sizes = vec![0_u32; nodes];
        for (node, label) in labels.iter().enumerate() {
            strengths[*label as usize] += level.strengths[node];
            sizes[*label as usize] += 1;
        }
        let free = (0..nodes as u32).rev().filter(|label| sizes[*label as usize] == 0).collect();
        let marks = || (0..nodes).map(|_| AtomicBool::new(false)).collect();
        Self {
            level,
            labels,
            factor: resolution / level.total,
            strengths,
            sizes,
            free,
            is_waiting: marks(),
            wants_to: marks(),
            near: Tally::default(),
        }
    }

    /// Where the nodes of a batch would go, as things are now: those that would.
    fn decide(&self, batch: &[u32]) -> Vec<Move> {
        let decide = |near: &mut Tally<f32>, piece: &[u32]| {
            let mut moves = Vec::new();
            for node in piece {
                self.is_waiting[*node as usize].store(false, Ordering::Relaxed);
                if let Some(found) = self.best(near, *node) {
                    self.wants_to[*node as usize].store(true, Ordering::Relaxed);
                    moves.push(found);
                }
            }
            moves
        };
        let is_moving = |node: &u32| self.wants_to[*node as usize].load(Ordering::Relaxed);
        let dispute = |found: &mut Move| {
            found.is_disputed = self.level.targets(found.node as usize).iter().any(is_moving);
        };
        if batch.len() <= PIECE {
            let mut moves = decide(&mut Tally::default(), batch);
            moves.iter_mut().for_each(dispute);
            return moves;
        }
        let decided: Vec<Vec<Move>> = batch.par_chunks(PIECE).map_init(Tally::default, decide).collect();
        let mut moves = decided.concat();
        moves.par_iter_mut().with_min_len(PIECE).for_each(dispute);
        moves
    }

    /// Where a node gains most, if it does.
    fn best(&self, near: &mut Tally<f32>, node: u32) -> Option<Move> {
        let here = self.labels[node as usize];
        self.level.look(near, node as usize, self.labels);
        let strength = self.level.strengths[node as usize];
        let inner = f64::from(near.sum(here).unwrap_or(0.0));
        let stay = inner - self.factor * strength * (self.strengths[here as usize] - strength);
        let (mut to, mut most, mut weight) = (here, stay, 0.0);
        for (label, outer) in near.met().iter().filter(|met| met.0 != here) {
            let outer = f64::from(*outer);
            let gain = outer - self.factor * strength * self.strengths[*label as usize];
            // The order in which labels are met is that of the nodes, so that this is decided, not chance.
            if gain > most {
                (to, most, weight) = (*label, gain, outer - inner);
            }
        }
        // Alone, it gains nothing and loses nothing.
        if most < 0.0 && self.sizes[here as usize] > 1 {
            (to, weight) = (ALONE, -inner);
        }
        (to != here).then_some(Move { node, to, weight, is_disputed: false })
    }

    /// Makes those moves that still gain something; says which, with where they led to.
    fn make(&mut self, mut moves: Vec<Move>) -> Vec<Move> {
        for found in &moves {
            self.wants_to[found.node as usize].store(false, Ordering::Relaxed);
        }
        moves.retain_mut(|found| {
            if found.is_disputed {
                let mut near = std::mem::take(&mut self.near);
                let anew = self.best(&mut near, found.node);
                self.near = near;
                match anew {
                    Some(anew) => *found = anew,
                    None => return false,
                }
            }
            self.go(found)
        });
        moves
    }

    /// Makes a move, unless it gains nothing any more.
    fn go(&mut self, found: &mut Move) -> bool {
        let node = found.node as usize;
        let (here, strength) = (self.labels[node] as usize, self.level.strengths[node]);
        let there = if found.to == ALONE { 0.0 } else { self.strengths[found.to as usize] };
        let gain = found.weight - self.factor * strength * (there - (self.strengths[here] - strength));
        if gain <= strength * LEAST {
            return false;
        }
        if found.to == ALONE {
            match self.free.pop() {
                Some(label) => found.to = label,
                None => return false,
            }
        }
        let to = found.to as usize;
        self.labels[node] = found.to;
        self.strengths[to] += strength;
        self.sizes[to] += 1;
        self.strengths[here] -= strength;
        self.sizes[here] -= 1;
        if self.sizes[here] == 0 {
            // Exactly, whatever was lost in adding and taking away.
            self.strengths[here] = 0.0;
            self.free.push(here as u32);
        }
        true
    }

    /// Marks the neighbours of those who have moved, unless they are where those went; adds who was not marked to `woken`.
    fn wake(&self, moves: &[Move], woken: &mut Vec<u32>) {
        let wake = |found: &Move, woken: &mut Vec<u32>| {
            for target in self.level.targets(found.node as usize) {
                let mark = &self.is_waiting[*target as usize];
                // Read before it is written: most neighbours are marked already.
                if !mark.load(Ordering::Relaxed)
                    && self.labels[*target as usize] != found.to
                    && !mark.swap(true, Ordering::Relaxed)
                {
                    woken.push(*target);
                }
            }
        };
        if moves.len() <= PIECE {
            for found in moves {
                wake(found, woken);
            }
            return;
        }
        let wake_all = |piece: &[Move]| {
            let mut woken = Vec::new();
            for found in piece {
                wake(found, &mut woken);
            }
            woken
        };
        woken.extend(moves.par_chunks(PIECE).map(wake_all).collect::<Vec<_>>().concat());
    }

    /// All that are marked, which are those of `woken`, in ascending order: which thread has marked them does not show.
    fn in_order(&self, mut woken: Vec<u32>) -> Vec<u32> {
        if woken.len() < self.level.nodes() / FEW {
            woken.sort_unstable();
            return woken;
        }
        let is_waiting = |node: &u32| self.is_waiting[*node as usize].load(Ordering::Relaxed);
        (0..self.level.nodes() as u32).filter(is_waiting).collect()
    }
}
