//! Settings of the identity service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the identity service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long an access token is good.
    #[serde(with = "humantime_serde")]
    pub token_lifetime: Duration,
    /// How long a row of renewed tokens can go on before the caller must sign in again.
    #[serde(with = "humantime_serde")]
    pub session_lifetime: Duration,
    /// How long a ticket is good.
    #[serde(with = "humantime_serde")]
    pub ticket_lifetime: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token_lifetime: Duration::from_mins(15),
            session_lifetime: Duration::from_hours(12),
            ticket_lifetime: Duration::from_mins(10),
        }
    }
}
