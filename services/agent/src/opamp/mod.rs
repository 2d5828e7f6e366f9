//! OpAMP, the Open Agent Management Protocol: how collectors of OpenTelemetry, and others, belong to a fleet.
//!
//! `wire` is its messages and `frame` what they look like on a WebSocket; `report` is what a message changes of what is kept
//! of a collector, `effective` what it runs with; `talk` is what one conversation remembers, and `budget` how much may be said. `guest` lets collectors in, and `conversation` answers them.

pub(crate) mod budget;
pub(crate) mod conversation;
pub(crate) mod effective;
pub(crate) mod frame;
pub(crate) mod guest;
pub(crate) mod report;
pub(crate) mod talk;
pub(crate) mod wire;
