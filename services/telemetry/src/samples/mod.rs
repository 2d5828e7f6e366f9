//! Where samples are: the newest in memory and in the log, the others in segments.

mod apply;
mod choose;
pub(crate) mod directory;
pub(crate) mod incoming;
mod load;
mod log;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod projects;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod retention;
pub(crate) mod seal;
pub(crate) mod segment;
mod thin;
pub(crate) mod writer;
