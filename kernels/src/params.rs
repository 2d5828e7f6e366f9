//! The knobs of the layout, their ranges and defaults.

use crate::Error;

/// How the layout behaves. Plain data: build one with struct update syntax from
/// [`Params::default`] and hand it to [`Simulation::set_params`](crate::Simulation::set_params)
/// at any time.
///
/// The model is ForceAtlas2's (Jacomy, Venturini, Heymann, Bastian, 2014). Node `i` has mass
/// `m = 1 + number of distinct neighbours`; two nodes at distance `d` push each other with
/// `repulsion · m_i · m_j / d`, an edge pulls its ends with `attraction · weight · d`, and
/// gravity pulls every node towards the origin. Lengths are world units: two linked nodes with
/// no other neighbours rest `2·sqrt(repulsion / attraction)` apart (6.3 by default).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
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
    /// communities tighter and their borders wider. Default `false`.
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
}

impl Default for Params {
    fn default() -> Self {
        Self {
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
