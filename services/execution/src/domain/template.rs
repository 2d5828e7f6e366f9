//! Settings with expressions in them.

pub(crate) use weft_expression::Template;
