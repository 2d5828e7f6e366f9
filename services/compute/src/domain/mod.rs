//! What can be decided without waiting for anybody: names, parameters, pins, constraints, the copy of a
//! graph.

pub(crate) mod constraints;
pub(crate) mod graph_copy;
pub(crate) mod members;
pub(crate) mod name;
pub(crate) mod parameters;
pub(crate) mod pins;
pub(crate) mod processor;
pub(crate) mod saved;
