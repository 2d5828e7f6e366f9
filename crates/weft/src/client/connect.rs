//! Calling any method by its name with JSON: the Connect protocol, over the connection that is there.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame};
use prost_reflect::prost::Message;
use prost_types::Any;
use serde::Deserialize;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt;
use weft_proto::google::rpc;

use super::Connection;

/// In front of each message of a stream: flags, and the length in four bytes.
const PREFIX: usize = 5;
/// The flag of the last message of a stream: how it ended.
const END: u8 = 2;
/// Largest answer that is kept at once.
const LARGEST: usize = 64 << 20;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A method to call, and what goes with each call of it.
pub(crate) struct AnyMethod<'c> {
    pub(crate) connection: &'c Connection,
    /// `/package.Service/Method`
    pub(crate) path: String,
    /// Beside the credential.
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Option<Duration>,
}

/// Messages of a stream, as JSON.
pub(crate) struct Answers {
    body: Body,
    read: Vec<u8>,
}

impl AnyMethod<'_> {
    /// Whether either side of a call is a stream. Nothing is called: the mesh is asked with a content type
    /// that no method takes, and says which one this takes.
    ///
    /// # Errors
    /// There is no such method, or nobody answers.
    pub(crate) async fn is_stream(&self) -> Result<bool, Status> {
        let response = self.send("application/x-which", Body::empty()).await?;
        let accepts = response.headers().get("accept-post").and_then(|value| value.to_str().ok());
        match accepts {
            Some(accepts) if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Ok(accepts.contains("application/connect+json"))
            }
            _ => Err(Status::not_found(format!("there is no method {}", self.path))),
        }
    }

    /// Calls a method without streams.
    ///
    /// # Errors
    /// The status with which the call ended.
    pub(crate) async fn unary(&self, message: Bytes) -> Result<Bytes, Status> {
        let response = self.send("application/json", whole(message)).await?;
        let ok = response.status() == StatusCode::OK;
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(Status::from_error)?.to_bytes();
        if ok { Ok(body) } else { Err(refusal(&body)) }
    }

    /// Calls a method of any kind with streams; what it says is read from the answers.
    ///
    /// # Errors
    /// The status with which the call was refused.
    pub(crate) async fn stream(
        &self,
        messages: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Result<Answers, Status> {
        let frames = messages.map(|message| {
            let message = message.map_err(|error| Status::aborted(format!("{error:#}")))?;
            Ok::<_, Status>(Frame::data(enveloped(&message)))
        });
        let response = self.send("application/connect+json", Body::new(StreamBody::new(frames))).await?;
        if response.status() == StatusCode::OK {
            return Ok(Answers { body: response.into_body(), read: Vec::new() });
        }
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        Err(refusal(&body.map_err(Status::from_error)?.to_bytes()))
    }

    async fn send(&self, content_type: &'static str, body: Body) -> Result<Response<Body>, Status> {
        let mut request = Request::post(self.path.as_str())
            .body(body)
            .map_err(|_| Status::invalid_argument(format!("{} is no method\'s name", self.path)))?;
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        if let (Some(key), false) =
            (self.connection.key.header(), headers.contains_key(header::AUTHORIZATION))
        {
            headers.insert(header::AUTHORIZATION, key);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
        if let Some(timeout) = self.timeout {
            let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).min(9_999_999_999);
            headers.insert("connect-timeout-ms", HeaderValue::from(millis));
        }
        self.connection.peer().oneshot(request).await.map_err(Status::from_error)
    }
}

impl Answers {
    /// The next message; `None` after the last one of a call that succeeded.
    ///
    /// # Errors
    /// The status with which the call ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Status> {
        loop {
            if let Some((flags, message)) = self.take()? {
                if flags & END == 0 {
                    return Ok(Some(message));
                }
                let end: End = serde_json::from_slice(&message).map_err(nonsense)?;
                return end.error.map_or(Ok(None), |error| Err(error.into()));
            }
            match self.body.frame().await {
                Some(frame) => self.read.extend(frame?.into_data().unwrap_or_default()),
                None => return Err(Status::unavailable("the answer broke off")),
            }
        }
    }

    fn take(&mut self) -> Result<Option<(u8, Vec<u8>)>, Status> {
        let Some((prefix, _)) = self.read.split_at_checked(PREFIX) else { return Ok(None) };
        let flags = prefix[0];
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        if length > LARGEST {
            return Err(Status::resource_exhausted("a message is larger than this program reads"));
        }
        if self.read.len() < PREFIX + length {
            return Ok(None);
        }
        let rest = self.read.split_off(PREFIX + length);
        let message = std::mem::replace(&mut self.read, rest).split_off(PREFIX);
        Ok(Some((flags, message)))
    }
}

