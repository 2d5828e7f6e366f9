//! A first sketch of a graph that nobody has placed yet, by coarser graphs.
//!
//! From places drawn by chance a node sees only the crowd between it and its own, and what has folded stays
//! folded. A graph of some dozen nodes that stand for the parts finds its shape in the time of a tick. So
//! the graph is made coarser, again and again ([`clusters`]), the coarsest is laid out by the forces of the model
//! ([`draft`]), and each finer one from where the coarser has left it (Walshaw, A Multilevel Algorithm for
//! Force-Directed Graph-Drawing, 2003).
//!
//! Masses and weights of a coarser graph are sums, so its forces are those of the graph itself with the
//! nodes of each cluster in one place: its shape has the right size, and nothing is scaled.
//!
//! A tick does a portion, counted in nodes and edges, that costs about as much as a tick of the graph itself, and
//! then puts all nodes beside what stands for them.

mod clusters;
mod draft;
mod fine;
mod level;

use rayon::prelude::*;

use self::clusters::LOOSE;
use self::draft::Draft;
use self::fine::Fine;
use self::level::Level;
use crate::cpu::CHUNK;
use crate::cpu::gravity::Gravity;
use crate::scene::Scene;
use crate::{Dim, Model, Params, Point, random};

/// A graph of so many nodes is coarse enough.
const COARSE: usize = 100;
/// Drafts that are made of the coarsest graph, of which the best is taken: what is folded here stays so.
const DRAFTS: u32 = 4;
/// Steps of a draft of the coarsest graph, and of a coarsest graph that has more nodes than [`COARSE`].
const COARSEST_STEPS: u32 = 150;
/// Steps of the graphs between, and of the last before the graph itself, which has most nodes.
const STEPS: u32 = 20;
const LAST_STEPS: u32 = 8;
/// Share of its heat that the coarsest graph loses in a step, and the others.
const COARSEST_COOLING: f32 = 0.03;
const COOLING: f32 = 0.13;
/// Heat of a graph that begins where a coarser one has left it.
const HANDED_DOWN: f32 = 0.1;
/// How far from what stands for it a node is put, at most, as a share of the radius of its cluster if all lay evenly.
const BESIDE: f32 = 0.5;
/// Cost of a step beside what its nodes and edges cost, in edges: threads have to meet some times.
const STEP: usize = 4_000;
/// What a tick may cost in any graph, in edges: about as much as one of 20,000 nodes, a millisecond or two. Small
/// graphs would be sketched for a second otherwise.
const LEAST_PORTION: usize = 200_000;

/// A sketch that is under way.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// Each over the one before, the first over the graph itself; those that were laid out are gone.
    levels: Vec<Level>,
    /// The last level, as it is being laid out; `None` while it is being made coarser.
    draft: Option<Draft>,
    /// The best draft of the coarsest graph so far, and its stress.
    best: Option<(Vec<Point>, f64)>,
    /// Drafts of the coarsest graph that are still to be made.
    left: u32,
    /// What the last tick has cost, in edges.
    spent: usize,
}

/// How far a sketch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    Complete,
    /// There is nothing to be sketched: all hangs together in one place, or nothing does.
    Nothing,
}

/// What all levels share of the graph.
struct Ground<'a> {
    scene: &'a Scene<'a>,
    /// Those of the layout, as coarser graphs have them.
    params: Params,
    /// Where loose parts come to rest.
    rim: f32,
}

impl Sketch {
    /// Whether a graph of so many nodes is sketched.
    pub(crate) fn suits(nodes: usize) -> bool {
        nodes > COARSE
    }

    /// Does one portion and puts the nodes where they are by now.
    pub(crate) fn advance(&mut self, scene: &Scene<'_>, positions: &mut [Point]) -> Progress {
        // How fast the layout itself may move is for those who look at it.
        let Params { damping, step, max_speed, .. } = Params::default();
        let mut params = Params { damping, step, max_speed, ..*scene.params };
        if params.model == Model::D3 {
            // The weights are the strengths, and the length of an edge is for the graph itself.
            params = Params { model: Model::ForceAtlas2, lin_log: false, ..params };
        }
        let ground = Ground { scene, params, rim: Gravity::rest_radius(scene.params, scene.total_mass) };
        let portion = portion(scene.masses.len(), scene.adjacency.edge_count());
        self.spent = 0;
        while self.spent < portion {
            let Some(draft) = &mut self.draft else {
                self.spent += self.coarsen(&ground);
                if self.levels.is_empty() {
                    return Progress::Nothing;
                }
                continue;
            };
            let level = self.levels.last().expect("what is drafted is a level");
            let price = price(level.masses.len(), level.adjacency.edge_count());
            // One step at least: where a coarser graph is hardly smaller, it costs hardly more than a portion.
            if self.spent > 0 && self.spent + price > portion {
                break;
            }
            draft.step(level, &ground);
            self.spent += price;
            if draft.is_complete() && self.go_on(&ground, positions) {
                return Progress::Complete;
            }
        }
        self.show(&ground, positions);
        Progress::UnderWay
    }

