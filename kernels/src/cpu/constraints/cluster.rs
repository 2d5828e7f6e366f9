//! Groups of nodes that keep within balls of their own.

use rayon::prelude::*;

use super::{World, apart, approach, dot, middle, norm};
use crate::cpu::CHUNK;
use crate::membership::Lookup;
use crate::{Dim, Point, random};

/// Share of the layout's natural radius that a group of all nodes has. Below 1, so that there is
/// room between groups.
const FILLED: f32 = 0.5;
/// So many groups at most are moved apart as wholes: each is compared with each.
const MOST_APART: usize = 1_000;
/// In no group.
const NONE: u32 = u32::MAX;

/// Groups of slots, and their balls.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Slots, group by group.
    members: Vec<u32>,
    /// Where each group ends in `members`.
    ends: Vec<u32>,
    /// Number of the group of every slot.
    group_of: Vec<u32>,
    center: Option<Point>,
    radius: Option<f32>,
    exclusive: bool,
    balls: Vec<Ball>,
    /// The balls from left to right.
    sorted: Vec<Ball>,
    /// Where each ball is pushed by the others, and by how many of them.
    pushes: Vec<(Point, f32)>,
}

#[derive(Debug, Clone, Copy)]
struct Ball {
    group: u32,
    center: Point,
    radius: f32,
    /// Whether it can be moved: it has nodes, and none that is fixed.
    moves: bool,
}

impl Cluster {
    pub(super) fn new(
        groups: &[Vec<u32>],
        center: Option<Point>,
        radius: Option<f32>,
        exclusive: bool,
        lookup: &Lookup<'_>,
    ) -> Self {
        let mut group_of = vec![NONE; lookup.len()];
        let (mut members, mut ends) = (Vec::new(), Vec::new());
        for (group, nodes) in groups.iter().enumerate() {
            for slot in super::slots(nodes, lookup) {
                let of = &mut group_of[slot as usize];
                if *of == NONE {
                    *of = group as u32;
                    members.push(slot);
                }
            }
            ends.push(members.len() as u32);
        }
        let (balls, sorted) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
        let pushes = Vec::with_capacity(groups.len());
        Self { members, ends, group_of, center, radius, exclusive, balls, sorted, pushes }
    }

    pub(super) fn project(&mut self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        self.place(world, positions);
        for (ball, start) in self.balls.iter().zip(std::iter::once(0).chain(self.ends.iter().copied())) {
            for slot in &self.members[start as usize..self.ends[ball.group as usize] as usize] {
                let slot = *slot as usize;
                if world.fixed[slot] {
                    continue;
                }
                let way = apart(ball.center, positions[slot]);
                let length = norm(way);
                if length > ball.radius {
                    let rim = |axis: usize| ball.center[axis] + way[axis] * (ball.radius / length);
                    approach(&mut positions[slot], [0, 1, 2].map(rim), share);
                }
            }
        }
    }

    /// Once in a tick, as it looks at everybody: keeps others out, where that is asked for. Groups whose balls overlap
    /// part as wholes, or each node of a heap of groups would have to find its own way out of all of them.
    pub(super) fn separate(&mut self, world: &World<'_>, strength: f32, positions: &mut [Point]) {
        if !self.exclusive {
            return;
        }
        self.place(world, positions);
        if self.center.is_none() && self.balls.len() <= MOST_APART {
            self.part(world, strength, positions);
        }
        self.keep_out(world, strength, positions);
    }

