//! Decisions without a database or a network.

pub(crate) mod challenge;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod proof;
pub(crate) mod record;
