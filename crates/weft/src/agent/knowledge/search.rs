//! How well does a file match words that somebody looks for?

use weft_kit::words::{query_words, terms};
use weft_proto::weft::agent::v1::KnowledgeFile;

/// How much a word counts by where it stands.
const TITLE: f32 = 3.0;
const TAG: f32 = 2.0;
const CREATOR: f32 = 1.5;
const PATH: f32 = 1.0;
/// What is left of it where only the beginning is the word.
const BEGINNING: f32 = 0.5;

/// Words that are looked for. None: everything matches.
pub(super) struct Search(Vec<String>);

impl Search {
    pub(super) fn new(text: &str) -> Self {
        Self(query_words(text).0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How well a file matches; `None` if it lacks a word.
    pub(super) fn score(&self, file: &KnowledgeFile) -> Option<f32> {
        if self.is_empty() {
            return Some(0.0);
        }
        let mut best = vec![0.0_f32; self.0.len()];
        let mut look = |text: &str, weight: f32| {
            terms(text, &mut |term| {
                for (word, best) in self.0.iter().zip(&mut best) {
                    let found = if term == word {
                        weight
                    } else if term.starts_with(word.as_str()) {
                        weight * BEGINNING
                    } else {
                        continue;
                    };
                    *best = best.max(found);
                }
            });
        };
        look(&file.title, TITLE);
        file.tags.iter().for_each(|tag| look(tag, TAG));
        file.creators.iter().for_each(|creator| look(creator, CREATOR));
        look(&file.path, PATH);
        let has_all = best.iter().all(|best| *best > 0.0);
        has_all.then(|| best.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(search: &str) -> Option<f32> {
        let file = KnowledgeFile {
            title: "The great Engine".into(),
            path: "motors/engine-2.md".into(),
            tags: vec!["Wärme/hard".into()],
            creators: vec!["Ada Lovelace".into()],
            ..KnowledgeFile::default()
        };
        Search::new(search).score(&file)
    }

    #[test]
    fn all_words_are_found_wherever_they_stand_and_titles_count_most() {
        assert_eq!(score(""), Some(0.0));
        assert_eq!(score("ENGINE"), Some(3.0));
        assert_eq!(score("eng"), Some(1.5));
        assert_eq!(score("wärme motors"), Some(3.0));
        assert_eq!(score("lovelace engine-2"), Some(1.5 + 3.0 + 1.0));
        assert_eq!(score("engine gears"), None);
        assert_eq!(score("ngine"), None);
    }
}
