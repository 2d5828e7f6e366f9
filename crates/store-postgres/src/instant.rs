//! Instants between the store and PostgreSQL, to the microsecond.

use time::OffsetDateTime;
use weft_store::Timestamp;

/// For a column.
pub(crate) fn to_sql(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_micros()) * 1_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("a timestamp lies between the years 1 and 9999")
}

/// Out of a column.
pub(crate) fn from_sql(at: OffsetDateTime) -> Timestamp {
    // Fits: a column holds years up to 9999 here, which is less than 2^63 microseconds.
    Timestamp::from_micros((at.unix_timestamp_nanos() / 1_000) as i64)
}
