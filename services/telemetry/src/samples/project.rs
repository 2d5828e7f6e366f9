//! A project in memory: its series, the newest samples of its groups, and what segments it has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weft_proto::weft::telemetry::v1::MetricType;
use weft_series::{Labels, group::Group, index::Index};

use super::{policy::Policies, segment::Segment};
use crate::events::{Kind, kept};

/// What a metric is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    /// A `MetricType`.
    pub(crate) kind: i32,
    pub(crate) unit: String,
    pub(crate) description: String,
}

/// Whether a metric only grows, by what was told of it or of what it is a part of, or else by its name.
pub(crate) fn is_counter(metrics: &BTreeMap<String, Metric>, name: &str) -> bool {
    let told = |name: &str| metrics.get(name).map_or(MetricType::Unspecified, Metric::kind);
    match told(name) {
        MetricType::Counter | MetricType::Histogram => true,
        MetricType::Gauge | MetricType::Summary => false,
        MetricType::Unspecified => {
            let whole = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let is_part = |whole| matches!(told(whole), MetricType::Histogram | MetricType::Summary);
            whole.is_some_and(is_part) || name.ends_with("_total") || name.ends_with("_bucket")
        }
    }
}

impl Metric {
    fn kind(&self) -> MetricType {
        MetricType::try_from(self.kind).unwrap_or_default()
    }
}

/// A group and its newest samples.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Who reports it, in words that do not change.
    pub(crate) key: String,
    pub(crate) newest: Group,
    /// Series by their number in the group.
    pub(crate) series: Vec<Slot>,
}

/// A series of a group. Its number stays its own, because callers and chunks name it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) labels: Labels,
    /// Whether the index has it: not when nothing of it is left.
    pub(crate) is_alive: bool,
    /// The number of its policy: how long it is kept, and how it is thinned out.
    pub(crate) policy: u32,
}

/// The memory of a project.
#[derive(Debug, Default)]
pub(crate) struct Project {
    id: Arc<str>,
    policies: Arc<Policies>,
    pub(crate) index: Index,
    pub(crate) groups: Vec<Kept>,
    by_key: HashMap<String, u32>,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// Metrics that the log does not tell of yet.
    pub(crate) untold: Vec<String>,
    pub(crate) counts: Counts,
    logs: kept::Kept,
    spans: kept::Kept,
    /// Series of which nothing is left, and that may come again.
    gone: HashMap<Labels, Place>,
}

/// What came in, and what went, since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    pub(crate) late: u64,
    pub(crate) refused: u64,
    /// Samples that were too old.
    pub(crate) forgotten: u64,
    /// Samples that were left out.
    pub(crate) thinned: u64,
}

/// A series and where its samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: u32,
    pub(crate) number: u32,
}

impl Project {
    pub(crate) fn new(id: Arc<str>, policies: Arc<Policies>) -> Self {
        Self { id, policies, ..Self::default() }
    }

    /// The logs, or the spans.
    pub(crate) fn kept(&self, kind: Kind) -> &kept::Kept {
        match kind {
            Kind::Logs => &self.logs,
            Kind::Spans => &self.spans,
        }
    }

    /// The logs, or the spans.
    pub(crate) fn kept_mut(&mut self, kind: Kind) -> &mut kept::Kept {
        match kind {
            Kind::Logs => &mut self.logs,
            Kind::Spans => &mut self.spans,
        }
    }

    /// The group of a key; made if there is none.
    pub(crate) fn group(&mut self, key: &str) -> u32 {
        if let Some(group) = self.by_key.get(key) {
            return *group;
        }
        let group = self.groups.len() as u32;
        self.groups.push(Kept { key: key.to_owned(), newest: Group::default(), series: Vec::new() });
        self.by_key.insert(key.to_owned(), group);
        group
    }

    /// Where a series is, if it is there.
    pub(crate) fn place(&self, labels: &Labels) -> Option<Place> {
        let series = self.index.series(self.index.find(labels)?);
        Some(Place { group: series.group, number: series.number })
    }

    /// Where a series is; a new one goes to the group of a key. `None` if there are `most` already.
    pub(crate) fn place_or_add(&mut self, labels: &Labels, key: &str, most: usize) -> Option<Place> {
        if let Some(place) = self.place(labels) {
            return Some(place);
        }
        if self.index.len() >= most {
            return None;
        }
        if let Some(place) = self.gone.get(labels).copied() {
            self.revive(place);
            return Some(place);
        }
        if self.gone.len() >= most {
            return None;
        }
        let group = self.group(key);
        let slots = &mut self.groups[group as usize].series;
        let place = Place { group, number: slots.len() as u32 };
        let policy = self.policies.of_series(&self.id, labels);
        slots.push(Slot { labels: labels.clone(), is_alive: true, policy });
        self.index.add(labels.clone(), group, place.number);
        Some(place)
    }

    /// Makes sure that a series which has samples is found.
    pub(crate) fn revive(&mut self, place: Place) {
        let slot = &mut self.groups[place.group as usize].series[place.number as usize];
        if !slot.is_alive {
            slot.is_alive = true;
            self.gone.remove(&slot.labels);
            self.index.add(slot.labels.clone(), place.group, place.number);
        }
    }

    /// Takes series out of the index of which nothing is left, neither in segments nor in memory.
    pub(crate) fn forget_series(&mut self) {
        let mut used: Vec<Vec<bool>> =
            self.groups.iter().map(|kept| vec![kept.newest.has_samples(); kept.series.len()]).collect();
        for segment in &self.segments {
            for (group, part) in &segment.groups {
                for (number, _) in &part.columns {
                    used[*group as usize][*number as usize] = true;
                }
            }
        }
        let mut index = Index::default();
        for (group, (kept, used)) in (0..).zip(self.groups.iter_mut().zip(used)) {
            for (number, (slot, is_used)) in (0..).zip(kept.series.iter_mut().zip(used)) {
                slot.is_alive = is_used;
                if is_used {
                    index.add(slot.labels.clone(), group, number);
                } else {
                    self.gone.insert(slot.labels.clone(), Place { group, number });
                }
            }
        }
        self.index = index;
        let names: std::collections::HashSet<&str> =
            self.index.values("__name__").map(|(name, _)| name).collect();
        // A histogram and a summary are told of by a name that no series has.
        self.metrics.retain(|name, _| {
            names.contains(name.as_str()) || names.contains(format!("{name}_count").as_str())
        });
    }

    /// Remembers what a metric is.
    pub(crate) fn tell(&mut self, name: &str, metric: Metric) {
        if metric == Metric::default()
            || self.metrics.get(name) == Some(&metric)
            || self.metrics.len() >= 100_000
        {
            return;
        }
        self.metrics.insert(name.to_owned(), metric);
        self.untold.push(name.to_owned());
    }

    /// Bytes of samples in memory, nearly.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.iter().map(|kept| kept.newest.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_known_by_its_type_or_its_name() {
        let told = |kind: MetricType| Metric { kind: kind.into(), ..Metric::default() };
        let metrics = BTreeMap::from([
            ("size_total".to_owned(), told(MetricType::Gauge)),
            ("visits".to_owned(), told(MetricType::Counter)),
            ("latency".to_owned(), told(MetricType::Histogram)),
        ]);
        for name in
            ["visits", "latency_count", "latency_sum", "latency_bucket", "other_bucket", "other_total"]
        {
            assert!(is_counter(&metrics, name), "{name}");
        }
        for name in ["size_total", "thread_count", "load", ""] {
            assert!(!is_counter(&metrics, name), "{name}");
        }
    }
}
