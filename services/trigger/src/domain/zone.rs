//! Between instants and what the clocks of a time zone show. Both are counted in seconds since 1970.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

const DAY: i64 = 86_400;

/// Seconds that the clocks are ahead of UTC at an instant.
pub(crate) fn offset(zone: Tz, at: i64) -> i64 {
    let Some(utc) = DateTime::from_timestamp(at, 0) else { return 0 };
    i64::from(zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
}

/// What the clocks show at an instant.
pub(crate) fn shown(zone: Tz, at: i64) -> i64 {
    at + offset(zone, at)
}

/// The first instant after `from`, and not after `until`, at which the clocks are changed.
pub(crate) fn change(zone: Tz, from: i64, until: i64) -> Option<i64> {
    let before = offset(zone, from);
    let (mut low, mut high) = (from, from);
    // Nowhere were clocks changed and changed back within a day.
    while offset(zone, high) == before {
        if high >= until {
            return None;
        }
        low = high;
        high = (high + DAY).min(until);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset(zone, middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// When the clocks show something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Once, or at first where they show it twice.
    At(i64),
    /// Never: they are put forward over it, at this instant.
    SkippedAt(i64),
}

/// When the clocks of a zone show something first.
pub(crate) fn first(zone: Tz, shown_time: i64) -> When {
    // All that is ever added to UTC, either way, is less than a day.
    let (earliest, latest) = (shown_time - DAY, shown_time + DAY);
    let mut from = earliest;
    loop {
        let at = shown_time - offset(zone, from);
        let end = change(zone, from, latest);
        if at >= from && end.is_none_or(|end| at < end) {
            return When::At(at);
        }
        match end {
            // In this piece it would have been later than its end, and in the next it is before its beginning.
            Some(end) if at >= end && shown_time < end + offset(zone, end) => return When::SkippedAt(end),
            Some(end) => from = end,
            None => return When::At(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp()
    }

    #[test]
    fn clocks_are_put_forward_and_back() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        let spring = at("2026-03-29T01:00:00Z");
        assert_eq!(change(berlin, at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z")), Some(spring));
        assert_eq!(change(berlin, spring, at("2026-10-01T00:00:00Z")), None);
        assert_eq!(first(berlin, at("2026-03-29T02:30:00Z")), When::SkippedAt(spring));
        assert_eq!(first(berlin, at("2026-03-29T03:00:00Z")), When::At(spring));
        assert_eq!(first(berlin, at("2026-03-29T01:59:59Z")), When::At(spring - 1));
        // Twice: first in summer time.
        assert_eq!(first(berlin, at("2026-10-25T02:30:00Z")), When::At(at("2026-10-25T00:30:00Z")));
        assert_eq!(first(berlin, at("2026-10-25T03:00:00Z")), When::At(at("2026-10-25T02:00:00Z")));
        assert_eq!(first(Tz::UTC, at("2026-10-25T03:00:00Z")), When::At(at("2026-10-25T03:00:00Z")));
        // Half an hour, and a day that there was not.
        let lord_howe: Tz = "Australia/Lord_Howe".parse().unwrap();
        assert_eq!(first(lord_howe, at("2026-10-04T02:15:00Z")), When::SkippedAt(at("2026-10-03T15:30:00Z")));
        let apia: Tz = "Pacific/Apia".parse().unwrap();
        assert_eq!(first(apia, at("2011-12-30T12:00:00Z")), When::SkippedAt(at("2011-12-30T10:00:00Z")));
    }
}
