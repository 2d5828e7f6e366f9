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

/// A time in nanoseconds since 1970, as logs and spans have it.
pub(crate) fn of_nanos(nanos: i64) -> Timestamp {
    Timestamp { seconds: nanos.div_euclid(1_000_000_000), nanos: nanos.rem_euclid(1_000_000_000) as i32 }
}

/// Nanoseconds since 1970; the first or the last that there are where it is further away.
pub(crate) fn nanos(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

pub(crate) fn duration_of_nanos(nanos: i64) -> Duration {
    Duration { seconds: nanos / 1_000_000_000, nanos: (nanos % 1_000_000_000) as i32 }
}

pub(crate) fn duration_nanos(duration: &Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(duration.nanos))
}
