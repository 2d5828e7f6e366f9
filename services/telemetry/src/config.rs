//! Settings of the telemetry service.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use weft_kit::config::Network;

use crate::{
    events::Kind,
    samples::policy::{KeepRule, Levels},
};

/// Settings of the telemetry service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long samples are kept.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// Samples that are older than so long are thinned out to the last one of each interval: `AGE:INTERVAL`, from fine to
    /// coarse, each interval a multiple of the one before (`["7days:5m", "90days:1h"]`); not at all when empty.
    pub downsampling: Levels,
    /// Another retention, or another down-sampling, for some series, by a name of your choice. Where several rules
    /// find a series, the first one by its name counts.
    pub keep: BTreeMap<String, KeepRule>,
    /// Most series of a project. A sample of a further one is refused, and counted.
    pub max_series: usize,
    /// How long samples stay in memory, and in the log, before they are sealed into a segment.
    #[serde(with = "humantime_serde")]
    pub seal_after: Duration,
    /// So many samples in memory are sealed sooner.
    pub seal_samples: u64,
    /// How long logs are kept.
    #[serde(with = "humantime_serde")]
    pub log_retention: Duration,
    /// Most bytes on disk of a project's sealed logs; the oldest are forgotten first.
    pub log_bytes: u64,
    /// How long spans are kept.
    #[serde(with = "humantime_serde")]
    pub trace_retention: Duration,
    /// Most bytes on disk of a project's sealed spans; the oldest are forgotten first.
    pub trace_bytes: u64,
    /// Bytes of logs and spans that a project may send in a second, on average over ten seconds; any when zero.
    pub event_rate_bytes: u64,
    /// So many bytes of logs, or of spans, in memory are sealed before `seal_after`.
    pub event_seal_bytes: usize,
    /// How often it is looked what is to be thinned out and forgotten.
    #[serde(with = "humantime_serde")]
    pub housekeeping: Duration,
    /// Memory for segments that were read.
    pub cache_bytes: usize,
    /// Samples that are further ahead of this process's clock are refused, and counted.
    #[serde(with = "humantime_serde")]
    pub max_ahead: Duration,
    /// How long a query may take.
    #[serde(with = "humantime_serde")]
    pub query_timeout: Duration,
    /// Most series that one selector of a query may find.
    pub query_series: u64,
    /// Most samples that one selector of a query may read.
    pub query_samples: u64,
    /// How often alert rules are evaluated.
    #[serde(with = "humantime_serde")]
    pub alert_interval: Duration,
    /// Networks that webhooks of alerts may be in besides the public internet (`["10.0.0.0/8", "127.0.0.1"]`). None by
    /// default: who may write rules could otherwise call what only this process can reach.
    pub webhook_networks: Vec<Network>,
    /// The pause before a webhook that has failed is told again; it doubles with each failure, up to an hour.
    #[serde(with = "humantime_serde")]
    pub webhook_pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(30 * 24),
            downsampling: Levels::one(Duration::from_hours(7 * 24), Duration::from_mins(5)),
            keep: BTreeMap::new(),
            max_series: 1_000_000,
            seal_after: Duration::from_hours(2),
            seal_samples: 4_000_000,
            log_retention: Duration::from_hours(7 * 24),
            log_bytes: 1 << 30,
            trace_retention: Duration::from_hours(7 * 24),
            trace_bytes: 1 << 30,
            event_rate_bytes: 8 << 20,
            event_seal_bytes: 8 << 20,
            housekeeping: Duration::from_mins(10),
            cache_bytes: 128 << 20,
            max_ahead: Duration::from_hours(2),
            query_timeout: Duration::from_secs(30),
            query_series: 100_000,
            query_samples: 50_000_000,
            alert_interval: Duration::from_secs(15),
            webhook_networks: Vec::new(),
            webhook_pause: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// How long events of a kind are kept.
    pub(crate) fn keeps(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Logs => self.log_retention,
            Kind::Spans => self.trace_retention,
        }
    }

    /// Most bytes on disk of a project's sealed events of a kind.
    pub(crate) fn most_bytes(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Logs => self.log_bytes,
            Kind::Spans => self.trace_bytes,
        }
    }
}
