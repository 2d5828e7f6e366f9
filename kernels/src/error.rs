//! What can be refused, and why.

/// Why an input was refused. Whatever is refused leaves the simulation as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter lies outside its documented range (or is not a number).
    #[error("parameter {field} is {value}, allowed is {min} to {max}")]
    Parameter {
        /// Name of the field of [`Params`](crate::Params).
        field: &'static str,
        /// What was given.
        value: f32,
        /// Smallest accepted value.
        min: f32,
        /// Largest accepted value.
        max: f32,
    },
    /// The node list is not strictly ascending.
    #[error("node ids must be strictly ascending, entry {index} is not above the one before it")]
    NodeOrder {
        /// Index of the first entry that breaks the order.
        index: usize,
    },
    /// An edge names a node that is not in the node list.
    #[error("edge {index} names node {id}, which is not in the graph")]
    UnknownEndpoint {
        /// Index of the edge in the list given.
        index: usize,
        /// The id that was not found.
        id: u32,
    },
    /// An edge weight is negative or not a number.
    #[error("edge {index} has weight {weight}, allowed is any finite number from 0")]
    Weight {
        /// Index of the edge in the list given.
        index: usize,
        /// What was given.
        weight: f32,
    },
    /// The node is not in the graph.
    #[error("node {id} is not in the graph")]
    UnknownNode {
        /// The id that was not found.
        id: u32,
    },
    /// A coordinate is not finite or lies outside ±[`WORLD_LIMIT`](crate::WORLD_LIMIT).
    #[error("the position given for node {id} is not finite or lies outside the world")]
    Position {
        /// The node whose position was given.
        id: u32,
    },
    /// A constraint asks what no layout can keep to.
    #[error("constraint {index} has a {field} that cannot be kept to")]
    Constraint {
        /// Index of the constraint in the list given.
        index: usize,
        /// Which part of it.
        field: &'static str,
    },
}
