//! Annotations: `{{ $value }}` and `{{ $labels.name }}` are replaced. All else stays as it is written.

use std::collections::{BTreeMap, HashMap};

use weft_series::promql::format_value;

use super::kept::KeptAlert;

/// Longest annotation that comes out, in bytes.
const LONGEST: usize = 8 << 10;

pub(crate) fn all(annotations: &HashMap<String, String>, alert: &KeptAlert) -> BTreeMap<String, String> {
    annotations.iter().map(|(name, text)| (name.clone(), one(text, alert))).collect()
}

fn one(text: &str, alert: &KeptAlert) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inner, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        match inner.trim() {
            "$value" => out.push_str(&format_value(alert.value)),
            name => match name.strip_prefix("$labels.") {
                Some(label) => out.push_str(alert.labels.get(label).map_or("", String::as_str)),
                None => out.extend(["{{", inner, "}}"]),
            },
        }
        rest = after;
    }
    out.push_str(rest);
    out.truncate(out.floor_char_boundary(LONGEST));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_labels_are_put_in() {
        let alert = KeptAlert {
            labels: [("host".to_owned(), "node7".to_owned())].into(),
            value: 0.5,
            ..KeptAlert::default()
        };
        for (text, expected) in [
            ("{{ $labels.host }} has {{$value}} left", "node7 has 0.5 left"),
            ("{{ $labels.none }}.", "."),
            ("{{ other }} {{", "{{ other }} {{"),
            ("plain", "plain"),
        ] {
            assert_eq!(one(text, &alert), expected);
        }
    }
}
