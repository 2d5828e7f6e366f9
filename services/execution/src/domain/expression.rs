//! What the expressions of a step can name.

pub(crate) use weft_expression::{Expression, Variables, kind_of};

/// What an expression can name.
pub(crate) const VARIABLES: &[&str] = &["input", "run", "steps", "item", "index"];
