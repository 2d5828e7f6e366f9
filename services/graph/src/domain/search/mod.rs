//! Which nodes match some words, and how well? An inverted index in memory, made when it is first
//! asked for and kept up with every change.

mod index;
mod rank;
mod snippet;

pub use index::{Document, SearchIndex};
pub use rank::{Hit, search};
pub use snippet::snippet;
