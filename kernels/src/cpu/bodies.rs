//! What both methods of the push are given.

use crate::{Bounds, Dim, Point};

/// What pushes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bodies<'a> {
    pub(crate) dim: Dim,
    pub(crate) bounds: Bounds,
    pub(crate) positions: &'a [Point],
    pub(crate) masses: &'a [f32],
}

/// How far bodies have moved from one sum of the push to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drift {
    /// Mean distance.
    pub(super) mean: f32,
    /// Longest distance.
    pub(super) longest: f32,
    /// The largest product of a mass and its distance.
    pub(super) moment: f32,
    /// Sum of the masses.
    pub(super) mass: f32,
}
