//! Dates and times: counted from the first day of 2000 on the wire, given as RFC 3339 and ISO 8601 write them.

use std::fmt::Write;

use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// Seconds from 1970 to 2000.
const EPOCH: i64 = 946_684_800;
/// Microseconds of a second, of a day.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// An instant, or a date and time without zone, in microseconds. Nothing beyond the years that RFC 3339 can say.
pub(super) fn timestamp(micros: i64, with_zone: bool) -> Option<String> {
    let text = match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {
            let epoch = OffsetDateTime::from_unix_timestamp(EPOCH).ok()?;
            let at = epoch.checked_add(Duration::microseconds(micros))?;
            at.format(&Rfc3339).ok()?
        }
    };
    Some(if with_zone { text } else { text.trim_end_matches('Z').to_owned() })
}

/// A day.
pub(super) fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => return Some("infinity".to_owned()),
        i32::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let text = timestamp(i64::from(days).checked_mul(DAY)?, false)?;
    Some(text.split('T').next()?.to_owned())
}

/// A time of a day, which may be 24:00:00.
pub(super) fn time_of_day(micros: i64) -> Option<String> {
    if !(0..=DAY).contains(&micros) {
        return None;
    }
    let seconds = micros / SECOND;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    push_fraction(&mut text, micros % SECOND);
    Some(text)
}

/// A time of a day somewhere, as seconds west of Greenwich.
pub(super) fn time_with_zone(micros: i64, west: i32) -> Option<String> {
    let east = -i64::from(west);
    let (sign, east) = if east < 0 { ('-', -east) } else { ('+', east) };
    let mut text = time_of_day(micros)?;
    let _ = write!(text, "{sign}{:02}:{:02}", east / 3_600, east / 60 % 60);
    if east % 60 > 0 {
        let _ = write!(text, ":{:02}", east % 60);
    }
    Some(text)
}

/// A span as ISO 8601 has it: months are no days, and days no hours.
pub(super) fn interval(micros: i64, days: i32, months: i32) -> String {
    let mut text = String::from("P");
    let mut part = |number: i64, letter: char| {
        if number != 0 {
            let _ = write!(text, "{number}{letter}");
        }
    };
    part(i64::from(months) / 12, 'Y');
    part(i64::from(months) % 12, 'M');
    part(days.into(), 'D');
    if micros != 0 {
        let seconds = micros / SECOND;
        text.push('T');
        let mut part = |number: i64, letter: char| {
            if number != 0 {
                let _ = write!(text, "{number}{letter}");
            }
        };
        part(seconds / 3_600, 'H');
        part(seconds / 60 % 60, 'M');
        if micros % (60 * SECOND) != 0 {
            if micros < 0 {
                text.push('-');
            }
            text.push_str(&(seconds % 60).unsigned_abs().to_string());
            push_fraction(&mut text, (micros % SECOND).abs());
            text.push('S');
        }
    }
    if text == "P" { "PT0S".to_owned() } else { text }
}

fn push_fraction(text: &mut String, micros: i64) {
    if micros > 0 {
        text.push_str(format!(".{micros:06}").trim_end_matches('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_everybody() {
        assert_eq!(timestamp(0, true).as_deref(), Some("2000-01-01T00:00:00Z"));
        assert_eq!(timestamp(-1, false).as_deref(), Some("1999-12-31T23:59:59.999999"));
        assert_eq!(timestamp(i64::MAX, true).as_deref(), Some("infinity"));
        assert_eq!(timestamp(i64::MAX - 1, true), None);
        assert_eq!(date(366).as_deref(), Some("2001-01-01"));
        assert_eq!(date(i32::MIN).as_deref(), Some("-infinity"));
        assert_eq!(time_of_day(DAY).as_deref(), Some("24:00:00"));
        assert_eq!(time_of_day(3_723_000_100).as_deref(), Some("01:02:03.0001"));
        assert_eq!(time_of_day(-1), None);
        assert_eq!(time_with_zone(0, -19_800).as_deref(), Some("00:00:00+05:30"));
        assert_eq!(time_with_zone(0, i32::MIN).as_deref(), Some("00:00:00+596523:14:08"));
        assert_eq!(interval(0, 0, 0), "PT0S");
        assert_eq!(interval(3_661_500_000, -2, 14), "P1Y2M-2DT1H1M1.5S");
        assert_eq!(interval(-500_000, 0, 0), "PT-0.5S");
        assert_eq!(interval(60_000_000, 0, 0), "PT1M");
        assert_eq!(interval(i64::MIN, 0, 0), "PT-2562047788H-54.775808S");
    }
}