    /// Moves balls that overlap away from each other, with all of their nodes: all at once, each by the mean of what the
    /// others push it.
    fn part(&mut self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        self.pushes.clear();
        self.pushes.resize(self.balls.len(), ([0.0; 3], 0.0));
        for (at, ball) in self.balls.iter().enumerate() {
            for (further, other) in self.balls.iter().enumerate().skip(at + 1) {
                let way = apart(ball.center, other.center);
                let (square, reach) = (dot(way, way), ball.radius + other.radius);
                if square >= reach * reach || !(ball.moves || other.moves) {
                    continue;
                }
                let length = square.sqrt();
                let direction = if length > f32::MIN_POSITIVE {
                    way.map(|c| c / length)
                } else {
                    random::direction(world.dim, world.seed, other.group)
                };
                // Who cannot move leaves the whole way to the other.
                let part = (reach - length) * if ball.moves && other.moves { 0.5 } else { 1.0 };
                for (pushed, sign) in [(at, -1.0), (further, 1.0)] {
                    let (push, count) = &mut self.pushes[pushed];
                    *push = [0, 1, 2].map(|axis| push[axis] + sign * part * direction[axis]);
                    *count += 1.0;
                }
            }
        }
        for (ball, (push, count)) in self.balls.iter_mut().zip(&mut self.pushes) {
            let part = if ball.moves && *count > 0.0 { share / *count } else { 0.0 };
            *push = push.map(|c| c * part);
            ball.center = [0, 1, 2].map(|axis| ball.center[axis] + push[axis]);
        }
        let pushes = &self.pushes;
        let columns = (positions.par_chunks_mut(CHUNK), self.group_of.par_chunks(CHUNK));
        columns.into_par_iter().for_each(|(positions, groups)| {
            for (position, group) in positions.iter_mut().zip(groups).filter(|(_, group)| **group != NONE) {
                let (push, _) = pushes[*group as usize];
                *position = [0, 1, 2].map(|axis| position[axis] + push[axis]);
            }
        });
    }

    /// Says where the balls are now.
    fn place(&mut self, world: &World<'_>, positions: &[Point]) {
        self.balls.clear();
        let mut start = 0;
        for (group, end) in self.ends.iter().enumerate() {
            let members = &self.members[start as usize..*end as usize];
            start = *end;
            let center = self.center.or_else(|| middle(world, members, positions));
            let share = members.len() as f32 / positions.len().max(1) as f32;
            let natural = match world.dim {
                Dim::Two => share.sqrt(),
                Dim::Three => share.cbrt(),
            };
            self.balls.push(Ball {
                group: group as u32,
                center: center.unwrap_or_default(),
                radius: self.radius.unwrap_or(FILLED * world.radius * natural),
                moves: !members.is_empty() && members.iter().all(|slot| !world.fixed[*slot as usize]),
            });
        }
    }

    /// Moves everybody out of the balls of groups that are not his.
    fn keep_out(&mut self, world: &World<'_>, share: f32, positions: &mut [Point]) {
        self.sorted.clear();
        let counts = |ball: &Ball| {
            let start = ball.group.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
            self.ends[ball.group as usize] > start
        };
        self.sorted.extend(self.balls.iter().filter(|ball| counts(ball)));
        self.sorted.sort_unstable_by(|a, b| a.center[0].total_cmp(&b.center[0]).then(a.group.cmp(&b.group)));
        let widest = self.sorted.iter().fold(0.0, |widest: f32, ball| widest.max(ball.radius));
        let sorted = &self.sorted;
        let columns = (
            positions.par_chunks_mut(CHUNK),
            self.group_of.par_chunks(CHUNK),
            world.fixed.par_chunks(CHUNK),
            world.ids.par_chunks(CHUNK),
        );
        columns.into_par_iter().for_each(|(positions, groups, fixed, ids)| {
            for (at, position) in positions.iter_mut().enumerate() {
                if fixed[at] {
                    continue;
                }
                // Only balls that are as far to the right may reach here.
                let first = sorted.partition_point(|ball| ball.center[0] < position[0] - widest);
                let last = position[0] + widest;
                for ball in sorted[first..].iter().take_while(|ball| ball.center[0] <= last) {
                    let way = apart(ball.center, *position);
                    let square = dot(way, way);
                    if square >= ball.radius * ball.radius || ball.group == groups[at] {
                        continue;
                    }
                    let length = square.sqrt();
                    let direction = if length > f32::MIN_POSITIVE {
                        way.map(|c| c / length)
                    } else {
                        random::direction(world.dim, world.seed, ids[at])
                    };
                    let rim = [0, 1, 2].map(|axis| ball.center[axis] + direction[axis] * ball.radius);
                    approach(position, rim, share);
                }
            }
        });
    }

    pub(super) fn memory(&self) -> usize {
        (self.members.capacity() + self.ends.capacity() + self.group_of.capacity()) * size_of::<u32>()
            + (self.balls.capacity() + self.sorted.capacity()) * size_of::<Ball>()
            + self.pushes.capacity() * size_of::<(Point, f32)>()
    }
}
