//! How long a call may take, as it is written: by people, and by the gRPC protocol.

use std::time::Duration;

/// A time as people write it: `300ms`, `2.5s`, `1m`; seconds without a unit. `None` for what is none.
pub fn parse(text: &str) -> Option<Duration> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// `grpc-timeout` of the gRPC protocol: at most eight digits and a unit.
pub fn parse_grpc(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_hours(number),
        "M" => Duration::from_mins(number),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_as_people_write_them() {
        for (text, millis) in [("300ms", 300), ("2.5s", 2_500), ("1m", 60_000), ("2", 2_000), ("0s", 0)] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "-1s", "1h", "1 s", "infs", "1e400s", "NaNs"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn reads_timeouts_as_grpc_writes_them() {
        assert_eq!(parse_grpc("300m"), Some(Duration::from_millis(300)));
        assert_eq!(parse_grpc("99999999H"), Some(Duration::from_hours(99_999_999)));
        for bad in ["", "m", "1", "123456789S", "-1S", "1.5S", "1ms", "é"] {
            assert_eq!(parse_grpc(bad), None, "{bad}");
        }
    }
}