    /// Makes the last level coarser, or begins to lay it out where it is coarse enough. Returns the price.
    fn coarsen(&mut self, ground: &Ground<'_>) -> usize {
        let scene = ground.scene;
        let fine = match self.levels.last() {
            None => Fine::ground(scene.adjacency, scene.masses, scene.ids, scene.params),
            Some(level) => level.as_fine(),
        };
        let price = price(fine.masses.len(), fine.adjacency.edge_count());
        if fine.masses.len() > COARSE {
            let level = Level::over(&fine);
            // Where nothing hangs together any more there is nothing to lay out.
            if level.adjacency.edge_count() > 0 {
                self.levels.push(level);
                return price;
            }
        }
        self.left = if fine.masses.len() > COARSE { 1 } else { DRAFTS };
        self.begin(ground);
        price
    }

    /// Begins the next draft of the coarsest graph.
    fn begin(&mut self, ground: &Ground<'_>) {
        let Some(level) = self.levels.last() else { return };
        let (dim, radius) = (ground.scene.dim, 0.7 * ground.rim);
        let seed = random::mix(ground.scene.seed, u64::from(self.left));
        let places = level.names.iter().map(|name| random::in_ball(dim, seed, *name).map(|c| c * radius));
        self.draft = Some(Draft::new(places.collect(), 1.0, COARSEST_COOLING, COARSEST_STEPS));
        self.left -= 1;
    }

    /// After a draft is complete: the next one, or the next finer graph. Returns whether that is the graph itself.
    fn go_on(&mut self, ground: &Ground<'_>, positions: &mut [Point]) -> bool {
        let (Some(draft), Some(level)) = (self.draft.take(), self.levels.last()) else { return true };
        let mut places = draft.positions;
        if self.left > 0 || self.best.is_some() {
            let stress = draft::stress(level, &places);
            if self.best.as_ref().is_none_or(|(_, least)| stress < *least) {
                self.best = Some((places, stress));
            }
            if self.left > 0 {
                self.begin(ground);
                return false;
            }
            places = self.best.take().map(|(places, _)| places).unwrap_or_default();
        }
        if let [.., finer, level] = self.levels.as_slice() {
            let mut handed = vec![[0.0; 3]; finer.names.len()];
            beside(level, &places, &finer.names, ground, &mut handed);
            self.levels.pop();
            let steps = if self.levels.len() == 1 { LAST_STEPS } else { STEPS };
            self.draft = Some(Draft::new(handed, HANDED_DOWN, COOLING, steps));
            return false;
        }
        beside(level, &places, ground.scene.ids, ground, positions);
        true
    }

    /// Puts the nodes of the graph beside those that are being laid out, level by level.
    fn show(&self, ground: &Ground<'_>, positions: &mut [Point]) {
        let Some(draft) = &self.draft else { return };
        let mut places = draft.positions.clone();
        for (level, finer) in self.levels.iter().zip(&self.levels[1..]).map(|(a, b)| (b, a)).rev() {
            let mut next = vec![[0.0; 3]; finer.names.len()];
            beside(level, &places, &finer.names, ground, &mut next);
            places = next;
        }
        beside(&self.levels[0], &places, ground.scene.ids, ground, positions);
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.levels.iter().map(Level::memory).sum::<usize>() + self.draft.as_ref().map_or(0, Draft::memory)
    }
}

/// What a step of a graph costs, or making it coarser, in edges.
fn price(nodes: usize, edges: usize) -> usize {
    STEP + 8 * nodes + edges
}

/// What may be done in one tick of a graph, in edges.
fn portion(nodes: usize, edges: usize) -> usize {
    price(nodes, edges).max(LEAST_PORTION)
}

/// Puts the nodes below `level`, whose own are at `positions`, beside what stands for them, and what nothing stands for
/// at the rim.
fn beside(level: &Level, positions: &[Point], names: &[u32], ground: &Ground<'_>, places: &mut [Point]) {
    let Scene { dim, seed, total_mass, .. } = *ground.scene;
    let extent = radius(positions);
    places.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, places)| {
        for (at, place) in (chunk * CHUNK..).zip(places) {
            let parent = level.parents[at];
            if parent == LOOSE {
                *place = random::direction(dim, seed, names[at]).map(|c| c * ground.rim);
                continue;
            }
            let share = level.masses[parent as usize] / total_mass;
            let room = match dim {
                Dim::Two => share.sqrt(),
                Dim::Three => share.cbrt(),
            };
            let (here, away) = (positions[parent as usize], random::in_ball(dim, seed, names[at]));
            *place = std::array::from_fn(|axis| here[axis] + BESIDE * extent * room * away[axis]);
        }
    });
}

/// Radius of an even disc with as much moment as these places.
fn radius(positions: &[Point]) -> f32 {
    let squares: f64 =
        positions.iter().map(|place| place.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>()).sum();
    (2.0 * squares / positions.len().max(1) as f64).sqrt() as f32
}

#[cfg(test)]
mod tests;
