//! The pull towards the origin, and the containment that keeps every layout bounded.

use crate::Params;

/// Beyond this many natural radii the containment sets in. Strong gravity of the default
/// strength balances the push of everything at 4.5.
const CONTAINMENT_START: f32 = 8.0;

/// Gravity for one graph under one set of parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gravity {
    strength: f32,
    strong: bool,
    contain_from: f32,
    contain_strength: f32,
}

impl Gravity {
    /// Gravity for a graph of `total_mass`.
    ///
    /// A node at distance `r` from everything else is pushed with `k·M / r`. The containment
    /// grows linearly from radius `c = 8·sqrt(k·M)` and reaches `k·M / 2c`, the push there, at
    /// `2c`: so nothing that only repulsion drives gets beyond `2c`, whatever the gravity.
    pub(crate) fn new(params: &Params, total_mass: f32) -> Self {
        let push = params.repulsion * total_mass.max(1.0);
        let contain_from = CONTAINMENT_START * push.sqrt();
        Self {
            strength: params.gravity,
            strong: params.strong_gravity,
            contain_from,
            contain_strength: push / (2.0 * contain_from * contain_from),
        }
    }

    /// Pull at distance `radius`, per unit of mass, divided by the radius: multiply by the
    /// position and negate to get the acceleration.
    pub(super) fn pull(&self, radius: f32) -> f32 {
        let gravity = if self.strong { self.strength } else { self.strength / radius.max(1.0) };
        let outside = (radius - self.contain_from).max(0.0);
        gravity + self.contain_strength * outside / radius.max(1.0)
    }

    /// Bound on how fast the pull changes, for a node at distance `radius`.
    pub(super) fn stiffness(&self, radius: f32) -> f32 {
        let containment = if radius > self.contain_from { self.contain_strength } else { 0.0 };
        let gravity = if self.strong { self.strength } else { self.strength / radius.max(1.0) };
        gravity + containment
    }

    /// Radius that nothing driven by repulsion alone gets beyond.
    pub(super) fn outermost(&self) -> f32 {
        2.0 * self.contain_from
    }

    /// Radius at which a loose node comes to rest: the expected size of the layout.
    pub(crate) fn rest_radius(params: &Params, total_mass: f32) -> f32 {
        let push = params.repulsion * total_mass.max(1.0);
        let most = CONTAINMENT_START * push.sqrt();
        if params.strong_gravity {
            (push / params.gravity.max(1e-6)).sqrt().min(most)
        } else {
            (push / params.gravity.max(1e-6)).min(most)
        }
    }
}
