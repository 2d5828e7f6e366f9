//! Nodes as points, for what looks at where they are rather than at their edges.

use super::{AnalysisError, check};

/// A place; what has two dimensions has 0 in the third.
pub type Place = [f64; 3];

/// Farthest from the centre on any axis: the squares of distances stay exact enough and finite.
const FARTHEST: f64 = 1e100;

/// Refuses what is not finite.
pub(super) fn check_places(places: &[Place]) -> Result<(), AnalysisError> {
    places.iter().flatten().try_for_each(|coordinate| check("coordinate", *coordinate, -FARTHEST, FARTHEST))
}

/// The square of a distance.
pub(super) fn squared(a: &Place, b: &Place) -> f64 {
    let along = |axis: usize| (a[axis] - b[axis]) * (a[axis] - b[axis]);
    along(0) + along(1) + along(2)
}
