//! Times between the store, the contract and settings.

use std::time::Duration;

use weft_store::Timestamp;

/// For a message.
pub(crate) fn proto(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// Microseconds for a message.
pub(crate) fn of_micros(micros: i64) -> prost_types::Timestamp {
    proto(Timestamp::from_micros(micros))
}

/// Microseconds since 1970.
pub(crate) fn micros(time: &prost_types::Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos / 1_000))
}

/// An instant as in RFC 3339, in microseconds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<prost_types::Timestamp>().ok().as_ref().map(micros)
}

/// A span out of a message; nothing where it is negative.
pub(crate) fn span(duration: &prost_types::Duration) -> Option<Duration> {
    Duration::try_from(*duration).ok()
}

/// A span for a message.
pub(crate) fn duration(micros: i64) -> prost_types::Duration {
    prost_types::Duration { seconds: micros / 1_000_000, nanos: (micros % 1_000_000 * 1_000) as i32 }
}
