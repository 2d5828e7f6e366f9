//! A call of the gateway's own: messages stay bytes, whatever their type.

mod unary;

use std::{future::Future, pin::pin, time::Duration};

use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, stream};
use http::Extensions;
use tokio::time::{Instant, timeout_at};
use tonic::{
    CancellationHandle, Code, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};

use crate::{catalog::Entry, words};

pub(crate) use self::unary::{PREFIX, Whole, ended, unary};

/// What a call carries besides its messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) metadata: MetadataMap,
    /// Of the HTTP request: the layers below find the peer's address there.
    pub(crate) extensions: Extensions,
    pub(crate) timeout: Option<Duration>,
}

/// The beginning of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) metadata: MetadataMap,
    pub(crate) messages: Messages,
}

/// The messages of an answer, within the deadline of their call.
#[derive(Debug)]
pub(crate) struct Messages {
    stream: Streaming<Bytes>,
    deadline: Option<Instant>,
    limit: usize,
    _cancel: Cancel,
}

/// Resets the request when the call is given up. Its messages alone could not tell the service
/// whether the client has said all or is gone, and half an upload must not look like a whole one.
#[derive(Debug)]
struct Cancel(Option<CancellationHandle>);

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.cancel();
        }
    }
}

impl Messages {
    /// The next message; `None` after the last one of a call that succeeded. May be given up and
    /// called again without losing a message.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        within(self.deadline, self.stream.message()).await.map_err(|status| in_our_words(status, self.limit))
    }

    /// The metadata that came with the status, once there are no more messages.
    pub(crate) async fn trailers(&mut self) -> MetadataMap {
        self.stream.trailers().await.ok().flatten().unwrap_or_default()
    }
}

/// Calls a method of any kind. `messages` end when the client has said all; where it is gone
/// they must not end, but wait for ever: then giving up the call resets it.
///
/// # Errors
/// The status with which the service, or the way to it, refused.
pub(crate) async fn call(
    entry: &Entry,
    head: Head,
    messages: impl Stream<Item = Bytes> + Send + 'static,
    max_message_bytes: usize,
) -> Result<Answer, Status> {
    // A service that answers at once would be faster than a time that is over already.
    if head.timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(words::time_is_over());
    }
    let deadline = head.timeout.map(|timeout| Instant::now() + timeout);
    let mut request = tonic::Request::from_parts(head.metadata, head.extensions, messages);
    if let Some(timeout) = head.timeout {
        request.set_timeout(timeout);
    }
    let cancel = Cancel(entry.client_streaming.then(|| request.cancellation_handle()));
    let mut client = Grpc::new(entry.caller.clone())
        .max_decoding_message_size(max_message_bytes)
        .max_encoding_message_size(usize::MAX);
    let answered = async {
        client.ready().await.map_err(Status::from_error)?;
        client.streaming(request, entry.path.clone(), RawCodec).await
    };
    let (metadata, stream, _) = within(deadline, answered).await?.into_parts();
    Ok(Answer {
        metadata,
        messages: Messages { stream, deadline, limit: max_message_bytes, _cancel: cancel },
    })
}

/// The messages of a call that takes one.
///
/// # Errors
/// RESOURCE_EXHAUSTED for a message of more than `limit` bytes.
pub(crate) fn one(message: Bytes, limit: usize) -> Result<impl Stream<Item = Bytes> + Send, Status> {
    Ok(stream::iter([fitting(message, limit)?]))
}

/// The message, if it has at most `limit` bytes.
///
/// # Errors
/// RESOURCE_EXHAUSTED for more.
pub(crate) fn fitting(message: Bytes, limit: usize) -> Result<Bytes, Status> {
    if message.len() > limit { Err(words::too_large(limit)) } else { Ok(message) }
}

/// The library says on its own that an answer is too large; a service's status has details.
fn in_our_words(status: Status, limit: usize) -> Status {
    let is_too_large = status.code() == Code::OutOfRange
        && status.details().is_empty()
        && status.message().starts_with("Error, decoded message length too large");
    if is_too_large { words::too_large(limit) } else { status }
}

/// What comes of the work, if that is before the deadline.
///
/// # Errors
/// Those of the work, and DEADLINE_EXCEEDED.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    // In its place once: a timeout around it would be a second one.
    let work = pin!(work);
    let Some(deadline) = deadline else { return work.await };
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(words::time_is_over()))
}

/// Messages pass as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
