//! Times between the store, the contract and schedules, which count microseconds since 1970.

use weft_store::Timestamp;

/// For a message.
pub(crate) fn proto(micros: i64) -> prost_types::Timestamp {
    let (seconds, nanos) = Timestamp::from_micros(micros).to_parts();
    prost_types::Timestamp { seconds, nanos }
}

/// Out of a message.
pub(crate) fn micros(time: &prost_types::Timestamp) -> i64 {
    Timestamp::from_parts(time.seconds, time.nanos).as_micros()
}

/// A span out of a message; below zero where it is.
pub(crate) fn span(duration: &prost_types::Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000).saturating_add(i64::from(duration.nanos / 1_000))
}
