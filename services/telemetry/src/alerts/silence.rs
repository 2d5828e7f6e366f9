//! Silences: how they find alerts, and as clients see them.

use std::collections::BTreeMap;

use prost::Message;
use regex::{Regex, RegexBuilder};
use weft_proto::weft::telemetry::v1::{AlertMatcher, Silence};
use weft_store::{AlertSettingRow, StoreError};

use super::kept;
use crate::domain::{name, time};

/// Memory that a compiled pattern may take.
const PATTERN_BYTES: usize = 64 << 10;

/// A silence that can be asked.
pub(crate) struct Compiled {
    pub(crate) name: String,
    from: i64,
    until: i64,
    matchers: Vec<(AlertMatcher, Option<Regex>)>,
}

impl Compiled {
    /// One whose pattern cannot be read any more silences nothing.
    pub(crate) fn of(silence: Silence) -> Option<Self> {
        let compile = |matcher: AlertMatcher| {
            let pattern = matcher.regex.then(|| pattern(&matcher.value)).transpose().ok()?;
            Some((matcher, pattern))
        };
        Some(Self {
            from: silence.start_time.as_ref().map_or(0, time::millis),
            until: silence.end_time.as_ref().map_or(0, time::millis),
            matchers: silence.matchers.into_iter().map(compile).collect::<Option<_>>()?,
            name: silence.name,
        })
    }

    /// Whether it holds for an alert with these labels. A label that is not there is an empty one.
    pub(crate) fn silences(&self, labels: &BTreeMap<String, String>, now: i64) -> bool {
        let matches = |(matcher, pattern): &(AlertMatcher, Option<Regex>)| {
            let value = labels.get(&matcher.label).map_or("", String::as_str);
            let is_so = pattern.as_ref().map_or(value == matcher.value, |pattern| pattern.is_match(value));
            is_so != matcher.negated
        };
        (self.from..self.until).contains(&now) && self.matchers.iter().all(matches)
    }
}

/// A pattern that all of a value must match.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{text})$"))
        .dot_matches_new_line(true)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|error| error.to_string())
}

/// A silence of the store as clients see it.
pub(crate) fn read(row: &AlertSettingRow) -> Result<Silence, StoreError> {
    let silence: Silence = kept::decode("alert_settings", "settings", row.uid, &row.settings)?;
    Ok(Silence {
        name: name::of_silence(&row.project, &row.id),
        uid: row.uid.to_string(),
        create_time: Some(time::timestamp(row.created.as_micros() / 1_000)),
        ..silence
    })
}

/// What is kept of one.
pub(crate) fn settings(silence: &Silence) -> bytes::Bytes {
    let kept = Silence { name: String::new(), uid: String::new(), create_time: None, ..silence.clone() };
    kept.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_matchers_must_match_while_it_holds() {
        let matcher = |label: &str, value: &str, regex, negated| AlertMatcher {
            label: label.into(),
            value: value.into(),
            regex,
            negated,
        };
        let silence = |matchers: Vec<AlertMatcher>| {
            let (start_time, end_time) = (Some(time::timestamp(1_000)), Some(time::timestamp(2_000)));
            Compiled::of(Silence { matchers, start_time, end_time, ..Silence::default() })
        };
        let labels =
            [("host".to_owned(), "node7".to_owned()), ("site".to_owned(), "north".to_owned())].into();
        for (matchers, expected) in [
            (vec![matcher("host", "node7", false, false)], true),
            (vec![matcher("host", "node", true, false)], false),
            (vec![matcher("host", "node.|x", true, false), matcher("site", "south", false, true)], true),
            (vec![matcher("host", "node7", false, false), matcher("site", "south", false, false)], false),
            (vec![matcher("rack", "", false, false)], true),
        ] {
            let silence = silence(matchers).expect("it can be read");
            assert_eq!(silence.silences(&labels, 1_500), expected);
            assert!(!silence.silences(&labels, 999) && !silence.silences(&labels, 2_000));
        }
        assert!(silence(vec![matcher("host", "(", true, false)]).is_none());
        assert!(pattern(&"(a{100}){100}".repeat(20)).is_err());
    }
}
