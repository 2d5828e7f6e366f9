//! Which elements does a filter match? The filter language of AIP-160, for whatever is listed.
//!
//! ```text
//! type = "package" AND properties.section = "libs" AND degree > 10
//! labels:"core" OR NOT key = "lib*"
//! ```
//!
//! - As in AIP-160, `OR` binds tighter than `AND`, and a space between two terms means `AND`.
//! - `=` and `!=` compare whole values; in a text on the right `*` stands for anything, `\*` for a
//!   star. `<`, `<=`, `>`, `>=` compare numbers, times, and texts by their bytes.
//! - `:` asks whether a list has an element, an object has a property (`properties:section`,
//!   `properties.section:*`), a text has a part (letter case does not count).
//! - A word alone is looked for in the element's names.
//! - A property that is not there, or is of another kind, does not match, not even `!=`: write
//!   `NOT properties.a = 1` for "is anything but 1, or not there".
//!
//! [`Filter::parse`] checks names, operators and kinds against the fields of the record, and bounds
//! the depth; what it accepts can be evaluated without an error.

mod check;
mod eval;
mod lexer;
mod parser;

pub use check::{Filter, Kind, Schema};
pub use eval::{Found, Record, wildcard};

/// A filter that cannot be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("at character {position}: {reason}")]
pub struct FilterError {
    /// Where, in characters from 1.
    pub position: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}
