//! Codes that prove a secret.

use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Sha256, Sha512};

/// Whether `given` is the HMAC-SHA256 of the parts, one after the other, under one of the keys.
pub(super) fn sha256(keys: &[Vec<u8>], parts: &[&[u8]], given: &[u8]) -> bool {
    keys.iter().any(|key| proves::<Hmac<Sha256>>(key, parts, given))
}

/// The same with SHA-512.
pub(super) fn sha512(keys: &[Vec<u8>], parts: &[&[u8]], given: &[u8]) -> bool {
    keys.iter().any(|key| proves::<Hmac<Sha512>>(key, parts, given))
}

fn proves<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    let mut code = <M as Mac>::new_from_slice(key).expect("any key is good");
    for part in parts {
        code.update(part);
    }
    // In constant time.
    code.verify_slice(given).is_ok()
}

/// Bytes out of hexadecimal digits of either case.
pub(super) fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

/// The members of an object that only some of are asked for; nothing where it is none.
pub(super) fn object<T: serde::de::DeserializeOwned + Default>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_default()
}
