//! The knobs of the layout, their ranges and defaults.

use crate::Error;

/// Which forces a layout has. In all of them any two nodes repel each other in inverse proportion to their
/// distance, and gravity pulls towards the origin; they differ in the nodes' masses and in the pull of edges.
///
/// In the formulas `d` is a distance, `w` the weight of an edge, `mᵢ` the mass of node `i`, and `k` the ideal
/// length `m·sqrt(repulsion / attraction)`, `m` being the mean of `1 + number of neighbours` over all nodes. Two
/// nodes push each other with `repulsion·mᵢ·mⱼ/d`, and gravity counts by mass. Total mass, and with it the size of the
/// picture, is the same in all models: one that is changed while a layout runs changes its shape, not its scale.
/// Two linked nodes that are alone rest `2·sqrt(repulsion / attraction)` apart in any of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Model {
    /// ForceAtlas2 (Jacomy, Venturini, Heymann and Bastian, 2014): `mᵢ` is one more than the number of the node's
    /// neighbours, so hubs push more; an edge pulls its ends with `attraction·w·d`, or with
    /// [`lin_log`](Params::lin_log) with `attraction·w·ln(1 + d)`.
    #[default]
    ForceAtlas2,
    /// Graph Drawing by Force-Directed Placement (Fruchterman and Reingold, 1991): all masses are the same, `m`,
    /// and an edge pulls its ends with `attraction·w·d²/k`. The push is then `attraction·k²/d`: the paper's
    /// `d²/k` and `k²/d`, both times `attraction`. Long edges pull so much that a large graph with few
    /// of them becomes rounder and denser than in the other models.
    FruchtermanReingold,
    /// The forces of d3-force (Bostock, d3-force 3: `manyBody`, `link`, `x` and `y`): all masses are the same, `m`,
    /// and an edge between nodes with `a` and `b` neighbours wants to be `k/2` long: it pulls, or pushes, its
    /// ends with `m·attraction·w·(d − k/2)/min(a, b)`, so that no edge of a leaf is weak and none between hubs
    /// is strong. In d3's words, for a node of mass 1: `manyBody` of strength `−repulsion·m`, `link` of distance `k/2`
    /// and of twice d3's strength times `attraction`, `x` and `y` of strength `gravity`. Both ends get one
    /// half. d3 gives the end with fewer neighbours more than the other, which in a step is what the bound on
    /// the curvature does here; as a force it does not cancel in the sum, and the picture would turn for ever.
    D3,
}

