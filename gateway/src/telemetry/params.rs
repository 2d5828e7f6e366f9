//! Parameters of Prometheus' HTTP API: of the address, and of a form in the body.

use prost_types::{Duration, Timestamp};

use crate::percent::{self, Part};

/// Most parameters.
const MOST: usize = 256;

/// Names and values, in order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Adds those of a query or a form.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded =
                |text| percent::decode(text, Part::Query).map_err(|problem| format!("{name} {problem}"));
            self.0.push((decoded(name)?.into_owned(), decoded(value)?.into_owned()));
            if self.0.len() > MOST {
                return Err(format!("there are more than {MOST} parameters"));
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, value)| other == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn needed(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("invalid parameter {name:?}: it is missing"))
    }

    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// A time: seconds since 1970, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || format!("invalid parameter {name:?}: {text:?} is no time");
        if let Ok(seconds) = text.parse::<f64>() {
            let millis = (seconds * 1_000.0).round();
            if !(-1e14..1e14).contains(&millis) {
                return Err(wrong());
            }
            let millis = millis as i64;
            let nanos = (millis.rem_euclid(1_000) * 1_000_000) as i32;
            return Ok(Some(Timestamp { seconds: millis.div_euclid(1_000), nanos }));
        }
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// A duration: seconds, or as PromQL writes them: `1h30m`.
    pub(super) fn duration(&self, name: &str) -> Result<Duration, String> {
        let text = self.needed(name)?;
        let millis = text.parse::<f64>().ok().map(|seconds| seconds * 1_000.0).or_else(|| promql(text));
        match millis {
            Some(millis) if (1.0..1e14).contains(&millis) => {
                let millis = millis as i64;
                Ok(Duration { seconds: millis / 1_000, nanos: (millis % 1_000 * 1_000_000) as i32 })
            }
            _ => Err(format!("invalid parameter {name:?}: {text:?} is no duration above zero")),
        }
    }
}

/// Milliseconds of `1d`, `1h30m`, `100ms`.
fn promql(text: &str) -> Option<f64> {
    let (mut all, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (millis, length) = match unit.as_bytes() {
            [b'm', b's', ..] => (1.0, 2),
            [b's', ..] => (1e3, 1),
            [b'm', ..] => (6e4, 1),
            [b'h', ..] => (3.6e6, 1),
            [b'd', ..] => (8.64e7, 1),
            [b'w', ..] => (6.048e8, 1),
            [b'y', ..] => (3.1536e10, 1),
            _ => return None,
        };
        all += number * millis;
        rest = &unit[length..];
    }
    (!text.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read_as_prometheus_does() {
        let mut params = Params::default();
        params.add("time=1435781451.781&end=2015-07-01T20:10:30Z&step=1m30s&bad=1x&match[]=up&match%5B%5D=a%7B%7D").unwrap();
        assert_eq!(
            params.time("time").unwrap().unwrap(),
            Timestamp { seconds: 1_435_781_451, nanos: 781_000_000 }
        );
        assert_eq!(params.time("end").unwrap().unwrap().seconds, 1_435_781_430);
        assert_eq!(params.time("start"), Ok(None));
        assert_eq!(params.duration("step").unwrap(), Duration { seconds: 90, nanos: 0 });
        assert!(
            params.duration("bad").is_err()
                && params.time("bad").is_err()
                && params.duration("none").is_err()
        );
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["up", "a{}"]);
        assert!(params.add("a=%zz").is_err());
    }
}
