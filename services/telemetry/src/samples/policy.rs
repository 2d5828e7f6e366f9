//! How long samples are kept, and how they are thinned out: in general, and for series that a selector finds.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use humantime_serde::re::humantime;
use serde::{Deserialize, Serialize};
use weft_series::{
    Labels,
    promql::{self, Matcher},
};

use crate::Options;

/// What a setting should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPolicy(String);

/// Samples that are older than one time are thinned out to one for each interval: `7days:5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    after: Duration,
    every: Duration,
}

/// Levels of down-sampling, from the finest to the coarsest; none, and nothing is thinned out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Levels(Vec<Level>);

/// Which series: a selector of PromQL, such as `{__name__=~"debug_.*"}`.
#[derive(Clone, Debug)]
pub struct Selector {
    text: String,
    matchers: Vec<Matcher>,
}

/// Another retention, or another down-sampling, for some series.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepRule {
    /// Which series: a selector of PromQL.
    pub select: Selector,
    /// Ids of the projects whose series these are; all when empty.
    #[serde(default)]
    pub projects: Vec<String>,
    /// How long their samples are kept; as all others when it is not set.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
    /// How their samples are thinned out, `[]` for not at all; as all others when it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downsampling: Option<Levels>,
}

impl FromStr for Level {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let bad = || BadPolicy(format!("\"{text}\" is no level such as \"7days:5m\""));
        let (after, every) = text.split_once(':').ok_or_else(bad)?;
        let duration = |text: &str| humantime::parse_duration(text.trim()).map_err(|_| bad());
        let (after, every) = (duration(after)?, duration(every)?);
        if every < Duration::from_secs(1) || every.subsec_millis() > 0 {
            return Err(BadPolicy(format!("the interval of \"{text}\" must be whole seconds, at least one")));
        }
        if after < every {
            return Err(BadPolicy(format!("\"{text}\" would thin out what is not even an interval old")));
        }
        Ok(Self { after, every })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |duration| humantime::format_duration(duration).to_string().replace(' ', "");
        write!(formatter, "{}:{}", text(self.after), text(self.every))
    }
}

impl TryFrom<Vec<String>> for Levels {
    type Error = BadPolicy;

    fn try_from(levels: Vec<String>) -> Result<Self, BadPolicy> {
        let levels: Vec<Level> = levels.iter().map(|level| level.parse()).collect::<Result<_, _>>()?;
        for pair in levels.windows(2) {
            let (finer, coarser) = (pair[0], pair[1]);
            if coarser.after <= finer.after || coarser.every <= finer.every {
                let reason = format!("\"{coarser}\" must be for older samples than \"{finer}\", and coarser");
                return Err(BadPolicy(reason));
            }
            if coarser.every.as_millis() % finer.every.as_millis() != 0 {
                let reason =
                    format!("the interval of \"{coarser}\" must be a multiple of that of \"{finer}\"");
                return Err(BadPolicy(reason));
            }
        }
        Ok(Self(levels))
    }
}

impl From<Levels> for Vec<String> {
    fn from(levels: Levels) -> Self {
        levels.0.iter().map(ToString::to_string).collect()
    }
}

impl Levels {
    /// One level.
    pub fn one(after: Duration, every: Duration) -> Self {
        Self(vec![Level { after, every }])
    }
}

impl FromStr for Selector {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let matchers = promql::selector(text);
        let matchers =
            matchers.map_err(|reason| BadPolicy(format!("\"{text}\" selects no series: {reason}")))?;
        Ok(Self { text: text.to_owned(), matchers })
    }
}

impl Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What becomes of samples of an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Forgotten,
    /// One for each interval of so many milliseconds; all of them when it is 0.
    Kept {
        every: i64,
    },
}

/// All policies. A series has the first of them whose rule finds it, by the rules' names, or the general one.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    rules: Vec<(Vec<String>, Vec<Matcher>)>,
    /// The general one, and then that of each rule.
    policies: Vec<Policy>,
}

/// In milliseconds.
#[derive(Clone, Debug)]
struct Policy {
    keep: i64,
    /// The age, and the interval.
    levels: Vec<(i64, i64)>,
}

