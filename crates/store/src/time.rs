//! How an instant is written down: the same in every database.

use std::time::{Duration, SystemTime};

/// An instant: whole microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
///
/// Microseconds, because PostgreSQL keeps no more: a finer time would come back different from how it was
/// written. An integer, because times written as text in SQLite compare wrongly as soon as one of them has no
/// fraction. The range is that of `google.protobuf.Timestamp`; what lies outside is taken as its nearest end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant that many microseconds after 1970, or the nearest end of the range.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970; negative before.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From the two fields of a `google.protobuf.Timestamp`. Nanoseconds are cut to microseconds, towards the
    /// past.
    pub const fn from_parts(seconds: i64, nanos: i32) -> Self {
        let micros = seconds.saturating_mul(1_000_000).saturating_add((nanos as i64).div_euclid(1_000));
        Self::from_micros(micros)
    }

    /// The two fields of a `google.protobuf.Timestamp`: seconds, and nanoseconds from 0 to 999,999,000.
    pub const fn to_parts(self) -> (i64, i32) {
        (self.0.div_euclid(1_000_000), (self.0.rem_euclid(1_000_000) * 1_000) as i32)
    }

    /// The instant that much later.
    pub fn after(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant that much earlier.
    pub fn before(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(time: Timestamp) -> Self {
        let (seconds, nanos) = time.to_parts();
        Self { seconds, nanos }
    }
}

impl From<&prost_types::Timestamp> for Timestamp {
    fn from(time: &prost_types::Timestamp) -> Self {
        Self::from_parts(time.seconds, time.nanos)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Self(0).after(since),
            Err(earlier) => {
                // Rounds towards the past, as `from_parts` does.
                let nanos = earlier.duration().as_nanos();
                Self::from_micros(i64::try_from(nanos.div_ceil(1_000)).map_or(i64::MIN, |micros| -micros))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip_and_cut_to_microseconds() {
        let time = Timestamp::from_parts(1_700_000_000, 123_456_789);
        assert_eq!(time.as_micros(), 1_700_000_000_123_456);
        assert_eq!(time.to_parts(), (1_700_000_000, 123_456_000));
        assert_eq!(Timestamp::from_parts(-1, 1_500).to_parts(), (-1, 1_000));
    }

    #[test]
    fn what_lies_outside_is_the_nearest_end() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 0), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        assert_eq!(Timestamp::MAX.after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.before(Duration::MAX), Timestamp::MIN);
    }

    #[test]
    fn system_time_rounds_towards_the_past() {
        let before_epoch = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(before_epoch).as_micros(), -1);
        let after_epoch = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999);
        assert_eq!(Timestamp::from(after_epoch).as_micros(), 1);
    }
}
