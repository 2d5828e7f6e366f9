//! Pure decisions: no async, no I/O.

pub(crate) mod learned;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod span;
pub(crate) mod table;
pub(crate) mod time;
