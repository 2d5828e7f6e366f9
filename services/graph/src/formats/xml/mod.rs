//! What GraphML and GEXF share: XML that comes in pieces, and typed attributes.

pub(super) mod attributes;
pub(super) mod escape;
mod parse;

pub(super) use parse::{Attributes, Handler, XmlParser};
