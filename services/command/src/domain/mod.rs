//! Pure decisions: no clock, no store, no streams.

pub(crate) mod approval;
pub(crate) mod built_in;
pub(crate) mod list;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod payload;
pub(crate) mod schema;
pub(crate) mod terms;
