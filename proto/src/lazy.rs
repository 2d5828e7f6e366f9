//! Messages in messages that stay encoded until somebody reads them.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

use prost::bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType},
};

use crate::{Validate, Violations};

/// The value of a field that its contract calls `[lazy = true]`.
///
/// A service that keeps such a message as it was encoded answers with what it keeps: the bytes go out as they are, and
/// are decoded only where somebody reads the message, once. What comes from a client is decoded as it arrives, so that
/// bytes that are no message are refused there, as for any other field.
///
/// Reads and writes as the message does: it derefs to it.
#[derive(Clone)]
pub struct Lazy<M>(State<M>);

#[derive(Clone)]
enum State<M> {
    Encoded { bytes: Bytes, message: OnceLock<M> },
    Decoded(M),
}

impl<M: Message + Default> Lazy<M> {
    /// A message that was encoded before, for example by the store that it comes from. Bytes that are no message read as
    /// the empty one.
    pub fn from_encoded(bytes: Bytes) -> Self {
        Self(State::Encoded { bytes, message: OnceLock::new() })
    }

    /// The message itself.
    pub fn into_inner(self) -> M {
        match self.0 {
            State::Encoded { bytes, message } => {
                message.into_inner().unwrap_or_else(|| M::decode(bytes).unwrap_or_default())
            }
            State::Decoded(message) => message,
        }
    }
}

impl<M: Message + Default> Deref for Lazy<M> {
    type Target = M;

    fn deref(&self) -> &M {
        match &self.0 {
            State::Encoded { bytes, message } => {
                message.get_or_init(|| M::decode(bytes.as_ref()).unwrap_or_default())
            }
            State::Decoded(message) => message,
        }
    }
}

impl<M: Message + Default> DerefMut for Lazy<M> {
    /// What is written is no longer what was encoded.
    fn deref_mut(&mut self) -> &mut M {
        if matches!(self.0, State::Encoded { .. }) {
            *self = Self::from(std::mem::take(self).into_inner());
        }
        match &mut self.0 {
            State::Decoded(message) => message,
            State::Encoded { .. } => unreachable!("it was decoded above"),
        }
    }
}

impl<M> From<M> for Lazy<M> {
    fn from(message: M) -> Self {
        Self(State::Decoded(message))
    }
}

impl<M: Default> Default for Lazy<M> {
    fn default() -> Self {
        Self(State::Decoded(M::default()))
    }
}

impl<M: Message + Default + PartialEq> PartialEq for Lazy<M> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<M: Message + Default + fmt::Debug> fmt::Debug for Lazy<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl<M: Message + Default + fmt::Debug> Message for Lazy<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        match &self.0 {
            State::Encoded { bytes, .. } => buffer.put_slice(bytes),
            State::Decoded(message) => message.encode_raw(buffer),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        (**self).merge_field(tag, wire_type, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        match &self.0 {
            State::Encoded { bytes, .. } => bytes.len(),
            State::Decoded(message) => message.encoded_len(),
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<M: Message + Default + Validate> Validate for Lazy<M> {
    fn check(&self, violations: &mut Violations) {
        (**self).check(violations);
    }
}

#[cfg(test)]
mod tests {
    use prost_types::{Struct, Value, value::Kind};

    use super::*;

    fn object(text: &str) -> Struct {
        let value = Value { kind: Some(Kind::StringValue(text.to_owned())) };
        Struct { fields: [("name".to_owned(), value)].into() }
    }

    #[test]
    fn what_was_encoded_goes_out_as_it_is() {
        let mut bytes = object("libs").encode_to_vec();
        // A field that this build does not know: an encoder that had read the message would have dropped it.
        bytes.extend_from_slice(&[0x78, 0x01]);
        let kept = Lazy::<Struct>::from_encoded(bytes.clone().into());
        assert_eq!(kept.encoded_len(), bytes.len());
        assert_eq!(kept.encode_to_vec(), bytes);
        assert_eq!(*kept, object("libs"), "and is read when somebody asks");
        assert_eq!(kept.encode_to_vec(), bytes, "reading does not change it");
    }

    #[test]
    fn what_is_written_is_what_goes_out() {
        let mut kept = Lazy::<Struct>::from_encoded(object("libs").encode_to_vec().into());
        *kept = object("admin");
        assert_eq!(kept.encode_to_vec(), object("admin").encode_to_vec());
        assert_eq!(kept, Lazy::from(object("admin")));
        assert_eq!(kept.into_inner(), object("admin"));
    }

    #[test]
    fn what_arrives_is_decoded_or_refused() {
        let bytes = object("libs").encode_to_vec();
        assert_eq!(Lazy::<Struct>::decode(bytes.as_slice()).expect("a message"), Lazy::from(object("libs")));
        assert!(Lazy::<Struct>::decode(&bytes[..bytes.len() - 1]).is_err());
        let damaged = Lazy::<Struct>::from_encoded(bytes[..bytes.len() - 1].to_vec().into());
        assert_eq!(*damaged, Struct::default());
    }
}
