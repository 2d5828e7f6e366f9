//! Words of a text, and queries of them.

use super::filter::{self, Of};

/// Most terms of a query.
const MOST: usize = 32;
/// Letters of a word that count: what is longer is likely to be no word.
const LONGEST: usize = 128;

/// The words of a text in small letters: letters, digits and underscores that follow each other.
pub(crate) fn words(small: &str) -> impl Iterator<Item = &str> {
    small.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter_map(|word| {
        let end = word.char_indices().nth(LONGEST).map_or(word.len(), |(end, _)| end);
        (end > 0).then(|| &word[..end])
    })
}

/// A word as filters have it.
pub(crate) fn hash(word: &str) -> u64 {
    filter::hash(Of::Word, &[word.as_bytes()])
}

/// What is looked for in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<Term>);

/// Words one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    words: Vec<String>,
    /// Whether the last one is the beginning of a word.
    is_beginning: bool,
    /// Whether they must not be there.
    is_not: bool,
}

impl Query {
    /// Reads a query: words, `"words in quotes"`, `begin*`, `-not`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (is_not, after) = match rest.strip_prefix('-') {
                Some(after) => (true, after),
                None => (false, rest),
            };
            let (inner, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            let (inner, after, is_beginning) = match (inner.strip_suffix('*'), after.strip_prefix('*')) {
                (Some(inner), _) => (inner, after, true),
                (None, Some(after)) => (inner, after, true),
                (None, None) => (inner, after, false),
            };
            let words: Vec<String> = words(&inner.to_lowercase()).map(str::to_owned).collect();
            // Signs alone are in no text as a word, so they say nothing.
            if !words.is_empty() {
                terms.push(Term { words, is_beginning, is_not });
            }
            rest = after.trim_start();
        }
        if terms.len() > MOST { Err("has more than 32 terms") } else { Ok(Self(terms)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hashes of words that a text has for which it holds.
    pub(crate) fn needed(&self) -> Vec<u64> {
        let mut needed = Vec::new();
        for term in self.0.iter().filter(|term| !term.is_not) {
            let whole = term.words.len() - usize::from(term.is_beginning);
            needed.extend(term.words[..whole].iter().map(|word| hash(word)));
        }
        needed
    }

    /// Whether it holds for texts, which are in small letters.
    pub(crate) fn holds(&self, texts: &[String]) -> bool {
        let texts: Vec<Vec<&str>> = texts.iter().map(|text| words(text).collect()).collect();
        self.0.iter().all(|term| texts.iter().any(|words| term.is_in(words)) != term.is_not)
    }
}

impl Term {
    fn is_in(&self, words: &[&str]) -> bool {
        words.windows(self.words.len()).any(|window| {
            let last = self.words.len() - 1;
            window.iter().zip(&self.words).enumerate().all(|(place, (word, wanted))| {
                if place == last && self.is_beginning { word.starts_with(wanted) } else { word == wanted }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(query: &str, text: &str) -> bool {
        Query::parse(query).unwrap().holds(&[text.to_lowercase()])
    }

    #[test]
    fn all_terms_must_hold() {
        let text = "Connection to 10.0.0.7:5432 refused (user_id=42, Ärger)";
        for query in [
            "",
            "refused connection",
            "REFUSED",
            "ärger",
            "10.0.0.7",
            "\"connection to 10\"",
            "conn*",
            "\"to 10.0.0.7:54\"*",
            "-accepted",
            "user_id",
            "user_id=42",
            "-- ... refused",
        ] {
            assert!(holds(query, text), "{query}");
        }
        for query in
            ["conn", "refused accepted", "\"to connection\"", "-refused", "use*d", "0.0.0.9", "-conn*"]
        {
            assert!(!holds(query, text), "{query}");
        }
        assert!(Query::parse("\"open").is_err());
        assert!(Query::parse(&"a ".repeat(33)).is_err());
        assert!(Query::parse(" .. - ").unwrap().is_empty());
    }

    #[test]
    fn what_is_needed_is_whole_words_alone() {
        let query = Query::parse("a \"b c\" d* -e \"f g*\"").unwrap();
        assert_eq!(query.needed(), ["a", "b", "c", "f"].map(hash));
    }
}
