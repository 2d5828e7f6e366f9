//! Secrets of workflows: put into a request when it is sent, and taken out of what comes of it.

mod host;
mod mask;
mod reveal;

pub(crate) use mask::Mask;
pub(crate) use reveal::{Revealed, Secrets};
