//! HTTP as it is on the wire: requests of any shape, answers with trailers.

use bytes::{BufMut, Bytes};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tonic::body::Body;
use weft_kit::BoxError;

/// A client without opinions.
#[derive(Clone, Debug)]
pub struct Http {
    one: Client<HttpConnector, Body>,
    two: Client<HttpConnector, Body>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Trailers; empty if there were none.
    pub trailers: HeaderMap,
}

impl Http {
    /// With connections of its own.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        // Or every call would wait 40 ms for an acknowledgement of its headers.
        connector.set_nodelay(true);
        let one = Client::builder(TokioExecutor::new()).build(connector.clone());
        let two = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
        Self { one, two }
    }

    /// Over HTTP/1.1.
    pub async fn http1(&self, request: Request<Body>) -> Answer {
        self.try_http1(request).await.expect("the server answers")
    }

    /// Over HTTP/1.1, where no answer may come.
    ///
    /// # Errors
    /// What the connection ended with, before the answer was whole.
    pub async fn try_http1(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        Answer::read(self.one.request(request).await?.map(Body::new)).await
    }

    /// Over HTTP/2.
    pub async fn http2(&self, request: Request<Body>) -> Answer {
        self.try_http2(request).await.expect("the server answers")
    }

    /// Over HTTP/2, where no answer may come.
    ///
    /// # Errors
    /// What the connection ended with, before the answer was whole.
    pub async fn try_http2(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        Answer::read(self.two.request(request).await?.map(Body::new)).await
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    async fn read(response: http::Response<Body>) -> Result<Self, BoxError> {
        let (parts, body) = response.into_parts();
        let whole = body.collect().await?;
        let trailers = whole.trailers().cloned().unwrap_or_default();
        Ok(Self { status: parts.status.as_u16(), headers: parts.headers, body: whole.to_bytes(), trailers })
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("it is text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an answer that must be a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

/// A message as gRPC frames it; `flag` 1 says that it is compressed.
pub fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 5);
    bytes.put_u8(flag);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(message);
    bytes
}

/// Bytes compressed as strongly as gzip can.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).expect("a vector grows");
    encoder.finish().expect("a vector grows")
}
