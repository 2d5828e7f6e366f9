//! What graphs are and how they answer: pure logic, without clock, network or disk.

pub mod change;
pub mod filter;
pub mod limits;
pub mod memory;
pub mod order;
pub mod page;
pub mod properties;
pub mod query;
pub mod search;
