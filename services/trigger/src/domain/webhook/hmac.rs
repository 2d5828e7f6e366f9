//! Whoever sends an HMAC: in which header, how it is written and what it is over is said in the trigger.

use base64::{Engine, engine::general_purpose::STANDARD};
use weft_proto::weft::trigger::v1::{HmacAlgorithm, HmacEncoding, WebhookSource};

use super::{Came, Verified, code, invalid};
use crate::Error;

pub(super) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let settings = source.hmac.clone().unwrap_or_default();
    let header = came.needed(&settings.header)?;
    let text = header.strip_prefix(&settings.prefix).ok_or_else(invalid)?;
    let given = match settings.encoding() {
        HmacEncoding::Unspecified | HmacEncoding::Hex => code::of_hex(text),
        HmacEncoding::Base64 => STANDARD.decode(text).ok(),
    };
    let given = given.ok_or_else(invalid)?;
    let seconds = match settings.timestamp_header.as_str() {
        "" => None,
        name => Some(came.needed(name)?),
    };
    let signed = match seconds {
        None => vec![came.body],
        Some(seconds) => vec![seconds.as_bytes(), b".", came.body],
    };
    let is_theirs = match settings.algorithm() {
        HmacAlgorithm::Unspecified | HmacAlgorithm::Sha256 => code::sha256(secrets, &signed, &given),
        HmacAlgorithm::Sha512 => code::sha512(secrets, &signed, &given),
    };
    if !is_theirs {
        return Err(invalid());
    }
    if let Some(seconds) = seconds {
        came.in_time(seconds, source)?;
    }
    let event_id = if settings.id_header.is_empty() { "" } else { came.header(&settings.id_header) };
    // Without a time in it a signature says nothing about when: the same body may be sent for good reason again.
    let signature = if seconds.is_some() && event_id.is_empty() { header } else { "" };
    Ok(Verified { event_id: event_id.to_owned(), signature: signature.to_owned(), ..Verified::default() })
}