/// How the layout behaves. Plain data: build one with struct update syntax from
/// [`Params::default`] and hand it to [`Simulation::set_params`](crate::Simulation::set_params)
/// at any time.
///
/// What the strengths mean is said at each [`Model`]. Lengths are world units: two linked nodes that are
/// alone rest `2·sqrt(repulsion / attraction)` apart (6.3 by default).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// Which forces act. Default [`Model::ForceAtlas2`].
    pub model: Model,
    /// Strength of the push between nodes. Range 1e-3 to 1e3, default 10. The layout's size
    /// grows with its square root.
    pub repulsion: f32,
    /// Strength of the pull along edges (spring constant). Range 0 to 1e3, default 1.
    pub attraction: f32,
    /// Strength of the pull towards the origin. Range 0 to 100, default 0.05. Even at 0 the
    /// layout stays bounded: far outside its natural size a containment takes over.
    pub gravity: f32,
    /// `true` (default): gravity grows with distance, so loose parts form a ring round the rest.
    /// `false`: gravity is the same everywhere, so loose parts drift further out.
    pub strong_gravity: bool,
    /// `true`: edges pull with `ln(1 + d)` in place of `d` (Noack's LinLog energy), which draws
    /// communities tighter and their borders wider. Only of ForceAtlas2; the other models have a pull of their
    /// own. Default `false`.
    pub lin_log: bool,
    /// Barnes–Hut opening ratio: a group of nodes is taken as one when its extent is below
    /// `theta` times its distance. Range 0.3 to 1.5, default 1. Smaller is exacter and slower. Says
    /// nothing where a mesh takes the tree's place, which is exacter than any of these.
    pub theta: f32,
    /// Share of its velocity that a node loses per tick. Range 0.02 to 1, default 0.1; 1 means
    /// no momentum at all.
    pub damping: f32,
    /// Length of a step relative to the largest that provably lowers the energy. Range 0.01 to
    /// 1.5, default 1.
    pub step: f32,
    /// Furthest that a node may move in one tick, as a share of the layout's extent, while
    /// fully heated. Range 1e-4 to 1, default 0.1.
    pub max_speed: f32,
    /// Share of its heat that the layout loses per tick; heat scales [`max_speed`](Self::max_speed).
    /// Range 0 to 0.5, default 0.012 (cold after about 700 ticks, if not still before). 0
    /// never cools: then only stillness settles the layout.
    pub cooling: f32,
    /// The layout counts as still when the mean movement per tick stays below this share of its
    /// extent (and no node moves more than 50 times that). Range 1e-7 to 1e-2, default 2e-5: a hundredth of a pixel on a large screen.
    pub tolerance: f32,
    /// `true`: once the forces have given the layout its shape, neighbours gather: several times as many
    /// nodes then lie beside those they are linked to, and distances in the picture say at least as much about
    /// those in the graph. Attraction, repulsion and gravity decide the shape only as far as it comes from
    /// that first part. Default `false`.
    pub refine: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            model: Model::ForceAtlas2,
            repulsion: 10.0,
            attraction: 1.0,
            gravity: 0.05,
            strong_gravity: true,
            lin_log: false,
            theta: 1.0,
            damping: 0.1,
            step: 1.0,
            max_speed: 0.1,
            cooling: 0.012,
            tolerance: 2e-5,
            refine: false,
        }
    }
}

impl Params {
    /// Checks every field against its documented range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first field that is out of range, and the range.
    pub fn validate(&self) -> Result<(), Error> {
        let ranges = [
            ("repulsion", self.repulsion, 1e-3, 1e3),
            ("attraction", self.attraction, 0.0, 1e3),
            ("gravity", self.gravity, 0.0, 100.0),
            ("theta", self.theta, 0.3, 1.5),
            ("damping", self.damping, 0.02, 1.0),
            ("step", self.step, 0.01, 1.5),
            ("max_speed", self.max_speed, 1e-4, 1.0),
            ("cooling", self.cooling, 0.0, 0.5),
            ("tolerance", self.tolerance, 1e-7, 1e-2),
        ];
        for (field, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(Error::Parameter { field, value, min, max });
            }
        }
        Ok(())
    }

    /// The distance at which two lone linked nodes rest: the layout's unit of length. An
    /// attraction near zero is floored, because there the edges no longer set the scale.
    pub(crate) fn rest_length(&self) -> f32 {
        2.0 * (self.repulsion / self.attraction.max(0.01)).sqrt()
    }

    /// The ideal length of an edge where nodes have a mass of `mean_mass` in the mean: `k` of [`Model`].
    pub(crate) fn ideal_length(&self, mean_mass: f32) -> f32 {
        0.5 * mean_mass * self.rest_length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Params::default().validate(), Ok(()));
    }

    #[test]
    fn a_bad_value_is_named_with_its_range() {
        let params = Params { theta: 9.0, ..Params::default() };
        assert_eq!(
            params.validate(),
            Err(Error::Parameter { field: "theta", value: 9.0, min: 0.3, max: 1.5 })
        );
    }

    #[test]
    fn not_a_number_is_out_of_range() {
        let params = Params { gravity: f32::NAN, ..Params::default() };
        assert!(matches!(params.validate(), Err(Error::Parameter { field: "gravity", .. })));
    }
}
