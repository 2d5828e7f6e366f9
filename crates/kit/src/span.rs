//! Spans of time between messages, the standard library, and microseconds, in which the mesh keeps them.

use std::time::Duration;

use prost_types::Duration as Span;

/// Microseconds of a span, cut towards zero; negative where it is.
pub fn micros(span: &Span) -> i64 {
    span.seconds.saturating_mul(1_000_000).saturating_add(i64::from(span.nanos / 1_000))
}

/// A span of so many microseconds, for a message; it may be negative.
pub fn of_micros(micros: i64) -> Span {
    Span { seconds: micros / 1_000_000, nanos: (micros % 1_000_000 * 1_000) as i32 }
}

/// A span for a message, to the microsecond.
pub fn of(span: Duration) -> Span {
    of_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

/// A span out of a message; nothing where it is negative.
pub fn to_std(span: &Span) -> Option<Duration> {
    Duration::try_from(*span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_come_back_as_they_went() {
        for (micros_of_it, seconds, nanos) in [
            (0, 0, 0),
            (1_500_000, 1, 500_000_000),
            (-1_500_001, -1, -500_001_000),
            (i64::MAX, 9_223_372_036_854, 775_807_000),
        ] {
            let span = of_micros(micros_of_it);
            assert_eq!((span.seconds, span.nanos), (seconds, nanos));
            assert_eq!(micros(&span), micros_of_it);
        }
        assert_eq!(micros(&Span { seconds: i64::MAX, nanos: 0 }), i64::MAX);
        assert_eq!(of(Duration::from_nanos(1_999)), of_micros(1));
        assert_eq!(of(Duration::MAX), of_micros(i64::MAX));
        assert_eq!(to_std(&of_micros(2_500_000)), Some(Duration::from_millis(2_500)));
        assert_eq!(to_std(&of_micros(-1)), None);
    }
}
