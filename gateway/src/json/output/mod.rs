//! Answers as JSON in one pass: from the bytes of a message to the text, without the message in between.
//!
//! A message of reflection costs an allocation for each field, and counts references that all cores share; an answer
//! of twenty fields took ten times as long through one. So the contracts are made into [`Shapes`] once, and
//! [`Writer`] walks over the bytes. It knows what well-behaved encoders send. Whatever is unusual (a field that comes
//! in two places, an `Any`, proto2) it leaves to reflection, and so there is one opinion of what canonical is.

mod shape;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use tonic::Status;

pub(crate) use self::shape::Shapes;
use self::writer::Writer;

/// A type of answers, and how it is written.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) descriptor: MessageDescriptor,
    shapes: Arc<Shapes>,
    index: usize,
}

impl Output {
    /// One of the types that `shapes` was made of; else it is written by reflection.
    pub(crate) fn new(descriptor: MessageDescriptor, shapes: &Arc<Shapes>) -> Self {
        let index = shapes.index(&descriptor);
        Self { descriptor, shapes: Arc::clone(shapes), index }
    }

    /// Canonical JSON of an encoded message, as [`super::encode`] has it.
    ///
    /// # Errors
    /// INTERNAL when the bytes are not such a message, or hold what has no JSON.
    pub(crate) fn encode(&self, message: Bytes) -> Result<Vec<u8>, Status> {
        Writer::write(&self.shapes, self.index, &message)
            .map_or_else(|_| super::encode(&self.descriptor, message), Ok)
    }
}
