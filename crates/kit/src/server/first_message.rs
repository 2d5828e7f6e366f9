//! Looking at the first message of a call without taking it from the handler.

use std::{
    collections::VecDeque,
    io::Read,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use flate2::read::GzDecoder;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tonic::{Status, body::Body};

use super::malformed::malformed;
use crate::Problem;

/// A gRPC message is preceded by a flag (compressed or not) and its length.
const PREFIX: usize = 5;

/// The first message of `body` (decompressed if messages are gzip), and the body as it was. `None` if it
/// ends before.
///
/// # Errors
/// RESOURCE_EXHAUSTED for a message over `limit` bytes, also once decompressed; INVALID_ARGUMENT for one
/// that cannot be read; what the body itself fails with.
pub(crate) async fn first_message(
    mut body: Body,
    limit: usize,
    gzip: bool,
) -> Result<(Option<Bytes>, Body), Status> {
    let mut front = Front::default();
    let mut have = 0;
    let message = loop {
        if have >= PREFIX {
            let start = front.joined(PREFIX);
            let compressed = match (start[0], gzip) {
                (0, _) => false,
                (1, true) => true,
                (1, false) => {
                    return Err(malformed("a compressed message, but grpc-encoding names no compression"));
                }
                _ => return Err(malformed("a message begins with 0, or with 1 if it is compressed")),
            };
            let length = u32::from_be_bytes([start[1], start[2], start[3], start[4]]) as usize;
            if length > limit {
                return Err(too_large(limit));
            }
            if have >= PREFIX + length {
                let message = front.joined(PREFIX + length).slice(PREFIX..PREFIX + length);
                break Some(if compressed { gunzip(&message, limit)? } else { message });
            }
        }
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    have += data.remaining();
                    front.push(data);
                }
                // Trailers of a request: nobody sends them, and nobody misses them.
                Err(_) => break None,
            },
            Some(Err(status)) => return Err(status),
            None => break None,
        }
    };
    Ok((message, Body::new(Replayed { front, rest: body })))
}

/// The pieces that were read. Nearly always it is one.
#[derive(Default)]
struct Front {
    first: Bytes,
    others: VecDeque<Bytes>,
}

impl Front {
    fn push(&mut self, piece: Bytes) {
        // An empty piece says nothing, and an empty first one says that there are no more.
        match (piece.is_empty(), self.first.is_empty()) {
            (true, _) => {}
            (false, true) => self.first = piece,
            (false, false) => self.others.push_back(piece),
        }
    }

    /// Makes the first piece at least `length` bytes long, if there are so many, and returns it.
    fn joined(&mut self, length: usize) -> Bytes {
        if self.first.len() < length && !self.others.is_empty() {
            let mut whole = BytesMut::from(self.first.as_ref());
            for piece in self.others.drain(..) {
                whole.extend_from_slice(&piece);
            }
            self.first = whole.freeze();
        }
        self.first.clone()
    }

    fn pop(&mut self) -> Option<Bytes> {
        let next = self.others.pop_front().unwrap_or_default();
        let first = std::mem::replace(&mut self.first, next);
        (!first.is_empty()).then_some(first)
    }

    fn len(&self) -> usize {
        self.first.len() + self.others.iter().map(Bytes::len).sum::<usize>()
    }
}

fn gunzip(compressed: &Bytes, limit: usize) -> Result<Bytes, Status> {
    let mut message = Vec::new();
    let mut reader = GzDecoder::new(compressed.as_ref()).take(limit as u64 + 1);
    reader.read_to_end(&mut message).map_err(|_| malformed("the compressed message cannot be read"))?;
    if message.len() > limit { Err(too_large(limit)) } else { Ok(message.into()) }
}

fn too_large(limit: usize) -> Status {
    Problem::resource_exhausted("MESSAGE_TOO_LARGE", format!("a message may have at most {limit} bytes"))
        .with("limit_bytes", limit)
        .into()
}

/// A body whose beginning was already read.
struct Replayed {
    front: Front,
    rest: Body,
}

impl HttpBody for Replayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.front.pop() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Pin::new(&mut self.rest).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.front.len() == 0 && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.rest.size_hint();
        let front = self.front.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + front);
        }
        hint.set_lower(hint.lower() + front);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http_body_util::StreamBody;

    use super::*;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![flag];
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message);
        bytes
    }

    fn in_pieces(bytes: &[u8], size: usize) -> Body {
        let frames: Vec<Result<_, Status>> =
            bytes.chunks(size).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Body::new(StreamBody::new(futures::stream::iter(frames)))
    }

    #[tokio::test]
    async fn shows_the_message_and_gives_all_of_it_back() {
        let mut bytes = framed(0, b"the first");
        bytes.extend(framed(0, b"the second"));
        for size in 1..=bytes.len() {
            let (message, body) =
                first_message(in_pieces(&bytes, size), 100, false).await.expect("well formed");
            assert_eq!(message.expect("there is one"), "the first");
            assert_eq!(body.collect().await.expect("no error").to_bytes(), bytes, "in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn empty_pieces_lose_nothing() {
        let frames = [&b""[..], b"\0\0", b"", b"\0\0\x02", b"", b"", b"ab\0\0", b"", b"\0\0\x01c", b""];
        let whole = frames.concat();
        let frames = frames.map(|piece| Ok::<_, Status>(Frame::data(Bytes::from_static(piece))));
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let (message, body) = first_message(body, 100, false).await.expect("well formed");
        assert_eq!(message.expect("there is one"), "ab");
        assert_eq!(body.collect().await.expect("no error").to_bytes(), whole);
    }

    #[tokio::test]
    async fn nothing_or_half_a_message_is_none() {
        for bytes in [&b""[..], b"\0\0", &framed(0, b"cut")[..7]] {
            let (message, _) = first_message(in_pieces(bytes, 3), 100, false).await.expect("no error");
            assert!(message.is_none());
        }
    }

    #[tokio::test]
    async fn too_large_is_refused_before_it_is_read() {
        let status =
            first_message(in_pieces(&[0, 0xff, 0xff, 0xff, 0xff], 5), 100, false).await.expect_err("4 GiB");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn a_gzip_bomb_is_refused() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 10_000_000]).expect("to memory");
        let bomb = framed(1, &encoder.finish().expect("to memory"));
        let status = first_message(in_pieces(&bomb, 4096), 100_000, true).await.expect_err("10 MB");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    }
}
