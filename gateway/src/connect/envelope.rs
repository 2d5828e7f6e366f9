//! Envelopes: a byte of flags, four of length, and a message; one after another in a stream.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use tonic::{Status, body::Body};

use super::compression::Encoding;
use crate::words::{malformed, too_large};

const COMPRESSED: u8 = 1;
const END: u8 = 2;
const PREFIX: usize = 5;

/// Takes the messages out of a request's body. Holds no more than one message and what came with
/// its last bytes.
pub(super) struct Reader {
    body: Body,
    buffer: BytesMut,
    encoding: Encoding,
    limit: usize,
}

impl Reader {
    /// A reader of messages of at most `limit` bytes, also once decompressed.
    pub(super) fn new(body: Body, encoding: Encoding, limit: usize) -> Self {
        Self { body, buffer: BytesMut::new(), encoding, limit }
    }

    /// Most bytes of a message.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The next message; `None` when the client has said all.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for what is no envelope, RESOURCE_EXHAUSTED for one that is too large,
    /// ABORTED when the client is gone.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.put(data);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "a client's stream broke off");
                    return Err(Status::aborted("the client is gone"));
                }
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(malformed("the body ends inside of a message")),
            }
        }
    }

    /// The message at the beginning of the buffer, if it is whole.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(&[flags, a, b, c, d]) = self.buffer.first_chunk::<PREFIX>() else { return Ok(None) };
        let encoding = match (flags, self.encoding) {
            (0, _) => Encoding::Identity,
            (COMPRESSED, Encoding::Gzip) => Encoding::Gzip,
            (COMPRESSED, Encoding::Identity) => {
                return Err(malformed(
                    "a compressed message, but connect-content-encoding names no compression",
                ));
            }
            _ => return Err(malformed("the flags of a message are 0, or 1 if it is compressed")),
        };
        // Refused by its announcement: nobody keeps 4 GiB for a client.
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > self.limit {
            return Err(too_large(self.limit));
        }
        if self.buffer.len() < PREFIX + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        let message = self.buffer.split_to(length).freeze();
        encoding.decompress(message, self.limit).map(Some)
    }
}

/// A message in its envelope, compressed where that is accepted and worth it.
pub(super) fn message(message: &[u8], encoding: Encoding) -> Bytes {
    match encoding.compress(message) {
        Some(compressed) => seal(COMPRESSED, &compressed),
        None => seal(0, message),
    }
}

/// The last envelope of a stream; `json` tells how it ended.
pub(super) fn end(json: &[u8]) -> Bytes {
    seal(END, json)
}

fn seal(flags: u8, payload: &[u8]) -> Bytes {
    let mut sealed = BytesMut::with_capacity(PREFIX + payload.len());
    sealed.put_u8(flags);
    sealed.put_u32(payload.len() as u32);
    sealed.put_slice(payload);
    sealed.freeze()
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    fn reader(bytes: &[u8], pieces: usize, encoding: Encoding) -> Reader {
        let frames: Vec<Result<_, Status>> =
            bytes.chunks(pieces).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        Reader::new(Body::new(StreamBody::new(stream::iter(frames))), encoding, 2_000)
    }

    #[tokio::test]
    async fn messages_come_out_however_they_were_cut() {
        let large = vec![7; 1_500];
        let bytes =
            [message(b"one", Encoding::Gzip), message(b"", Encoding::Gzip), message(&large, Encoding::Gzip)]
                .concat();
        for pieces in 1..=bytes.len() {
            let mut reader = reader(&bytes, pieces, Encoding::Gzip);
            assert_eq!(reader.next().await.expect("good").expect("one"), "one");
            assert_eq!(reader.next().await.expect("good").expect("two"), "");
            assert_eq!(reader.next().await.expect("good").expect("three"), large);
            assert_eq!(reader.next().await.expect("good"), None);
        }
    }

    #[tokio::test]
    async fn what_is_no_envelope_is_refused() {
        let compressed = message(&[7; 1_500], Encoding::Gzip);
        let bomb = message(&[7; 2_001], Encoding::Gzip);
        for (bytes, encoding, expected) in [
            (&b"\0\0\0\0\x05half"[..], Encoding::Identity, "the body ends inside of a message"),
            (b"\0\0", Encoding::Identity, "the body ends inside of a message"),
            (b"\x02\0\0\0\0", Encoding::Identity, "the flags of a message are 0, or 1 if it is compressed"),
            (b"\x80\0\0\0\0", Encoding::Gzip, "the flags of a message are 0, or 1 if it is compressed"),
            (b"\0\xff\xff\xff\xff", Encoding::Identity, "a message has at most 2000 bytes"),
            (b"\x01\0\0\0\x02no", Encoding::Gzip, "the compressed message cannot be read"),
            (
                &compressed,
                Encoding::Identity,
                "a compressed message, but connect-content-encoding names no compression",
            ),
            (&bomb, Encoding::Gzip, "a message has at most 2000 bytes"),
        ] {
            let status = reader(bytes, 7, encoding).next().await.expect_err(expected);
            assert_eq!(status.message(), expected);
        }
    }
}
