//! A look at a statement when its workflow is saved. What may be done is the database's to say, in a transaction that it
//! is told to only read in; this finds mistakes while somebody is there to mend them.

/// Longest statement, in bytes.
const LONGEST: usize = 64 << 10;
/// What a step cannot begin with: it is one statement in one transaction, over a connection that others use after it.
const REFUSED: [&str; 24] = [
    "ABORT",
    "BEGIN",
    "CLOSE",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DECLARE",
    "DISCARD",
    "END",
    "EXECUTE",
    "FETCH",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MOVE",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "UNLISTEN",
    "VACUUM",
];

/// How many parameters a statement has, or what is wrong with it.
pub(super) fn look(text: &str) -> Result<usize, String> {
    if text.len() > LONGEST {
        return Err(format!("must be at most {LONGEST} bytes"));
    }
    if text.contains('\0') {
        return Err("must not have a zero byte in it".to_owned());
    }
    // A dollar-quoted text may begin with a brace: `$${"a": 1}$$`.
    if text.match_indices("${").any(|(at, _)| !text[..at].ends_with('$')) {
        let problem =
            "must not have expressions in it: write $1, $2 and so on, and give values as `parameters`";
        return Err(problem.to_owned());
    }
    let mut reader = Reader { text, at: 0, most: 0, first: None, is_over: false };
    reader.read()?;
    let Some(first) = reader.first else { return Err("says nothing".to_owned()) };
    if REFUSED.contains(&first.to_ascii_uppercase().as_str()) {
        let problem =
            format!("must not begin with {first}: a step is one statement, in a transaction of its own");
        return Err(problem);
    }
    Ok(reader.most)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// The largest number of a parameter.
    most: usize,
    /// The first word.
    first: Option<&'t str>,
    /// A semicolon has come.
    is_over: bool,
}

impl<'t> Reader<'t> {
    fn read(&mut self) -> Result<(), String> {
        while let Some(letter) = self.rest().chars().next() {
            let rest = self.rest();
            if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.comment()?;
            } else if letter.is_whitespace() || letter == ';' {
                self.is_over |= letter == ';';
                self.at += letter.len_utf8();
            } else if self.is_over {
                return Err("must be one statement: there is something after the `;`".to_owned());
            } else if letter == '\'' || letter == '"' {
                self.quoted(letter, false)?;
            } else if letter == '$' {
                self.dollar()?;
            } else if is_of_word(letter) {
                self.word()?;
            } else {
                self.at += letter.len_utf8();
            }
        }
        Ok(())
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn word(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let end = rest.find(|letter| !is_of_word(letter) && letter != '$').unwrap_or(rest.len());
        let word = &rest[..end];
        self.at += end;
        if self.first.is_none() && !word.starts_with(|letter: char| letter.is_ascii_digit()) {
            self.first = Some(word);
        }
        if word.eq_ignore_ascii_case("e") && self.rest().starts_with('\'') {
            return self.quoted('\'', true);
        }
        Ok(())
    }

    /// A text or a name, in which the quote itself is there twice; or after a backslash.
    fn quoted(&mut self, quote: char, escapes: bool) -> Result<(), String> {
        let mut letters = self.rest().char_indices().skip(1).peekable();
        while let Some((at, letter)) = letters.next() {
            if escapes && letter == '\\' {
                letters.next();
            } else if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
                self.at += at + 1;
                return Ok(());
            }
        }
        Err(format!("has a {quote} that nothing closes"))
    }

    /// Comments can be in each other.
    fn comment(&mut self) -> Result<(), String> {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                (depth, self.at) = (depth + 1, self.at + 2);
            } else if rest.starts_with("*/") {
                (depth, self.at) = (depth - 1, self.at + 2);
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += rest.chars().next().ok_or("has a comment that nothing ends")?.len_utf8();
            }
        }
    }

    /// A parameter, or a text between `$tag$` and `$tag$`.
    fn dollar(&mut self) -> Result<(), String> {
        let rest = &self.rest()[1..];
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            let number =
                rest[..digits].parse().ok().filter(|number| (1..=super::PARAMETERS).contains(number));
            let number =
                number.ok_or_else(|| format!("has a parameter ${}, which cannot be", &rest[..digits]))?;
            self.most = self.most.max(number);
            self.at += 1 + digits;
            return Ok(());
        }
        let tag = rest.find('$').filter(|end| rest[..*end].chars().all(is_of_word));
        let Some(tag) = tag else {
            self.at += 1;
            return Ok(());
        };
        let mark = &self.rest()[..tag + 2];
        let body = &self.rest()[mark.len()..];
        let end = body.find(mark).ok_or_else(|| format!("has a {mark} that nothing closes"))?;
        self.at += end + 2 * mark.len();
        Ok(())
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_where_they_are_some() {
        for (text, count) in [
            ("SELECT 1", 0),
            ("select * from t where a = $1 and b = $3;", 3),
            ("SELECT '$1', \"$2\", $tag$ $3 ; $tag$, $$${\"a\": $4}$$ -- $5\n /* $6 /* ; */ $7 */", 0),
            ("SELECT E'it\\'s $1', 'it''s $2', $1::int", 1),
            ("  ; with a as (select $2::text) select * from a -- the end", 2),
            ("SELECT a$1 FROM t", 0),
            ("SELECT 1; -- done", 0),
        ] {
            // What begins with a semicolon is over before it begins.
            let expected = if text.trim_start().starts_with(';') { None } else { Some(count) };
            assert_eq!(look(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_single_statement_is_told() {
        for (text, problem) in [
            ("", "says nothing"),
            ("-- only words", "says nothing"),
            ("SELECT 1; SELECT 2", "one statement"),
            ("SELECT '${input.name}'", "parameters"),
            ("SELECT ${input.id}", "parameters"),
            ("commit", "must not begin with commit"),
            ("/* a */ SET ROLE admin", "must not begin with SET"),
            ("COPY t TO STDOUT", "must not begin with COPY"),
            ("SELECT 'open", "nothing closes"),
            ("SELECT $a$ open", "nothing closes"),
            ("SELECT /* /* */ 1", "nothing ends"),
            ("SELECT $0", "$0"),
            ("SELECT $99999999999999999999", "cannot be"),
            ("SELECT '\0'", "zero byte"),
        ] {
            let said = look(text).expect_err(text);
            assert!(said.contains(problem), "{text}: {said}");
        }
        assert!(look(&"x".repeat(LONGEST + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_read_to_its_end(text in "[$'\"/*a-e1-3;{}é\\\\ \n-]{0,60}") {
            drop(look(&text));
        }
    }
}
