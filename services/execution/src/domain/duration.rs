//! Spans in settings: a number of seconds, or a text such as `"90s"`, `"1h30m"`, `"30d"`.

use std::time::Duration;

use serde_json::Value as Json;

/// The longest that anything may take: ten years.
const LONGEST: f64 = 315_360_000.0;

/// A span, or what would be one.
pub(crate) fn parse(value: &Json) -> Result<Duration, String> {
    let seconds = match value {
        Json::Number(number) => number.as_f64().unwrap_or(-1.0),
        Json::String(text) => seconds_of(text).ok_or_else(expected)?,
        _ => return Err(expected()),
    };
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err("must be from 0 to ten years".to_owned());
    }
    Ok(Duration::from_micros((seconds * 1e6) as u64))
}

fn expected() -> String {
    "must be a number of seconds, or a text such as \"500ms\", \"90s\", \"1h30m\" or \"30d\"".to_owned()
}

fn seconds_of(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<f64>() {
        return Some(seconds);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(digits);
        let letters = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(letters);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * factor;
        rest = after.trim_start();
    }
    (!text.trim().is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_are_read() {
        for (value, millis) in
            [(json!(1.5), 1_500), (json!("90s"), 90_000), (json!("1h 30m"), 5_400_000), (json!("250ms"), 250)]
        {
            assert_eq!(parse(&value).map(|span| span.as_millis()), Ok(millis), "{value}");
        }
        for value in [json!("soon"), json!(""), json!(-1), json!("9e99"), json!(null), json!("5 parsecs")] {
            assert!(parse(&value).is_err(), "{value}");
        }
    }
}
