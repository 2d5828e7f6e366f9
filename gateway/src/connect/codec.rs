//! How a message is written: as protobuf or as JSON.

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use tonic::Status;

use crate::json;

/// A codec of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Encoded messages, which pass as they are.
    Proto,
    /// Canonical proto3 JSON.
    Json,
}

impl Codec {
    /// By its name in the query of a GET.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name {
            "proto" => Some(Self::Proto),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The content type of one message.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Proto => "application/proto",
            Self::Json => "application/json",
        }
    }

    /// The content type of a stream of messages.
    pub(super) fn stream_type(self) -> &'static str {
        match self {
            Self::Proto => "application/connect+proto",
            Self::Json => "application/connect+json",
        }
    }

    /// The encoded message of what a client sent.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the field, for JSON; encoded messages are the service's to check.
    pub(super) fn read(
        self,
        descriptor: &MessageDescriptor,
        message: Bytes,
        max_depth: usize,
    ) -> Result<Bytes, Status> {
        match self {
            Self::Proto => Ok(message),
            Self::Json => json::decode(descriptor, &message, max_depth, None)?.into_bytes(),
        }
    }

    /// What a client gets for an encoded message.
    ///
    /// # Errors
    /// INTERNAL when the service's answer has no JSON.
    pub(super) fn write(self, output: &json::Output, message: Bytes) -> Result<Bytes, Status> {
        match self {
            Self::Proto => Ok(message),
            Self::Json => output.encode(message).map(Bytes::from),
        }
    }
}
