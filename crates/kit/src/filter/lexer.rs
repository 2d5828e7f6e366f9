//! What words and signs is a filter made of?

use super::FilterError;

/// A word or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A text without quotes: a field, a number, a word.
    Word(String),
    /// A text in quotes. A star that was written `\*` is kept so, for the comparison to see.
    Text(String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=` or `:`.
    Operator(Operator),
    /// `(`.
    Open,
    /// `)`.
    Close,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`
    Has,
}

/// A token and where it begins and ends, in characters from 1.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a filter into tokens.
pub(super) fn tokens(filter: &str) -> Result<Vec<Placed>, FilterError> {
    let chars: Vec<char> = filter.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&letter) = chars.get(at) {
        let start = at;
        let next = chars.get(at + 1).copied();
        let token = match letter {
            letter if letter.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => sign(&mut at, 1, Token::Open),
            ')' => sign(&mut at, 1, Token::Close),
            '=' => sign(&mut at, 1, Token::Operator(Operator::Equal)),
            ':' => sign(&mut at, 1, Token::Operator(Operator::Has)),
            '!' if next == Some('=') => sign(&mut at, 2, Token::Operator(Operator::NotEqual)),
            '<' if next == Some('=') => sign(&mut at, 2, Token::Operator(Operator::LessOrEqual)),
            '>' if next == Some('=') => sign(&mut at, 2, Token::Operator(Operator::GreaterOrEqual)),
            '<' => sign(&mut at, 1, Token::Operator(Operator::Less)),
            '>' => sign(&mut at, 1, Token::Operator(Operator::Greater)),
            '"' | '\'' => quoted(&chars, &mut at)?,
            '!' | ',' | ';' => {
                let reason = format!("{letter:?} means nothing here; put texts with signs in quotes");
                return Err(FilterError { position: start + 1, reason });
            }
            _ => word(&chars, &mut at),
        };
        tokens.push(Placed { token, start: start + 1, end: at + 1 });
    }
    Ok(tokens)
}

fn sign(at: &mut usize, length: usize, token: Token) -> Token {
    *at += length;
    token
}

fn word(chars: &[char], at: &mut usize) -> Token {
    let start = *at;
    while chars.get(*at).is_some_and(|letter| !letter.is_whitespace() && !"()=:!<>\"',;".contains(*letter)) {
        *at += 1;
    }
    Token::Word(chars[start..*at].iter().collect())
}

fn quoted(chars: &[char], at: &mut usize) -> Result<Token, FilterError> {
    let start = *at;
    let quote = chars[start];
    let mut text = String::new();
    *at += 1;
    loop {
        match chars.get(*at) {
            None => {
                let reason = "the quotes that open here are not closed".into();
                return Err(FilterError { position: start + 1, reason });
            }
            Some(letter) if *letter == quote => {
                *at += 1;
                return Ok(Token::Text(text));
            }
            Some('\\') => {
                match chars.get(*at + 1) {
                    Some('*') => text.push_str("\\*"),
                    Some('\\') => text.push_str("\\\\"),
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(letter @ ('"' | '\'')) => text.push(*letter),
                    _ => {
                        let reason = r#"a backslash stands before one of \ * " ' n t"#.into();
                        return Err(FilterError { position: *at + 1, reason });
                    }
                }
                *at += 2;
            }
            Some(letter) => {
                text.push(*letter);
                *at += 1;
            }
        }
    }
}
