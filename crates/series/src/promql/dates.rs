//! Parts of a date, in UTC.

/// The function of a name; it takes seconds since 1970.
pub(super) fn part(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "minute" => |at| (at.rem_euclid(3_600.0) / 60.0).floor(),
        "hour" => |at| (at.rem_euclid(86_400.0) / 3_600.0).floor(),
        // 1970 began on a Thursday.
        "day_of_week" => |at| (days(at) + 4).rem_euclid(7) as f64,
        "day_of_month" => |at| f64::from(civil(days(at)).2),
        "day_of_year" => |at| {
            let (year, ..) = civil(days(at));
            (days(at) - first_day(year, 1) + 1) as f64
        },
        "month" => |at| f64::from(civil(days(at)).1),
        "year" => |at| civil(days(at)).0 as f64,
        "days_in_month" => |at| {
            let (year, month, _) = civil(days(at));
            let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            (first_day(next_year, next) - first_day(year, month)) as f64
        },
        _ => return None,
    })
}

fn days(at: f64) -> i64 {
    // Far beyond every calendar, and within what can be calculated.
    (at / 86_400.0).floor().clamp(-1e9, 1e9) as i64
}

/// Year, month and day of days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day = shifted.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u32, of_month as u32)
}

/// Days since 1970 of the first of a month.
fn first_day(year: i64, month: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_of_a_date_are_right() {
        // 2024-02-29 13:37:00 UTC, a Thursday.
        let at = 1_709_213_820.0;
        let expected = [
            ("year", 2024.0),
            ("month", 2.0),
            ("day_of_month", 29.0),
            ("days_in_month", 29.0),
            ("day_of_week", 4.0),
            ("day_of_year", 60.0),
            ("hour", 13.0),
            ("minute", 37.0),
        ];
        for (name, value) in expected {
            assert_eq!(part(name).unwrap()(at), value, "{name}");
        }
        assert_eq!(part("year").unwrap()(-1.0), 1969.0);
        assert!(part("rate").is_none());
    }
}
