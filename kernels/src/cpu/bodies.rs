//! What both methods of the push are given.

use crate::{Bounds, Dim, Point};

/// What pushes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bodies<'a> {
    pub(super) dim: Dim,
    pub(super) bounds: Bounds,
    pub(super) positions: &'a [Point],
    pub(super) masses: &'a [f32],
}
