//! The POST of a notice, and when it is tried again.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use weft_kit::{egress::Egress, seal::Seal};

use super::{kept::Notice, signature};

/// How long a webhook may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of what it answers is read.
const ANSWER: usize = 64 << 10;
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// What could not be said for so long is not said any more, in milliseconds.
pub(crate) const GIVEN_UP: i64 = 3 * 24 * 3_600_000;

/// What makes POSTs.
#[derive(Clone)]
pub(crate) struct Deliverer {
    pub(crate) egress: Egress,
    pub(crate) seal: Seal,
}

impl Deliverer {
    /// One attempt.
    ///
    /// # Errors
    /// Why it was not heard; never with the secret in it.
    pub(crate) async fn post(&self, notice: &Notice, seconds: i64) -> Result<(), String> {
        let key = self.seal.open(&[], &notice.secret).ok_or("its secret was sealed in another mesh")?;
        let signature = signature::sign(&key, &notice.id, seconds, &notice.body);
        let request = Request::post(&notice.url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("weft/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Bytes::clone(&notice.body))
            .map_err(|error| error.to_string())?;
        let answer = self.egress.send(request, PATIENCE, ANSWER).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }
}

/// The pause after so many failures in a row, the first being 1. `chance` is from 0 to 1.
pub(crate) fn pause(first: Duration, failures: u32, chance: f64) -> Duration {
    let doubled = first.saturating_mul(1_u32 << failures.saturating_sub(1).min(20));
    doubled.min(LONGEST_PAUSE).mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let pauses =
            [1, 2, 3, 11, 4_000].map(|failures| pause(Duration::from_secs(5), failures, 1.0).as_secs());
        assert_eq!(pauses, [5, 10, 20, 3_600, 3_600]);
        assert_eq!(pause(Duration::from_secs(5), 1, 0.0).as_millis(), 2_500);
    }
}
