//! Errors that tell a client what was wrong, where, and what to do: a gRPC status with
//! `google.rpc` details.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use weft_proto::Violation;

/// The domain of every reason that the mesh gives.
pub const DOMAIN: &str = "weft.dev";

/// A refusal under construction. Becomes a [`Status`].
///
/// ```
/// use weft_kit::Problem;
/// let status: tonic::Status = Problem::not_found("GRAPH_NOT_FOUND", "there is no graph projects/p/graphs/g")
///     .with("graph", "projects/p/graphs/g")
///     .into();
/// assert_eq!(status.code(), tonic::Code::NotFound);
/// ```
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

/// Boxed, because every `Result` with a problem would be as large as this otherwise.
#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    reason: &'static str,
    message: String,
    metadata: HashMap<String, String>,
    fields: Vec<(String, String)>,
    quota: Vec<(String, String)>,
    retry_after: Option<Duration>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident,)*) => {
        $($(#[$doc])*
        pub fn $name(reason: &'static str, message: impl Into<String>) -> Self {
            Self::new(Code::$code, reason, message)
        })*
    };
}

impl Problem {
    /// A refusal with a code, a stable reason (`UPPER_SNAKE_CASE`, at most 63 letters) and a
    /// sentence for people.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            fields: Vec::new(),
            quota: Vec::new(),
            retry_after: None,
        }))
    }

    constructors! {
        /// What the client sent is wrong, whatever the state of the system.
        invalid_argument => InvalidArgument,
        /// It is not there.
        not_found => NotFound,
        /// It is there already.
        already_exists => AlreadyExists,
        /// Somebody else was faster; read again and decide anew.
        aborted => Aborted,
        /// Not in this state.
        failed_precondition => FailedPrecondition,
        /// Past the end or before the beginning of what is kept.
        out_of_range => OutOfRange,
        /// A limit is reached.
        resource_exhausted => ResourceExhausted,
        /// The caller may not do this.
        permission_denied => PermissionDenied,
        /// Nobody, or a credential that is not good.
        unauthenticated => Unauthenticated,
        /// It passes by itself; try again.
        unavailable => Unavailable,
        /// Not built.
        unimplemented => Unimplemented,
        /// A fault of ours.
        internal => Internal,
        /// What is stored cannot be read.
        data_loss => DataLoss,
    }

    /// A field that is wrong and what would be right. The first one makes the message if that is
    /// empty.
    pub fn field(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.fields.push((field.into(), description.into()));
        self
    }

    /// A part of the message by name, for programs.
    pub fn with(mut self, key: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.0.metadata.insert(key.into(), value.to_string());
        self
    }

    /// Whose limit was reached and which.
    pub fn quota(mut self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.quota.push((subject.into(), description.into()));
        self
    }

    /// When to try again.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// One field that is wrong: the commonest refusal.
    pub fn bad_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        Self::invalid_argument("INVALID_FIELD", format!("{field}: {description}")).field(field, description)
    }

    /// What validation by the contract found.
    pub fn violations(violations: &[Violation]) -> Self {
        let message = violations
            .first()
            .map_or_else(String::new, |first| format!("{}: {}", first.field, first.description));
        violations.iter().fold(Self::invalid_argument("INVALID_FIELD", message), |problem, violation| {
            problem.field(violation.field.clone(), violation.description)
        })
    }
}

/// Why a call failed, by the code that programs tell errors apart by, if the status says.
pub fn reason(status: &Status) -> Option<String> {
    Some(status.get_details_error_info()?.reason)
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let problem = *problem.0;
        let mut details = ErrorDetails::new();
        details.set_error_info(problem.reason, DOMAIN, problem.metadata);
        for (field, description) in problem.fields {
            details.add_bad_request_violation(field, description);
        }
        for (subject, description) in problem.quota {
            details.add_quota_failure_violation(subject, description);
        }
        if let Some(delay) = problem.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(problem.code, problem.message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_survive() {
        let status: Status = Problem::resource_exhausted("TOO_MANY_NODES", "the graph is full")
            .quota("projects/p/graphs/g", "at most 10 nodes")
            .with("limit", 10)
            .retry_after(Duration::from_secs(3))
            .into();
        let details = status.get_error_details();
        let info = details.error_info().expect("it was set");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TOO_MANY_NODES", DOMAIN));
        assert_eq!(reason(&status).as_deref(), Some("TOO_MANY_NODES"));
        assert_eq!(reason(&Status::unavailable("gone")), None);
        assert_eq!(info.metadata["limit"], "10");
        assert_eq!(details.quota_failure().expect("it was set").violations.len(), 1);
        assert_eq!(details.retry_info().expect("it was set").retry_delay, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_bad_field_is_named() {
        let status: Status = Problem::bad_field("page_token", "is not one that this server gave").into();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "page_token: is not one that this server gave");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().expect("it was set").field_violations[0].field, "page_token");
    }
}
