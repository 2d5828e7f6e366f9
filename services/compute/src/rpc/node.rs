//! Which node a client means, and where it wants it.

use weft_kernels::{Point, WORLD_LIMIT};
use weft_proto::weft::compute::v1::{NodePlacement, node_placement::Node};

use crate::{Error, session::Session};

/// The ordinal of the node that a placement names, and its position if one is given. Whether an
/// ordinal is in the graph is left to the simulation.
pub(super) fn placement(
    session: &Session,
    placement: &NodePlacement,
    field: &str,
) -> Result<(u32, Option<Point>), Error> {
    let ordinal = match &placement.node {
        Some(Node::Ordinal(ordinal)) => *ordinal,
        Some(Node::Key(key)) => session.ordinal(key).ok_or_else(|| unknown(field, key))?,
        None => return Err(Error::bad_field(format!("{field}.node"), "must be given")),
    };
    let position = placement.position.map(|point| [point.x, point.y, point.z]);
    // Written so that a coordinate that is not a number fails too.
    let inside = |position: &Point| position.iter().all(|value| value.abs() <= WORLD_LIMIT);
    if position.as_ref().is_some_and(|position| !inside(position)) {
        let problem = "must be finite and at most 10,000,000 from the centre on every axis";
        return Err(Error::bad_field(format!("{field}.position"), problem));
    }
    Ok((ordinal, position))
}

/// There is no such node.
pub(super) fn unknown(field: &str, node: &impl ToString) -> Error {
    Error::NodeNotFound { field: format!("{field}.node"), node: node.to_string() }
}
