//! What viewers and calls ask of a running layout.

use tokio::sync::oneshot;
use weft_kernels::Point;

/// Number of an attached stream; tells whose hand holds a node.
pub(crate) type Hand = u64;

/// Why a command was not obeyed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// There is no such node (any more).
    UnknownNode(u32),
    /// More pins than a layout may have.
    TooManyPins,
}

/// Number of pins afterwards.
pub(crate) type Answer = Result<usize, Refusal>;

/// Something to do between two steps.
#[derive(Debug)]
pub(crate) enum Command {
    /// Move on from where it has settled.
    Start,
    /// Heat up; or place all nodes anew that are not pinned.
    Reheat { reset: bool },
    /// Pin all of these nodes or none: at a place, or where they are.
    Pin { nodes: Vec<(u32, Option<Point>)>, answer: oneshot::Sender<Answer> },
    /// Let these pinned nodes go; all when absent.
    Unpin { nodes: Option<Vec<u32>>, answer: oneshot::Sender<Answer> },
    /// Hold a node: at a place, or where it is. A node that is gone is passed over.
    Drag { hand: Hand, node: u32, position: Option<Point> },
    /// Let a held node go.
    Release { hand: Hand, node: u32 },
    /// Let go of everything that this hand holds.
    Leave { hand: Hand },
}
