//! What can be decided without waiting for anybody: names, parameters, pins, the copy of a graph.

pub(crate) mod graph_copy;
pub(crate) mod name;
pub(crate) mod parameters;
pub(crate) mod pins;
pub(crate) mod saved;
