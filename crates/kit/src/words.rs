//! What are the words of a text? The same ones for whoever looks for nodes by them and whoever compares nodes by them.

/// How much a word of a node counts by where it stands.
pub const KEY_WEIGHT: f32 = 3.0;
/// See above.
pub const DISPLAY_NAME_WEIGHT: f32 = 2.0;
/// See above.
pub const LABEL_WEIGHT: f32 = 1.5;
/// See above.
pub const PROPERTY_WEIGHT: f32 = 1.0;

/// Words of one node that count at most, so that one long text is not the whole of all.
pub const MAX_WORDS: usize = 20_000;

/// Longer words are cut: they are no words.
pub const MAX_WORD_BYTES: usize = 64;

/// Calls `visit` with every term that a text is found by, in lower case: each run of letters and
/// digits, and the parts of it that letter case and digits tell apart. `libFoo2-dev` has `libfoo2`,
/// `lib`, `foo`, `2` and `dev`.
pub fn terms(text: &str, visit: &mut dyn FnMut(&str)) {
    let mut lower = String::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        emit(word, &mut lower, visit);
        let mut start = 0;
        let mut before: Option<char> = None;
        for (at, letter) in word.char_indices() {
            if before.is_some_and(|before| is_border(before, letter)) {
                emit(&word[start..at], &mut lower, visit);
                start = at;
            }
            before = Some(letter);
        }
        if start > 0 {
            emit(&word[start..], &mut lower, visit);
        }
    }
}

/// The words that are looked for: whole runs only, each once, in their order. The second value says
/// whether the last one may go on: nothing stands after it.
pub fn query_words(query: &str) -> (Vec<String>, bool) {
    let mut words: Vec<String> = Vec::new();
    let mut lower = String::new();
    for word in query.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        emit(word, &mut lower, &mut |term| {
            // The last of two equal words stays, as it may be the beginning of a longer one.
            words.retain(|other| other != term);
            words.push(term.to_owned());
        });
    }
    let open = query.chars().next_back().is_some_and(char::is_alphanumeric);
    (words, open)
}

/// A border inside a run: from lower to upper case, and between letters and digits.
fn is_border(before: char, letter: char) -> bool {
    (before.is_lowercase() && letter.is_uppercase()) || (before.is_numeric() != letter.is_numeric())
}

fn emit(word: &str, lower: &mut String, visit: &mut dyn FnMut(&str)) {
    lower.clear();
    for letter in word.chars().flat_map(char::to_lowercase) {
        if lower.len() + letter.len_utf8() > MAX_WORD_BYTES {
            break;
        }
        lower.push(letter);
    }
    visit(lower);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        terms(text, &mut |term| found.push(term.to_owned()));
        found
    }

    #[test]
    fn package_names_and_identifiers_are_taken_apart() {
        assert_eq!(all("libfoo2-dev"), ["libfoo2", "libfoo", "2", "dev"]);
        assert_eq!(all("parseHTTPHeader"), ["parsehttpheader", "parse", "httpheader"]);
        assert_eq!(all("a_b.c"), ["a", "b", "c"]);
        assert_eq!(all("Größe ΑΒΓ 東京"), ["größe", "αβγ", "東京"]);
        assert_eq!(all(" -- "), [""; 0]);
    }

    #[test]
    fn a_word_without_end_is_cut() {
        assert_eq!(all(&"x".repeat(1000)), ["x".repeat(MAX_WORD_BYTES)]);
        assert_eq!(all(&"ß".repeat(1000))[0].len(), MAX_WORD_BYTES);
    }

    #[test]
    fn a_query_is_its_whole_words() {
        assert_eq!(query_words("libfoo2-dev"), (vec!["libfoo2".into(), "dev".into()], true));
        assert_eq!(query_words("Foo foo bar "), (vec!["foo".into(), "bar".into()], false));
        assert_eq!(query_words("?!"), (vec![], false));
    }
}
