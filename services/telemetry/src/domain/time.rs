//! Times of contracts, in milliseconds since 1970 as samples have them.

use prost_types::{Duration, Timestamp};

pub(crate) fn millis(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000).saturating_add(i64::from(time.nanos) / 1_000_000)
}

pub(crate) fn timestamp(millis: i64) -> Timestamp {
    Timestamp { seconds: millis.div_euclid(1_000), nanos: (millis.rem_euclid(1_000) * 1_000_000) as i32 }
}

pub(crate) fn span(duration: &Duration) -> i64 {
    duration.seconds.saturating_mul(1_000).saturating_add(i64::from(duration.nanos) / 1_000_000)
}

pub(crate) fn duration(millis: i64) -> Duration {
    Duration { seconds: millis / 1_000, nanos: (millis % 1_000 * 1_000_000) as i32 }
}
