//! The documentation page: one file, made from `/openapi.json` in the browser, from which every
//! method can be called.
//!
//! Nothing comes from elsewhere, and nothing but our own script runs: the policy names it by its
//! digest (Content Security Policy Level 3, 6.7.2.3).

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use prost_reflect::DescriptorPool;
use sha2::{Digest, Sha256};
use tonic::body::Body;
use weft_kit::Problem;

use crate::refusal::Refusal;

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page and the policy that goes with it, made once.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    html: Bytes,
    policy: HeaderValue,
    etag: HeaderValue,
}

impl Page {
    pub(crate) fn new() -> Self {
        let html = HTML.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT);
        let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            digest(SCRIPT),
            digest(STYLE),
        );
        let value = |text: String| HeaderValue::try_from(text).expect("base64 is visible ASCII");
        Self { policy: value(policy), etag: value(format!("\"{}\"", digest(&html))), html: html.into() }
    }

    /// Answers a request for the page.
    pub(crate) fn handle(
        &self,
        method: &Method,
        headers: &HeaderMap,
        pool: &DescriptorPool,
    ) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let problem =
                Problem::unimplemented("WRONG_HTTP_METHOD", format!("/docs does not take {method}"));
            return Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
                .with_header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
                .into_response(pool);
        }
        let mut response = Response::new(Body::empty());
        if headers.get_all(header::IF_NONE_MATCH).iter().any(|known| *known == self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if method == Method::GET {
            *response.body_mut() = Body::new(Full::new(self.html.clone()));
        }
        let told = response.headers_mut();
        told.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        told.insert(header::ETAG, self.etag.clone());
        told.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        told.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        told.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        told.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        told.insert(opener, HeaderValue::from_static("same-origin"));
        response
    }
}
