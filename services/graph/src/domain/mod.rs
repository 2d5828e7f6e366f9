//! What graphs are and how they answer: pure logic, without clock, network or disk.

pub mod change;
pub mod filter;
pub mod limits;
pub mod memory;
pub mod properties;
pub mod query;
pub mod search;

pub(crate) use weft_kit::{cursor as page, order};
