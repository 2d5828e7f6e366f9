//! Why a gateway cannot be built from a set of contracts.

/// A contract that cannot be served. Found at start, never while serving.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The policy of a method cannot be read.
    #[error("the contracts' policies cannot be read: {0}")]
    Policy(String),
    /// A `google.api.http` rule is wrong.
    #[error("{method}: google.api.http: {problem}")]
    Rule {
        /// The method, `/package.Service/Method`.
        method: String,
        /// What is wrong.
        problem: String,
    },
    /// Two methods would be tools of one name.
    #[error("{first} and {second} would both be the tool {name}")]
    Tool {
        /// The tool.
        name: String,
        /// The method that was there first.
        first: String,
        /// The method that came later.
        second: String,
    },
    /// Two methods claim the same HTTP method and path.
    #[error("{http_method} {path} is claimed by both {first} and {second}")]
    Conflict {
        /// `GET`, …
        http_method: String,
        /// The template of the later one.
        path: String,
        /// The method that was there first.
        first: String,
        /// The method that came later.
        second: String,
    },
}
