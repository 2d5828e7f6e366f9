//! What is decided without a clock, a disk or a wire: who sent a request, when a schedule ticks, what a run is given.

pub(crate) mod again;
pub(crate) mod alert;
pub(crate) mod change;
pub(crate) mod content;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod found;
pub(crate) mod kept;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod place;
pub(crate) mod rate;
pub(crate) mod sample;
pub(crate) mod schedule;
pub(crate) mod trial;
pub(crate) mod trigger;
pub(crate) mod webhook;
pub(crate) mod zone;
