//! What stands for a secret in a request, from when a step's settings are filled until the request is sent.
//!
//! A reference has a word in it that this process made up and says to nobody, so that what comes from outside (an input,
//! an answer) cannot pretend to be one. It is in requests only, which are kept nowhere: in no journal, no log and no answer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use serde_json::Value as Json;
use weft_kit::Ids;

/// Ends a reference. Names have no such letter.
const END: char = '\u{e001}';

/// What references begin with.
static BEGIN: LazyLock<String> = LazyLock::new(|| format!("\u{e000}{}:", Ids::system().secret()));

/// Refers to the secret of that name.
pub(crate) fn reference(name: &str) -> String {
    format!("{}{name}{END}", *BEGIN)
}

/// A text with references as every process writes them: only to be compared, with [`count`] beside it.
pub(crate) fn told_everywhere(text: &str) -> String {
    text.replace(BEGIN.as_str(), "\u{e000}")
}

/// Whether a setting names one secret and says nothing else: `${secrets.name}` or `${secrets["a-name"]}`.
pub(crate) fn is_one(setting: &str) -> bool {
    let inner = setting.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = inner.and_then(|inner| inner.trim().strip_prefix("secrets")) else { return false };
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
    };
    let quoted = |quote: &str| {
        let inner = name.strip_prefix('[')?.strip_suffix(']')?.trim();
        inner.strip_prefix(quote)?.strip_suffix(quote)
    };
    name.strip_prefix('.').or_else(|| quoted("\"")).or_else(|| quoted("'")).is_some_and(is_name)
}

/// Whether a text refers to a secret.
pub(crate) fn is_in(text: &str) -> bool {
    text.contains(BEGIN.as_str())
}

/// The secrets that a request refers to, by name, and how often.
pub(crate) fn count(request: &Json) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    each_text(request, &mut |text| {
        for part in text.split(BEGIN.as_str()).skip(1) {
            let name = part.split(END).next().unwrap_or_default();
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    });
    counts
}

fn each_text(value: &Json, look: &mut impl FnMut(&str)) {
    match value {
        Json::String(text) => look(text),
        Json::Array(values) => values.iter().for_each(|value| each_text(value, look)),
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            look(name);
            each_text(value, look);
        }),
        _ => {}
    }
}

/// The request with values in place of references.
pub(crate) fn filled(request: &Json, values: &HashMap<String, String>) -> Json {
    let texts: Vec<(String, &str)> =
        values.iter().map(|(name, value)| (reference(name), value.as_str())).collect();
    changed(request, &|text| {
        if !is_in(text) {
            return text.to_owned();
        }
        texts.iter().fold(text.to_owned(), |text, (reference, value)| text.replace(reference, value))
    })
}

/// A value, each text of which is changed: names of members and numbers, too.
pub(crate) fn changed(value: &Json, change: &impl Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => Json::String(change(text)),
        Json::Array(values) => Json::Array(values.iter().map(|value| changed(value, change)).collect()),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (change(name), changed(value, change))).collect())
        }
        // A number may be what a text is.
        Json::Number(number) => {
            let (text, now) = (number.to_string(), change(&number.to_string()));
            if text == now { value.clone() } else { Json::String(now) }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_become_values() {
        let request = json!({
            "url": format!("https://example.org/?key={}", reference("a-b")),
            "headers": {"authorization": format!("Bearer {}{}", reference("b"), reference("a-b"))},
            "body": [reference("b"), 5],
        });
        assert_eq!(count(&request), BTreeMap::from([("a-b".to_owned(), 2), ("b".to_owned(), 2)]));
        let values =
            HashMap::from([("a-b".to_owned(), "one".to_owned()), ("b".to_owned(), "two".to_owned())]);
        let expected = json!({
            "url": "https://example.org/?key=one", "headers": {"authorization": "Bearer twoone"}, "body": ["two", 5],
        });
        assert_eq!(filled(&request, &values), expected);
    }

    #[test]
    fn a_secret_alone_is_told_from_more() {
        for setting in ["${secrets.db}", " ${ secrets[\"a-b\"] } ", "${secrets['a']}"] {
            assert!(is_one(setting), "{setting}");
        }
        for setting in [
            "",
            "${secrets.}",
            "x${secrets.a}",
            "${secrets.a}x",
            "${secrets.a}${secrets.b}",
            "${input.a}",
            "${secrets.a + ''}",
        ] {
            assert!(!is_one(setting), "{setting}");
        }
    }

    #[test]
    fn what_comes_from_outside_refers_to_nothing() {
        for text in
            ["${secrets.a}", "\u{e000}:a\u{e001}", "\u{e000}0123456789abcdef0123456789abcdef:a\u{e001}"]
        {
            assert!(count(&json!({"a": text})).is_empty(), "{text:?}");
        }
    }
}
