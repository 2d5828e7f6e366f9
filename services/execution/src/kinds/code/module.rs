//! Where the module of a step is: in the settings, as base64 or as text, or in an object of the project.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

use crate::domain::name;

/// Most bytes of a module that is in a node's settings, as it stands there.
pub(super) const MOST_INLINE: usize = 64 << 10;

/// Where a module is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Here.
    Inline(Bytes),
    /// In the object of that id.
    Object(String),
}

/// Reads the setting.
pub(super) fn source(text: &str) -> Result<Source, String> {
    let text = text.trim();
    if let Some(id) = text.strip_prefix("objects/") {
        let id = Some(id).filter(|id| name::is_id(id)).ok_or("must be objects/ and the id of an object")?;
        return Ok(Source::Object(id.to_owned()));
    }
    if text.len() > MOST_INLINE {
        return Err(format!("must have at most {MOST_INLINE} bytes in the settings"));
    }
    if is_text(text.as_bytes()) {
        return Ok(Source::Inline(Bytes::copy_from_slice(text.as_bytes())));
    }
    let joined: String = text.split_ascii_whitespace().collect();
    match BASE64_STANDARD.decode(joined) {
        Ok(bytes) => Ok(Source::Inline(bytes.into())),
        Err(error) => Err(format!(
            "must be objects/… of the project, base64, or text that begins with a parenthesis: {error}"
        )),
    }
}

/// Whether a module is in WebAssembly's text format.
pub(super) fn is_text(module: &[u8]) -> bool {
    let text = module.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

/// A module in the binary format.
pub(super) fn binary(module: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, String> {
    if !is_text(module) {
        return Ok(module.into());
    }
    let text = std::str::from_utf8(module).map_err(|_| "is neither WebAssembly nor text".to_owned())?;
    wat::parse_str(text).map(Into::into).map_err(|error| error.to_string())
}
