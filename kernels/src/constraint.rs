//! What a layout has to keep to beside its forces.

use crate::{Bounds, Dim, Point, WORLD_LIMIT};

/// A rule that is kept after each step of the forces.
///
/// Nodes are external ids. Those that are not in the graph are passed over, and take part as soon as
/// they come: a node that goes leaves its constraints harmless. Pinned and held nodes are never moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Share of what is missing that a tick makes good: above 0, up to 1 (exactly kept where nothing
    /// else stands against it).
    pub strength: f32,
    /// What is asked of whom.
    pub rule: Rule,
}

/// What a [`Constraint`] asks. Lengths are world units.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Each pair is this far apart.
    Distance {
        /// The pairs.
        pairs: Vec<(u32, u32)>,
        /// How far. From 0.
        length: f32,
    },
    /// Nodes lie on a line or, in space, in a plane.
    Alignment {
        /// The nodes.
        nodes: Vec<u32>,
        /// Where the line runs, or what the plane is perpendicular to. Any length but 0.
        direction: Point,
        /// A line or a plane.
        shape: Shape,
        /// A point of it; where its pinned nodes are on average when absent, or all of them.
        through: Option<Point>,
    },
    /// The nodes of a group keep within a circle (a ball, in space) of their own.
    Cluster {
        /// The groups. A node in several counts to the first.
        groups: Vec<Vec<u32>>,
        /// The centre; where the group's nodes are on average when absent.
        center: Option<Point>,
        /// The radius; so that the group has its share of the layout's natural size when absent.
        radius: Option<f32>,
        /// Whether other nodes keep out.
        exclusive: bool,
    },
    /// Edges point along a direction: a target lies at least so far beyond its source. Edges within
    /// a cycle ask nothing.
    Hierarchy {
        /// Sources and targets.
        edges: Vec<(u32, u32)>,
        /// Where edges point to. Any length but 0.
        direction: Point,
        /// How far a target is beyond its source at least. From 0.
        gap: f32,
    },
    /// Nodes stay inside.
    Boundary {
        /// Which ones; all when absent.
        nodes: Option<Vec<u32>>,
        /// Inside of what.
        region: Region,
    },
    /// Nodes are round and do not overlap.
    Collision {
        /// Nodes and their radii, from 0.
        radii: Vec<(u32, f32)>,
        /// Radius of the nodes that are not among `radii`; they do not count when 0.
        others: f32,
    },
}

/// What nodes are aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A line.
    Line,
    /// A plane; in the plane itself, the line that is perpendicular to the direction.
    Plane,
}

/// What nodes are kept inside of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Region {
    /// A box.
    Box(Bounds),
    /// A circle or a ball.
    Ball {
        /// Its centre.
        center: Point,
        /// Its radius, from 0.
        radius: f32,
    },
}

impl Constraint {
    /// The part that no layout of this number of dimensions can keep to, if there is one: `strength`,
    /// `length`, `direction`, `through`, `center`, `radius`, `gap` or `box`.
    pub fn fault(&self, dim: Dim) -> Option<&'static str> {
        // All written so that what is not a number fails too.
        let length = |value: f32| (0.0..=WORLD_LIMIT).contains(&value);
        let inside = |point: Point| point.iter().all(|c| c.abs() <= WORLD_LIMIT);
        let direction = |point: Point| inside(point) && dim.flatten(point).iter().any(|c| c.abs() >= 1e-6);
        if !(self.strength > 0.0 && self.strength <= 1.0) {
            return Some("strength");
        }
        match &self.rule {
            Rule::Distance { length: apart, .. } if !length(*apart) => Some("length"),
            Rule::Alignment { direction: along, .. } if !direction(*along) => Some("direction"),
            Rule::Alignment { through: Some(point), .. } if !inside(*point) => Some("through"),
            Rule::Cluster { center: Some(center), .. } if !inside(*center) => Some("center"),
            Rule::Cluster { radius: Some(radius), .. } if !length(*radius) => Some("radius"),
            Rule::Hierarchy { direction: along, .. } if !direction(*along) => Some("direction"),
            Rule::Hierarchy { gap, .. } if !length(*gap) => Some("gap"),
            Rule::Boundary { region: Region::Box(bounds), .. }
                if !(inside(bounds.min)
                    && inside(bounds.max)
                    && (0..3).all(|axis| bounds.min[axis] <= bounds.max[axis])) =>
            {
                Some("box")
            }
            Rule::Boundary { region: Region::Ball { center, .. }, .. } if !inside(*center) => Some("center"),
            Rule::Boundary { region: Region::Ball { radius, .. }, .. } if !length(*radius) => Some("radius"),
            Rule::Collision { radii, others }
                if !(length(*others) && radii.iter().all(|(_, radius)| length(*radius))) =>
            {
                Some("radius")
            }
            _ => None,
        }
    }
}
