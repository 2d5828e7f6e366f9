//! Keeping a request, so that it can be sent again.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use tonic::{Status, body::Body};

/// A request larger than this is sent once: keeping it for a repeat costs more than it is worth.
const LARGEST: usize = 1024 * 1024;

/// The body of a request that has one message.
pub(super) enum Kept {
    /// All of it; it can be sent as often as need be.
    Whole(Bytes),
    /// It is too large to be kept, so it can be sent once.
    TooLarge(Body),
}

impl Kept {
    /// Reads a request's body, and keeps it if it is small enough.
    ///
    /// # Errors
    /// What the client's side of the call says.
    pub(super) async fn read(mut body: Body) -> Result<Self, Status> {
        // Nearly always it comes in one piece, which need not be copied.
        let (mut first, mut kept) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            // gRPC has no trailers of requests.
            let Ok(data) = frame?.into_data() else { continue };
            if first.is_empty() {
                first = data;
            } else {
                if kept.is_empty() {
                    kept.extend_from_slice(&first);
                }
                kept.extend_from_slice(&data);
            }
            if first.len().max(kept.len()) > LARGEST {
                let all = if kept.is_empty() { first } else { kept.freeze() };
                let all = stream::once(std::future::ready(Ok(Frame::data(all))));
                return Ok(Self::TooLarge(Body::new(StreamBody::new(all.chain(BodyStream::new(body))))));
            }
        }
        Ok(Self::Whole(if kept.is_empty() { first } else { kept.freeze() }))
    }
}

/// A body that is there already.
pub(super) fn whole(bytes: Bytes) -> Body {
    Body::new(Full::new(bytes).map_err(|never| match never {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn kept(pieces: Vec<Result<Bytes, Status>>) -> Result<Kept, Status> {
        let frames = stream::iter(pieces).map(|piece| piece.map(Frame::data));
        Kept::read(Body::new(StreamBody::new(frames))).await
    }

    #[tokio::test]
    async fn what_is_small_is_kept_and_what_is_large_passes_whole() {
        let Ok(Kept::Whole(small)) = kept(vec![Ok("ab".into()), Ok("c".into())]).await else {
            panic!("three bytes can be kept");
        };
        assert_eq!(small, "abc");
        let piece = Bytes::from(vec![7; LARGEST / 2 + 1]);
        let Ok(Kept::TooLarge(large)) = kept(vec![Ok(piece.clone()), Ok(piece.clone()), Ok(piece)]).await
        else {
            panic!("more than is kept");
        };
        let passed = large.collect().await.expect("it passes").to_bytes();
        assert_eq!(passed.len(), 3 * (LARGEST / 2 + 1));
        assert!(passed.iter().all(|byte| *byte == 7));
    }

    #[tokio::test]
    async fn a_request_that_breaks_off_is_no_request() {
        let broken = kept(vec![Ok("half".into()), Err(Status::aborted("gone"))]).await;
        assert_eq!(broken.err().map(|status| status.code()), Some(tonic::Code::Aborted));
    }
}