fn whole(bytes: Bytes) -> Body {
    Body::new(Full::new(bytes).map_err(|never| match never {}))
}

fn enveloped(message: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(PREFIX + message.len());
    bytes.push(0);
    bytes.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(message);
    bytes.into()
}

/// How a stream ended.
#[derive(Deserialize)]
struct End {
    error: Option<Refused>,
}

/// An error as Connect writes it.
#[derive(Deserialize)]
struct Refused {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    r#type: String,
    value: String,
}

/// What a refused call without streams says.
pub(crate) fn refusal(body: &[u8]) -> Status {
    serde_json::from_slice::<Refused>(body).map_or_else(nonsense, Into::into)
}

fn nonsense(_: serde_json::Error) -> Status {
    Status::unknown("the answer is none of the Connect protocol; is a mesh there?")
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let code = code(&refused.code);
        let detail = |detail: Detail| {
            let value = BASE64.decode(&detail.value).ok()?;
            Some(Any { type_url: format!("type.googleapis.com/{}", detail.r#type), value })
        };
        let full = rpc::Status {
            code: code.into(),
            message: refused.message.clone(),
            details: refused.details.into_iter().filter_map(detail).collect(),
        };
        Status::with_details(code, refused.message, full.encode_to_vec().into())
    }
}

/// A code by the name that Connect gives it.
fn code(name: &str) -> Code {
    let name = if name == "canceled" { "CANCELLED".to_owned() } else { name.to_ascii_uppercase() };
    rpc::Code::from_str_name(&name).map_or(Code::Unknown, |code| Code::from_i32(code.into()))
}

/// Headers as they are typed: `name: value`.
///
/// # Errors
/// One that is none.
pub(crate) fn headers(typed: &[String]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for header in typed {
        let (name, value) =
            header.split_once(':').with_context(|| format!("{header:?} is not `name: value`"))?;
        let name = header::HeaderName::try_from(name.trim()).with_context(|| header.clone())?;
        headers.append(name, HeaderValue::try_from(value.trim()).with_context(|| header.clone())?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn an_error_keeps_its_details() {
        let details = weft_kit::Problem::not_found("GRAPH_NOT_FOUND", "there is no such graph");
        let details = rpc::Status::decode(Status::from(details).details()).expect("a status").details;
        let json = serde_json::json!({
            "code": "not_found",
            "message": "there is no such graph",
            "details": [{
                "type": details[0].type_url.rsplit('/').next(),
                "value": base64::prelude::BASE64_STANDARD_NO_PAD.encode(&details[0].value),
            }],
        });
        let status = refusal(json.to_string().as_bytes());
        assert_eq!((status.code(), status.message()), (Code::NotFound, "there is no such graph"));
        let info = status.get_error_details().error_info().cloned().expect("it has one");
        assert_eq!(info.reason, "GRAPH_NOT_FOUND");
    }

    #[test]
    fn codes_are_those_of_connect() {
        for (name, expected) in [
            ("canceled", Code::Cancelled),
            ("unavailable", Code::Unavailable),
            ("resource_exhausted", Code::ResourceExhausted),
            ("nothing", Code::Unknown),
        ] {
            assert_eq!(code(name), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_read_in_whatever_pieces_it_comes() {
        let mut bytes = enveloped(b"{\"a\":1}").to_vec();
        let mut end = enveloped(b"{\"error\":{\"code\":\"data_loss\"}}").to_vec();
        end[0] = END;
        bytes.extend(end);
        for size in 1..=bytes.len() {
            let frames: Vec<Result<_, Status>> =
                bytes.chunks(size).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
            let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
            let mut answers = Answers { body, read: Vec::new() };
            assert_eq!(answers.next().await.expect("a message").as_deref(), Some(&b"{\"a\":1}"[..]));
            assert_eq!(answers.next().await.expect_err("the end").code(), Code::DataLoss);
        }
    }
}
