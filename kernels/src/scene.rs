//! What a tick is given, on whichever device it runs.

use crate::adjacency::Adjacency;
use crate::{Dim, Params};

/// What has happened to a layout between two ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// Nothing that a node would notice.
    #[default]
    Nothing,
    /// Nodes were moved, fixed, let go or warmed.
    Nodes,
    /// Nodes or edges came or went.
    Graph,
}

/// What a tick reads and does not change.
pub(crate) struct Scene<'a> {
    pub(crate) dim: Dim,
    pub(crate) seed: u64,
    pub(crate) params: &'a Params,
    pub(crate) ids: &'a [u32],
    pub(crate) adjacency: &'a Adjacency,
    pub(crate) masses: &'a [f32],
    pub(crate) total_mass: f32,
    /// Mean of the masses.
    pub(crate) mean_mass: f32,
    pub(crate) fixed: &'a [bool],
    pub(crate) heat: f32,
    pub(crate) warmth: &'a [f32],
    /// Whether any node has heat of its own.
    pub(crate) warm: bool,
    /// Whether neighbours gather in place of the model's forces.
    pub(crate) refining: bool,
    /// What has happened since the last tick.
    pub(crate) change: Change,
}