impl Policy {
    fn new(keep: Duration, levels: &Levels) -> Self {
        let levels = levels.0.iter().map(|level| (millis(level.after), millis(level.every)));
        Self { keep: millis(keep), levels: levels.collect() }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

impl Default for Policies {
    fn default() -> Self {
        Self::of(&Options::default())
    }
}

impl Policies {
    pub(crate) fn of(options: &Options) -> Self {
        let keep: &BTreeMap<String, KeepRule> = &options.keep;
        let general = Policy::new(options.retention, &options.downsampling);
        let others = keep.values().map(|rule| {
            let levels = rule.downsampling.as_ref().unwrap_or(&options.downsampling);
            Policy::new(rule.retention.unwrap_or(options.retention), levels)
        });
        Self {
            rules: keep.values().map(|rule| (rule.projects.clone(), rule.select.matchers.clone())).collect(),
            policies: std::iter::once(general).chain(others).collect(),
        }
    }

    /// The number of a series' policy.
    pub(crate) fn of_series(&self, project: &str, labels: &Labels) -> u32 {
        let finds = |(projects, matchers): &(Vec<String>, Vec<Matcher>)| {
            (projects.is_empty() || projects.iter().any(|id| id == project))
                && matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
        };
        self.rules.iter().position(finds).map_or(0, |place| place as u32 + 1)
    }

    /// What becomes of samples of an age (milliseconds).
    pub(crate) fn fate(&self, policy: u32, age: i64) -> Fate {
        let Policy { keep, levels } = &self.policies[policy as usize];
        if age > *keep {
            return Fate::Forgotten;
        }
        let reached = levels.iter().rev().find(|(after, _)| age > *after);
        Fate::Kept { every: reached.map_or(0, |(_, every)| *every) }
    }

    /// The age up to which samples of any series are kept, in milliseconds.
    pub(crate) fn longest(&self) -> i64 {
        self.policies.iter().map(|policy| policy.keep).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(levels: &[&str]) -> Result<Levels, String> {
        let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
        Levels::try_from(levels).map_err(|bad| bad.to_string())
    }

    #[test]
    fn levels_read_back_as_they_are_written_and_go_from_fine_to_coarse() {
        let good = levels(&["7days:5m", "30d:1h", "365days:1day"]).unwrap();
        let written = Vec::<String>::from(good.clone());
        assert_eq!(written[..2], ["7days:5m", "30days:1h"]);
        assert_eq!(Levels::try_from(written), Ok(good));
        assert_eq!(levels(&[]), Ok(Levels::default()));
        for (bad, says) in [
            (&["7days"][..], "no level such as"),
            (&["7days:often"], "no level such as"),
            (&["7days:0s"], "at least one"),
            (&["7days:1500ms"], "whole seconds"),
            (&["1m:5m"], "not even an interval old"),
            (&["7days:5m", "7days:1h"], "must be for older samples"),
            (&["7days:5m", "30days:5m"], "must be for older samples"),
            (&["7days:5m", "30days:7m"], "must be a multiple"),
        ] {
            let refused = levels(bad).unwrap_err();
            assert!(refused.contains(says), "{bad:?}: {refused}");
        }
    }

    fn options(toml: serde_json::Value) -> Result<Options, String> {
        serde_json::from_value(toml).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_rule_that_finds_a_series_counts() {
        let options = options(serde_json::json!({
            "retention": "30days",
            "downsampling": ["7days:5m", "14days:1h"],
            "keep": {
                "a": { "select": "{__name__=~\"debug_.*\"}", "retention": "1day", "downsampling": [] },
                "b": { "select": "{host=\"a\"}", "projects": ["p"], "retention": "400days" },
            }
        }));
        let policies = Policies::of(&options.unwrap());
        let of = |project: &str, metric: &str, host: &str| {
            policies.of_series(project, &Labels::new([("__name__", metric), ("host", host)]))
        };
        assert_eq!(of("p", "debug_x", "a"), 1);
        assert_eq!((of("p", "load", "a"), of("q", "load", "a"), of("p", "load", "b")), (2, 0, 0));
        let day = 86_400_000;
        let fates = |policy, days: &[i64]| {
            days.iter().map(|days| policies.fate(policy, days * day)).collect::<Vec<_>>()
        };
        let kept = |every| Fate::Kept { every };
        assert_eq!(
            fates(0, &[7, 8, 15, 30, 31]),
            [kept(0), kept(300_000), kept(3_600_000), kept(3_600_000), Fate::Forgotten]
        );
        assert_eq!(fates(1, &[1, 2]), [kept(0), Fate::Forgotten]);
        assert_eq!(fates(2, &[8, 400, 401]), [kept(300_000), kept(3_600_000), Fate::Forgotten]);
        assert_eq!(policies.longest(), 400 * day);
    }

    #[test]
    fn a_rule_that_selects_nothing_is_refused() {
        let refused = options(serde_json::json!({ "keep": { "a": { "select": "rate(x[5m])" } } }));
        assert!(refused.unwrap_err().contains("selects no series"));
        let refused = options(serde_json::json!({ "keep": { "a": { "retention": "1day" } } }));
        assert!(refused.unwrap_err().contains("select"));
    }
}
