//! Finding series by their labels.

use std::collections::{BTreeMap, HashMap};

use promql_parser::label::{MatchOp, Matcher};

use crate::Labels;

/// A series: which, and where its samples are.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name.
    pub labels: Labels,
    /// Its group.
    pub group: u32,
    /// Its number there.
    pub number: u32,
}

/// The series of a project. They are numbered in the order in which they came.
#[derive(Debug, Default)]
pub struct Index {
    series: Vec<Series>,
    by_labels: HashMap<Labels, u32>,
    /// Label, value, and the series that have it, in order.
    postings: HashMap<Box<str>, BTreeMap<Box<str>, Vec<u32>>>,
}

impl Index {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series of a number.
    pub fn series(&self, id: u32) -> &Series {
        &self.series[id as usize]
    }

    /// The number of a series.
    pub fn find(&self, labels: &Labels) -> Option<u32> {
        self.by_labels.get(labels).copied()
    }

    /// Adds a series that is not there.
    pub fn add(&mut self, labels: Labels, group: u32, number: u32) -> u32 {
        let id = self.series.len() as u32;
        for (name, value) in labels.iter() {
            let values = match self.postings.get_mut(name) {
                Some(values) => values,
                None => self.postings.entry(name.into()).or_default(),
            };
            match values.get_mut(value) {
                Some(series) => series.push(id),
                None => _ = values.insert(value.into(), vec![id]),
            }
        }
        self.by_labels.insert(labels.clone(), id);
        self.series.push(Series { labels, group, number });
        id
    }

    /// All labels.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.postings.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names
    }

    /// The values of a label, and how many series have each.
    pub fn values(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        let values = self.postings.get(name).into_iter().flatten();
        values.map(|(value, series)| (value.as_ref(), series.len()))
    }

    /// The series that match all of the matchers, in order.
    pub fn matching(&self, matchers: &[Matcher]) -> Vec<u32> {
        let mut lists: Vec<Vec<u32>> = Vec::new();
        let mut others: Vec<&Matcher> = Vec::new();
        for matcher in matchers {
            // One that an absent label matches is asked of each series.
            if matcher.is_match("") {
                others.push(matcher);
                continue;
            }
            let Some(values) = self.postings.get(matcher.name.as_str()) else { return Vec::new() };
            match &matcher.op {
                MatchOp::Equal => match values.get(matcher.value.as_str()) {
                    Some(series) => lists.push(series.clone()),
                    None => return Vec::new(),
                },
                MatchOp::NotEqual | MatchOp::Re(_) | MatchOp::NotRe(_) => {
                    let fitting = values.iter().filter(|(value, _)| matcher.is_match(value));
                    let mut series: Vec<u32> =
                        fitting.flat_map(|(_, series)| series.iter().copied()).collect();
                    series.sort_unstable();
                    lists.push(series);
                }
            }
        }
        lists.sort_by_key(Vec::len);
        let mut lists = lists.into_iter();
        let mut found = lists.next().unwrap_or_else(|| (0..self.series.len() as u32).collect());
        for list in lists {
            found.retain(|id| list.binary_search(id).is_ok());
        }
        found.retain(|id| {
            let labels = &self.series[*id as usize].labels;
            others.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
        });
        found
    }

    /// Bytes of memory, nearly.
    pub fn bytes(&self) -> usize {
        let labels: usize = self.series.iter().map(|series| series.labels.as_bytes().len() + 96).sum();
        let values: usize =
            self.postings.values().flatten().map(|(value, ids)| value.len() + 72 + ids.len() * 4).sum();
        labels + values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::selector;

    fn found(index: &Index, query: &str) -> Vec<u32> {
        index.matching(&selector(query).unwrap())
    }

    #[test]
    fn series_are_found_by_every_kind_of_matcher() {
        let mut index = Index::default();
        for (number, (host, cpu)) in [("a", "0"), ("a", "1"), ("b", "0"), ("c", "")].into_iter().enumerate() {
            let labels = Labels::new([("__name__", "load"), ("host", host), ("cpu", cpu)]);
            index.add(labels, 0, number as u32);
        }
        assert_eq!(found(&index, "load"), [0, 1, 2, 3]);
        assert_eq!(found(&index, r#"load{host="a",cpu="1"}"#), [1]);
        assert_eq!(found(&index, r#"load{host!="a"}"#), [2, 3]);
        assert_eq!(found(&index, r#"load{host=~"a|b",cpu="0"}"#), [0, 2]);
        assert_eq!(found(&index, r#"load{cpu!~".+"}"#), [3]);
        assert_eq!(found(&index, r#"load{cpu=""}"#), [3]);
        assert_eq!(found(&index, r#"{zone="x"}"#), []);
        assert_eq!(found(&index, r#"load{zone!="x",host="c"}"#), [3]);
        assert_eq!(index.names(), ["__name__", "cpu", "host"]);
        assert_eq!(index.values("host").collect::<Vec<_>>(), [("a", 2), ("b", 1), ("c", 1)]);
        assert!(index.find(&Labels::new([("__name__", "load"), ("host", "c")])).is_some());
    }
}
