//! Why a question is not answered.

use weft_proto::weft::agent::v1::{HostRefusal, HostRefusalReason};

/// Longest that is said, in characters.
const LONGEST: usize = 1_000;

fn refusal(reason: HostRefusalReason, message: &str, subject: &str) -> HostRefusal {
    HostRefusal {
        reason: reason.into(),
        message: message.chars().take(LONGEST).collect(),
        subject: subject.chars().take(200).collect(),
    }
}

/// The question is none that this program knows.
pub(in crate::agent) fn not_known() -> HostRefusal {
    refusal(HostRefusalReason::NotKnown, "this agent does not know what it is asked", "")
}

/// `agent.toml` does not open this.
pub(in crate::agent) fn not_allowed(what: &str) -> HostRefusal {
    refusal(HostRefusalReason::NotAllowed, "agent.toml does not allow it", what)
}

/// A field is wrong.
pub(in crate::agent) fn invalid(field: &str, problem: &str) -> HostRefusal {
    refusal(HostRefusalReason::Invalid, problem, field)
}

/// There is no such thing.
pub(in crate::agent) fn not_found(problem: &str, name: &str) -> HostRefusal {
    refusal(HostRefusalReason::NotFound, problem, name)
}

/// There is one of that name.
pub(in crate::agent) fn exists(name: &str) -> HostRefusal {
    refusal(HostRefusalReason::Exists, "there is one of that name", name)
}

/// It was changed since it was read.
pub(in crate::agent) fn stale(name: &str) -> HostRefusal {
    refusal(HostRefusalReason::Stale, "it was changed since it was read", name)
}

/// The host, or this program for its own sake, does not let it be done.
pub(in crate::agent) fn denied(why: &str) -> HostRefusal {
    refusal(HostRefusalReason::Denied, why, "")
}

/// Too much is asked at once.
pub(in crate::agent) fn busy() -> HostRefusal {
    refusal(HostRefusalReason::Busy, "too much is asked at once", "")
}

/// It went wrong.
pub(in crate::agent) fn failed(why: &str) -> HostRefusal {
    refusal(HostRefusalReason::Failed, why, "")
}
