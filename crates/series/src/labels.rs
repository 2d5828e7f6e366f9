//! Names of series: pairs of texts, sorted by the first.

use std::{fmt, sync::Arc};

use crate::varint::{DecodeError, Reader, write_bytes};

/// The label that holds the metric's name.
pub const METRIC: &str = "__name__";

/// The labels of a series, in one piece of memory: 1,000,000 series are held at once. Cheap to clone.
///
/// Equal labels are equal bytes: each name and value after its length, by name, none of them empty or twice.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// Sorts pairs. A value that is empty is as good as none; of a name that is there twice the last counts.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut sorted: Vec<(N, V)> = pairs.into_iter().collect();
        sorted.sort_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
        let mut bytes = Vec::with_capacity(sorted.len() * 24);
        for (place, (name, value)) in sorted.iter().enumerate() {
            let is_last = sorted.get(place + 1).is_none_or(|next| next.0.as_ref() != name.as_ref());
            if is_last && !value.as_ref().is_empty() {
                write_bytes(&mut bytes, name.as_ref().as_bytes());
                write_bytes(&mut bytes, value.as_ref().as_bytes());
            }
        }
        Self(bytes.into())
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut reader = Reader::new(&self.0);
        let mut text = move || std::str::from_utf8(reader.bytes().ok()?).ok();
        std::iter::from_fn(move || Some((text()?, text()?)))
    }

    /// The value of a label; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
    }

    /// The metric's name; empty where there is none.
    pub fn metric(&self) -> &str {
        self.get(METRIC)
    }

    /// Those labels whose name fits.
    pub fn filtered(&self, mut fits: impl FnMut(&str) -> bool) -> Self {
        Self::new(self.iter().filter(|(name, _)| fits(name)))
    }

    /// With another value of one label; without that label where the value is empty.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.iter().filter(|(other, _)| *other != name).chain([(name, value)]))
    }

    /// Without the metric's name: what is calculated is not that metric any more.
    pub fn without_metric(&self) -> Self {
        self.filtered(|name| name != METRIC)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As they were kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut last: &str = "";
        while !reader.is_empty() {
            let mut text = || {
                std::str::from_utf8(reader.bytes()?).map_err(|_| DecodeError("holds a text that is no UTF-8"))
            };
            let (name, value) = (text()?, text()?);
            if name <= last || value.is_empty() {
                return Err(DecodeError("holds labels that are not in order"));
            }
            last = name;
        }
        Ok(Self(bytes.into()))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric())?;
        let mut before = if self.metric().is_empty() && self.is_empty() { "" } else { "{" };
        if self.is_empty() {
            return f.write_str("{}");
        }
        let mut any = false;
        for (name, value) in self.iter().filter(|(name, _)| *name != METRIC) {
            write!(f, "{before}{name}={value:?}")?;
            before = ", ";
            any = true;
        }
        if any { f.write_str("}") } else { Ok(()) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_none_is_empty_or_twice() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("__name__", "up"), ("c", ""), ("a", "3")]);
        assert_eq!(labels.to_string(), r#"up{a="3", b="2"}"#);
        assert_eq!(Labels::from_bytes(labels.as_bytes()), Ok(labels.clone()));
        assert_eq!((labels.metric(), labels.get("a"), labels.get("z")), ("up", "3", ""));
        assert_eq!(labels.without_metric().with("b", "").to_string(), r#"{a="3"}"#);
        assert_eq!(Labels::default().to_string(), "{}");
        assert_eq!(Labels::new([("__name__", "up")]).to_string(), "up");
    }

    #[test]
    fn bytes_that_are_no_labels_are_refused() {
        for bytes in [&b"\x01a"[..], b"\x01b\x011\x01a\x011", b"\x01a\x00", b"\x01\xff\x011", b"\x05a\x01b"] {
            assert!(Labels::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
