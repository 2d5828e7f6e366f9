//! How Logseq names files, pages and days.

use super::super::pages::scan::{percent_decode, without_ending};
use super::super::path::file_name;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a path tells.
pub(super) struct Named {
    /// Key of the page.
    pub(super) key: String,
    /// The day, of a journal.
    pub(super) day: Option<Day>,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    year: u16,
    month: u8,
    of_month: u8,
}

/// The page that a path means.
pub(super) fn named(path: &str) -> Named {
    let path = path.strip_suffix(".gz").unwrap_or(path);
    let stem = without_ending(file_name(path));
    let in_journals = path.rsplit('/').nth(1) == Some("journals");
    if in_journals && let Some(day) = Day::parse(stem) {
        return Named { key: day.key(), day: Some(day) };
    }
    let key = stem.replace("___", "/");
    Named { key: percent_decode(&key).unwrap_or(key), day: None }
}

impl Day {
    /// Reads `2024_01_31` and `2024-01-31`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let separator = if text.contains('_') { '_' } else { '-' };
        let mut parts = text.split(separator);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = [year, month, day].concat();
        let shaped = year.len() == 4 && month.len() == 2 && day.len() == 2 && parts.next().is_none();
        if !shaped || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let day = Self { year: year.parse().ok()?, month: month.parse().ok()?, of_month: day.parse().ok()? };
        ((1..=12).contains(&day.month) && (1..=31).contains(&day.of_month)).then_some(day)
    }

    /// `2024-01-31`.
    pub(super) fn key(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.of_month)
    }

    /// `2024_01_31`.
    pub(super) fn file_stem(self) -> String {
        self.key().replace('-', "_")
    }

    /// `Jan 31st, 2024`, as Logseq shows it unless told otherwise.
    pub(super) fn name(self) -> String {
        let ending = match (self.of_month % 10, self.of_month / 10) {
            (_, 1) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        format!("{} {}{ending}, {}", MONTHS[usize::from(self.month) - 1], self.of_month, self.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_logseq_names_them() {
        assert_eq!(named("pages/a___b%2Fc d.md").key, "a/b/c d");
        assert_eq!(named("g/pages/What%3F.md").key, "What?");
        let journal = named("journals/2024_01_31.md");
        assert_eq!(
            (journal.key.as_str(), journal.day.unwrap().name().as_str()),
            ("2024-01-31", "Jan 31st, 2024")
        );
        assert!(named("pages/2024_01_31.md").day.is_none());
        assert!(named("journals/notes.md").day.is_none());
    }

    #[test]
    fn days_have_their_endings() {
        let name = |key| Day::parse(key).unwrap().name();
        assert_eq!(name("2024-03-02"), "Mar 2nd, 2024");
        assert_eq!(name("2024-03-11"), "Mar 11th, 2024");
        assert_eq!(name("2024-03-23"), "Mar 23rd, 2024");
        assert_eq!(Day::parse("2024-13-01"), None);
        assert_eq!(Day::parse("2024-1-01"), None);
    }
}
