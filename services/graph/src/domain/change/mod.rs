//! How does a request become a revision? Planned against the memory, without touching it.
//!
//! [`plan`] takes what a client asked for and gives what the journal will say: every element whole,
//! with its ordinal and its revision, in the order of the request. Nothing is written before the
//! whole batch is known to be good. [`batch_parts`] encodes that for the journal, and
//! [`Memory::apply`](super::memory::Memory::apply) brings it into memory, on this process and on
//! every other one that reads the journal.

mod batch;
mod draft;
mod error;
mod import;
mod mask;
mod plan;
mod text;

pub use batch::{BatchHeader, PART_BYTES, batch_parts};
pub use error::{Fault, PlanError};
pub use import::{Import, Scope, plan_import};
pub use plan::{Counts, Plan, PlanOptions, plan};
