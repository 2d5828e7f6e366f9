//! How messages are written to and read from streams of gRPC.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Status,
    codec::{self, BufferSettings, EncodeBuf},
};
use tonic_prost::ProstDecoder;

/// Room that a call has for its messages from the beginning, in bytes; what is larger asks for more. Most messages are
/// smaller, and pieces of up to 1 KiB are what allocators keep at hand: tonic's 8 KiB, twice a call, are not.
const ROOM: usize = 1024;
/// From so many bytes on messages of a stream are given to the connection: tonic's own choice.
const GIVEN_AT: usize = 32 * 1024;

/// Encodes messages of type `T` and decodes those of type `U`, for generated clients and servers.
#[derive(Clone, Copy, Debug)]
pub struct Codec<T, U>(PhantomData<fn(T) -> U>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> codec::Codec for Codec<T, U>
where
    T: Message + 'static,
    U: Message + Default + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Encoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Encoder<T> {
        Encoder(PhantomData)
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstDecoder::new(settings())
    }
}

/// Encodes messages in room that is as large as they are.
#[derive(Clone, Copy, Debug)]
pub struct Encoder<T>(PhantomData<fn(T)>);

impl<T: Message> codec::Encoder for Encoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        message.encode_raw(buffer);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        settings()
    }
}

fn settings() -> BufferSettings {
    BufferSettings::new(ROOM, GIVEN_AT)
}
