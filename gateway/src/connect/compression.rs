//! Compression of messages, both ways: gzip, and nothing that grows without a bound.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderName};
use tonic::Status;
use weft_kit::Problem;

use crate::words;

/// Smaller messages hardly shrink, and cost the same.
const WORTH_IT: usize = 1024;

/// How a message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// By the name of an HTTP content coding.
    ///
    /// # Errors
    /// UNIMPLEMENTED, which names those that there are.
    pub(super) fn by_name(name: &str) -> Result<Self, Status> {
        match name.trim() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            other => Err(Problem::unimplemented(
                "COMPRESSION_UNKNOWN",
                format!("there is no compression {other:?}: there are gzip and identity"),
            )
            .into()),
        }
    }

    /// What the header `name` says; identity where there is none.
    ///
    /// # Errors
    /// As [`Self::by_name`].
    pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Self, Status> {
        headers.get(name).map_or(Ok(Self::Identity), |value| Self::by_name(value.to_str().unwrap_or("?")))
    }

    /// What an answer may be compressed with: as the header `name` accepts, or as the request was
    /// (`sent`) where it does not say.
    pub(super) fn accepted(headers: &HeaderMap, name: &HeaderName, sent: Self) -> Self {
        if !headers.contains_key(name) {
            return sent;
        }
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let mut codings = values.flat_map(|value| value.split(',')).map(str::trim);
        let is_gzip = |coding: &str| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = parameters.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        };
        if codings.any(is_gzip) { Self::Gzip } else { Self::Identity }
    }

    /// The message as it was before it was compressed. Nothing is nothing, compressed or not.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED for more than `limit` bytes, INVALID_ARGUMENT for what is no gzip.
    pub(super) fn decompress(self, message: Bytes, limit: usize) -> Result<Bytes, Status> {
        if self == Self::Identity || message.is_empty() {
            return Ok(message);
        }
        let mut plain = Vec::new();
        let mut reader = GzDecoder::new(message.as_ref()).take(limit as u64 + 1);
        reader
            .read_to_end(&mut plain)
            .map_err(|_| words::malformed("the compressed message cannot be read"))?;
        if plain.len() > limit { Err(words::too_large(limit)) } else { Ok(plain.into()) }
    }

    /// The message compressed, where that is accepted and worth it.
    pub(super) fn compress(self, message: &[u8]) -> Option<Bytes> {
        if self == Self::Identity || message.len() < WORTH_IT {
            return None;
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 2), Compression::fast());
        encoder.write_all(message).ok()?;
        encoder.finish().ok().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT_ENCODING};

    use super::*;

    #[test]
    fn answers_are_compressed_for_those_who_accept_it() {
        for (accept, sent, expected) in [
            (None, Encoding::Gzip, Encoding::Gzip),
            (None, Encoding::Identity, Encoding::Identity),
            (Some("gzip, br"), Encoding::Identity, Encoding::Gzip),
            (Some("br, GZIP;q=0.5"), Encoding::Identity, Encoding::Gzip),
            (Some("br"), Encoding::Gzip, Encoding::Identity),
            (Some("gzip;q=0"), Encoding::Gzip, Encoding::Identity),
            (Some(""), Encoding::Gzip, Encoding::Identity),
        ] {
            let headers = accept.map(|accept| (ACCEPT_ENCODING, HeaderValue::from_static(accept)));
            let headers = headers.into_iter().collect();
            assert_eq!(Encoding::accepted(&headers, &ACCEPT_ENCODING, sent), expected, "{accept:?}");
        }
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let message = vec![b'x'; 5_000];
        let compressed = Encoding::Gzip.compress(&message).expect("it is large");
        assert!(compressed.len() < 100);
        assert_eq!(Encoding::Gzip.decompress(compressed.clone(), 5_000).expect("it fits"), message);
        let status = Encoding::Gzip.decompress(compressed, 4_999).expect_err("it does not fit");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(Encoding::Gzip.compress(b"small"), None);
        assert_eq!(Encoding::Identity.compress(&message), None);
        assert_eq!(Encoding::Gzip.decompress(Bytes::new(), 0).expect("nothing"), Bytes::new());
        assert!(Encoding::Gzip.decompress(Bytes::from_static(b"no"), 10).is_err());
        assert_eq!(Encoding::by_name("br").expect_err("no brotli").code(), tonic::Code::Unimplemented);
    }
}
