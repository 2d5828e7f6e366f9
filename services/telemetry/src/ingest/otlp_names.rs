//! Names of OpenTelemetry as Prometheus has them: letters, digits and underscores, the unit, and what a counter ends
//! in. OpenTelemetry specification, "Prometheus and OpenMetrics compatibility".

/// A metric's name.
pub(super) fn metric(name: &str, unit: &str, is_counter: bool, is_ratio: bool) -> String {
    let mut clean = cleaned(name, true);
    let unit = unit_word(unit);
    if !unit.is_empty() && !clean.ends_with(&format!("_{unit}")) && clean != unit {
        clean = format!("{}_{unit}", clean.trim_end_matches("_total"));
    }
    if is_ratio && !clean.ends_with("_ratio") {
        clean.push_str("_ratio");
    }
    if is_counter && !clean.ends_with("_total") {
        clean.push_str("_total");
    }
    clean
}

/// A label's name.
pub(super) fn label(name: &str) -> String {
    cleaned(name, false)
}

fn cleaned(name: &str, colon: bool) -> String {
    let mut clean = String::with_capacity(name.len());
    for letter in name.chars() {
        let is_good = letter.is_ascii_alphanumeric() || letter == '_' || (colon && letter == ':');
        match (is_good, clean.ends_with('_')) {
            (true, true) if letter == '_' => {}
            (true, _) => clean.push(letter),
            (false, false) => clean.push('_'),
            (false, true) => {}
        }
    }
    if clean.starts_with(|letter: char| letter.is_ascii_digit()) || clean.is_empty() {
        clean.insert(0, '_');
    }
    clean
}

/// What a unit of UCUM is called in names.
fn unit_word(unit: &str) -> String {
    let word = |part: &str| -> String {
        match part {
            "d" => "days".into(),
            "h" => "hours".into(),
            "min" => "minutes".into(),
            "s" => "seconds".into(),
            "ms" => "milliseconds".into(),
            "us" => "microseconds".into(),
            "ns" => "nanoseconds".into(),
            "By" => "bytes".into(),
            "KiBy" => "kibibytes".into(),
            "MiBy" => "mebibytes".into(),
            "GiBy" => "gibibytes".into(),
            "KBy" => "kilobytes".into(),
            "MBy" => "megabytes".into(),
            "GBy" => "gigabytes".into(),
            "m" => "meters".into(),
            "V" => "volts".into(),
            "A" => "amperes".into(),
            "J" => "joules".into(),
            "W" => "watts".into(),
            "g" => "grams".into(),
            "Cel" => "celsius".into(),
            "Hz" => "hertz".into(),
            "%" => "percent".into(),
            // Without a dimension, and words for people in braces.
            "1" | "" => String::new(),
            other if other.starts_with('{') => String::new(),
            other => cleaned(other, false).trim_matches('_').to_owned(),
        }
    };
    match unit.split_once('/') {
        None => word(unit),
        Some((what, per)) => {
            let per = match per {
                "s" => "second".into(),
                "min" | "m" => "minute".into(),
                "h" => "hour".into(),
                "d" => "day".into(),
                other => word(other),
            };
            let what = word(what);
            match (what.is_empty(), per.is_empty()) {
                (_, true) => what,
                (true, false) => format!("per_{per}"),
                (false, false) => format!("{what}_per_{per}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        assert_eq!(metric("http.server.duration", "ms", false, false), "http_server_duration_milliseconds");
        assert_eq!(metric("requests", "1", true, false), "requests_total");
        assert_eq!(metric("requests_total", "{request}", true, false), "requests_total");
        assert_eq!(metric("system.io", "By", true, false), "system_io_bytes_total");
        assert_eq!(metric("speed", "m/s", false, false), "speed_meters_per_second");
        assert_eq!(metric("cpu.utilization", "1", false, true), "cpu_utilization_ratio");
        assert_eq!(metric("2fast", "", false, false), "_2fast");
        assert_eq!(label("service.name"), "service_name");
        assert_eq!(label("a..b"), "a_b");
    }
}
