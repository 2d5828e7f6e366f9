//! Expressions in settings: what can be said of a value before it is known.
//!
//! An **expression** is of the Common Expression Language (CEL), compiled when it is written and bounded before it is
//! run. A **template** is a JSON value with expressions in its texts: `"order ${event.body.id}"`.
//!
//! Neither knows what its variables are: whoever compiles one says what it can name ([`Expression::compile`]), and
//! whoever evaluates it has the values ([`Variables`]).

mod expression;
mod template;

pub use expression::{Expression, Variables, kind_of};
pub use template::{Part, Template};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A stable word: `EXPRESSION_FAILED` or `EXPRESSION_TOO_COSTLY`.
    pub reason: &'static str,
    /// The expression, and what is wrong with it.
    pub message: String,
}

impl Failure {
    fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}
