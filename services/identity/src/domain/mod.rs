//! Decisions without a database or a network.

pub(crate) mod grants;
pub(crate) mod name;
pub(crate) mod secret;
