//! Is a request from whom it should be, and have we had it before? One file for each way to tell.
//!
//! Codes and passwords are compared in constant time. What is told of a request that is refused has nothing of it.

mod basic;
mod code;
mod github;
mod gitlab;
mod hmac;
mod slack;
mod standard;
mod stripe;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use weft_kit::span;
use weft_proto::weft::trigger::v1::{WebhookProvider, WebhookSource};

use super::delivery::Same;
use crate::Error;

/// How far a time may be from ours where nothing is said, in seconds.
const TOLERANCE: i64 = 300;

/// A request as it came.
pub(crate) struct Came<'r> {
    /// By their names in lower case.
    pub(crate) headers: &'r HashMap<String, String>,
    pub(crate) body: &'r [u8],
    /// Names this request and its repeats.
    pub(crate) request_id: &'r str,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// A request that is from whom it should be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// What its sender calls it; empty if they do not.
    pub(crate) event_id: String,
    /// What its sender says that it is about.
    pub(crate) event_type: String,
    /// A signature that is of one instant, where there is no id.
    pub(crate) signature: String,
    /// What is to be answered at once; nothing is started then.
    pub(crate) challenge: Option<String>,
}

impl Verified {
    /// What makes it the same when it comes again.
    pub(crate) fn same<'v>(&'v self, came: &Came<'v>) -> Same<'v> {
        if !self.event_id.is_empty() {
            Same::Event(&self.event_id)
        } else if !self.signature.is_empty() {
            Same::Signature(&self.signature)
        } else {
            Same::Request(came.request_id)
        }
    }
}

impl Came<'_> {
    fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_ascii_lowercase()).map_or("", String::as_str)
    }

    /// A header that must be there.
    fn needed(&self, name: &str) -> Result<&str, Error> {
        match self.header(name) {
            "" => Err(refused("SIGNATURE_MISSING", "the request is not signed")),
            text => Ok(text),
        }
    }

    /// Whether a time of sending is close enough to ours.
    fn in_time(&self, seconds: &str, source: &WebhookSource) -> Result<(), Error> {
        let tolerance = source.tolerance.as_ref().map_or(TOLERANCE, |span| span::micros(span) / 1_000_000);
        let Ok(seconds) = seconds.parse::<i64>() else {
            return Err(refused("TIMESTAMP_INVALID", "the time of sending cannot be read"));
        };
        if self.now.saturating_sub(seconds).saturating_abs() > tolerance {
            return Err(refused("TIMESTAMP_OUT_OF_WINDOW", "the time of sending is too far from now"));
        }
        Ok(())
    }
}

/// Looks whether a request is from whom a webhook's source says. `secrets` are what is accepted, one or two.
pub(crate) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    match source.provider() {
        WebhookProvider::Github => github::verify(secrets, came),
        WebhookProvider::Gitlab => gitlab::verify(secrets, came),
        WebhookProvider::Stripe => stripe::verify(source, secrets, came),
        WebhookProvider::Slack => slack::verify(source, secrets, came),
        WebhookProvider::StandardWebhooks => standard::verify(source, secrets, came),
        WebhookProvider::Hmac => hmac::verify(source, secrets, came),
        WebhookProvider::Basic => basic::verify(source, secrets, came),
        WebhookProvider::None => Ok(Verified::default()),
        WebhookProvider::Unspecified => Err(invalid()),
    }
}

/// The bytes that sign, of a secret as it is given; or what would be right.
pub(crate) fn key_of(provider: WebhookProvider, secret: &str) -> Result<Vec<u8>, &'static str> {
    match provider {
        WebhookProvider::StandardWebhooks => {
            standard::key(secret).ok_or("must be whsec_ and 24 to 64 bytes as base64")
        }
        WebhookProvider::Unspecified | WebhookProvider::None => Err("nobody has a secret here"),
        _ => Ok(secret.as_bytes().to_vec()),
    }
}

/// Whether a header has a secret, or proves one: nothing is kept of it.
pub(crate) fn is_secret(source: &WebhookSource, header: &str) -> bool {
    const SECRET: [&str; 11] = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "stripe-signature",
        "webhook-signature",
        "x-api-key",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-slack-signature",
        "x-weft-timeout",
    ];
    let own = source.hmac.as_ref().is_some_and(|hmac| hmac.header.eq_ignore_ascii_case(header));
    own || SECRET.contains(&header)
}

fn refused(reason: &'static str, message: &'static str) -> Error {
    Error::NotVerified { reason, message, basic: false }
}

fn invalid() -> Error {
    refused("SIGNATURE_INVALID", "the signature is not the one of this body under this webhook's secret")
}
