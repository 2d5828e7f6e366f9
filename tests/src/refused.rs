//! What a refusal says, the same whichever way it came: code, reason, the fields that are wrong.

use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::http::Answer;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// gRPC's code.
    pub code: Code,
    /// `ErrorInfo.reason`; empty if there is none.
    pub reason: String,
    /// The fields that `BadRequest` names.
    pub fields: Vec<String>,
    /// The sentence for people.
    pub message: String,
}

impl Refused {
    /// Checks code and reason, and that `field` is named (none if it is empty).
    #[track_caller]
    pub fn is(&self, code: Code, reason: &str, field: &str) {
        assert_eq!((self.code, self.reason.as_str()), (code, reason), "{self:?}");
        let named = self.fields.first().map_or("", String::as_str);
        assert_eq!(named, field, "{self:?}");
        assert!(!self.message.is_empty(), "{self:?}");
    }

    /// From `google.rpc.Status` as JSON.
    #[track_caller]
    pub fn from_json(status: &Value) -> Self {
        let code = status["code"].as_i64().unwrap_or_else(|| panic!("no status: {status}"));
        let details = status["details"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| {
            let name = format!("type.googleapis.com/google.rpc.{name}");
            details.iter().find(|detail| detail["@type"] == name.as_str())
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = of("BadRequest").and_then(|bad| bad["fieldViolations"].as_array());
        Self {
            code: Code::from_i32(i32::try_from(code).expect("codes are small")),
            reason: of("ErrorInfo").map(|info| text(&info["reason"])).unwrap_or_default(),
            fields: fields
                .map(|all| all.iter().map(|each| text(&each["field"])).collect())
                .unwrap_or_default(),
            message: text(&status["message"]),
        }
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        Self {
            code: status.code(),
            reason: details.error_info().map(|info| info.reason.clone()).unwrap_or_default(),
            fields: fields.iter().map(|each| each.field.clone()).collect(),
            message: status.message().to_owned(),
        }
    }
}

/// The refusal in a call's result.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Status>) -> Refused {
    result.expect_err("it is refused").into()
}

/// The refusal in a REST answer, which must have this HTTP status.
#[track_caller]
pub fn refused_rest(answer: &Answer, http: u16) -> Refused {
    assert_eq!(answer.status, http, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["content-type"], "application/json");
    Refused::from_json(&answer.json())
}
