//! What steps publish, and how large it may be.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use weft_kit::json;

use super::fault::StepError;

/// Largest message, in bytes as JSON.
pub(crate) const LARGEST: usize = 64 << 10;

/// Something that a step publishes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) topic: Arc<str>,
    /// As JSON.
    pub(crate) value: Bytes,
    /// The path of the step.
    pub(crate) step: String,
    pub(crate) at: i64,
}

/// A value as it is published, if it is neither too large nor nested too deep for a run that is given it.
pub(crate) fn written(value: &Json) -> Result<Bytes, StepError> {
    // As a run is given it, unless its trigger says otherwise.
    if json::is_too_deep(&json!({"event": {"data": {"value": value}}})) {
        return Err(StepError::new("MESSAGE_TOO_DEEP", "what it publishes is nested too deep"));
    }
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() <= LARGEST => Ok(bytes.into()),
        _ => {
            let problem =
                format!("what it publishes has more than {LARGEST} bytes: publish where it lies instead");
            Err(StepError::new("MESSAGE_TOO_LARGE", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_bounds() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(written(&json!({"a": 1})), Ok(Bytes::from_static(br#"{"a":1}"#)));
        assert!(written(&nested(29)).is_ok());
        assert_eq!(written(&nested(30)).unwrap_err().reason, "MESSAGE_TOO_DEEP");
        assert!(written(&json!("x".repeat(LARGEST - 2))).is_ok());
        assert_eq!(written(&json!("x".repeat(LARGEST - 1))).unwrap_err().reason, "MESSAGE_TOO_LARGE");
    }
}
