//! What has come of a request, without the secrets that were in it.

use std::fmt::Write;

use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use crate::domain::{fault::StepError, secret};

/// What is in place of a secret.
const MASK: &str = "•••";
/// A shorter value is not looked for: it would be found in what has nothing to do with it.
const SHORTEST: usize = 4;
/// A longer value is looked for in parts of this length, in bytes or a little more.
const PART: usize = 512;

/// Takes values out of what may repeat them.
#[derive(Default)]
pub(crate) struct Mask(Vec<Regex>);

impl Mask {
    pub(crate) fn of<'v>(values: impl Iterator<Item = &'v String>) -> Self {
        let mut values: Vec<&str> =
            values.map(|value| value.trim()).filter(|value| value.len() >= SHORTEST).collect();
        // What is in another one is looked for after it.
        values.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into_iter().flat_map(parts).filter_map(|part| pattern(&part)).collect())
    }

    /// A text. It must be whole: of a value that was cut there is nothing to find.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| match value.replace_all(&text, MASK) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(masked) => masked,
        })
    }

    /// A value, whole.
    pub(crate) fn value(&self, value: Json) -> Json {
        if self.0.is_empty() { value } else { secret::changed(&value, &|text| self.text(text)) }
    }

    /// Why a step failed.
    pub(crate) fn error(&self, error: StepError) -> StepError {
        StepError { message: self.text(&error.message), ..error }
    }
}

/// A value in parts that are not too long, of which none is too short.
fn parts(value: &str) -> Vec<String> {
    let letters: Vec<char> = value.chars().collect();
    let count = (letters.len() / PART).max(1);
    letters.chunks(letters.len().div_ceil(count)).map(|part| part.iter().collect()).collect()
}

/// A pattern of every way in which a value may be written: as it is, as addresses and forms write it, as JSON does, also
/// as a text within another one.
fn pattern(value: &str) -> Option<Regex> {
    let mut pattern = String::new();
    for letter in value.chars() {
        let as_it_is = regex::escape(&letter.to_string());
        let mut bytes = [0; 4];
        let percent = letter.encode_utf8(&mut bytes).bytes().fold(String::new(), |mut percent, byte| {
            let _ = write!(percent, "%(?i:{byte:02x})");
            percent
        });
        let mut units = [0; 2];
        let unicode = letter.encode_utf16(&mut units).iter().fold(String::new(), |mut unicode, unit| {
            let _ = write!(unicode, "\\\\+u(?i:{unit:04x})");
            unicode
        });
        let special = match letter {
            ' ' => "|\\+",
            '\n' => "|\\\\+n",
            '\r' => "|\\\\+r",
            '\t' => "|\\\\+t",
            _ => "",
        };
        let _ = write!(pattern, "(?:\\\\*{as_it_is}|{percent}|{unicode}{special})");
    }
    // Compiles whatever the value is: each letter is a small group.
    RegexBuilder::new(&pattern).size_limit(32 << 20).build().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_repeats_a_secret_does_not_show_it() {
        let values = ["pass\"word/ å+😀".to_owned(), "abc".to_owned(), "8675309123".to_owned()];
        let mask = Mask::of(values.iter());
        let given = json!({"a": "is pass\"word/ å+😀!", "pass\"word/ å+😀": 5, "short": "abc", "n": 8_675_309_123_u64});
        assert_eq!(mask.value(given), json!({"a": "is •••!", "•••": 5, "short": "abc", "n": "•••"}));
        for text in [
            r#"pass\"word/ å+😀"#,
            r#"pass\\\"word/ å+😀"#,
            r#"pass\"word\/ \u00e5\u002B\ud83d\ude00"#,
            "pass%22word/%20%C3%A5+%F0%9F%98%80",
            "pass%22word%2f%20%c3%a5%2b%f0%9f%98%80",
            "pass%22word%2F+%C3%A5%2B%F0%9F%98%80",
        ] {
            assert_eq!(mask.text(&format!("<{text}>")), "<•••>", "{text}");
        }
        let quoted = json!({"a": json!({"b": json!([values[0]]).to_string()}).to_string()}).to_string();
        assert!(!mask.text(&quoted).contains("word"), "{quoted}");
        let error = StepError::new("HTTP_STATUS", "400: {\"x\":\"8675309123\"}");
        assert_eq!(mask.error(error).message, "400: {\"x\":\"•••\"}");
    }

    #[test]
    fn a_long_value_is_found_in_parts() {
        let value = (0..5_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let masked = Mask::of([&value].into_iter()).text(&format!("<{value}>"));
        assert!(
            masked.len() < 1_000 && masked.starts_with("<•••") && masked.ends_with("•••>"),
            "{masked:.100}"
        );
    }
}
