//! The pull towards the origin, and the containment that keeps every layout bounded.

use crate::Params;

/// Beyond this many natural radii the containment sets in. Strong gravity of the default
/// strength balances the push of everything at 4.5.
const CONTAINMENT_START: f32 = 6.0;
/// Times that radius, nothing that only repulsion drives gets any further.
const CONTAINMENT_END: f32 = 1.25;

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
    /// grows linearly from radius `c = 6·sqrt(k·M)` and reaches `k·M / 1.25c`, the push there, at
    /// `1.25c`: so nothing that only repulsion drives gets beyond `1.25c`, whatever the gravity. Loose
    /// parts then lie in a shell round the rest and not far away from it, where they would leave a mesh
    /// with most of its points in empty space.
    pub(crate) fn new(params: &Params, total_mass: f32) -> Self {
        let push = params.repulsion * total_mass.max(1.0);
        let contain_from = CONTAINMENT_START * push.sqrt();
        Self {
            strength: params.gravity,
            strong: params.strong_gravity,
            contain_from,
            contain_strength: push
                / (CONTAINMENT_END * (CONTAINMENT_END - 1.0) * contain_from * contain_from),
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

    /// Radius from which on the containment acts, and its strength per unit of length.
    pub(crate) fn containment(&self) -> (f32, f32) {
        (self.contain_from, self.contain_strength)
    }

    /// Radius that nothing driven by repulsion alone gets beyond.
    pub(crate) fn outermost(&self) -> f32 {
        CONTAINMENT_END * self.contain_from
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
