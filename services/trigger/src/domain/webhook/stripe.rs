//! Stripe: `Stripe-Signature: t=SECONDS,v1=HEX,…` over `SECONDS.body`; several of v1 while a secret is replaced.

use serde::Deserialize;
use weft_proto::weft::trigger::v1::WebhookSource;

use super::{Came, Verified, code, invalid};
use crate::Error;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    id: String,
    r#type: String,
}

pub(super) fn verify(
    source: &WebhookSource,
    secrets: &[Vec<u8>],
    came: &Came<'_>,
) -> Result<Verified, Error> {
    let header = came.needed("stripe-signature")?;
    let pairs: Vec<(&str, &str)> = header.split(',').filter_map(|pair| pair.trim().split_once('=')).collect();
    let seconds = pairs.iter().find(|(name, _)| *name == "t").map(|(_, value)| *value).ok_or_else(invalid)?;
    let mut codes = pairs.iter().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| code::of_hex(hex));
    let is_theirs = codes.any(|given| code::sha256(secrets, &[seconds.as_bytes(), b".", came.body], &given));
    if !is_theirs {
        return Err(invalid());
    }
    came.in_time(seconds, source)?;
    let event: Event = code::object(came.body);
    let signature = if event.id.is_empty() { header.to_owned() } else { String::new() };
    Ok(Verified { event_id: event.id, event_type: event.r#type, signature, challenge: None })
}
