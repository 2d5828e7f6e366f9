//! How do the words of a filter belong together?

use super::{
    FilterError,
    lexer::{Operator, Placed, Token, tokens},
};

/// Parentheses and negations inside each other: more than a person writes, less than a stack holds.
pub(super) const MAX_DEPTH: usize = 32;

/// A filter as it is written, before its fields are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    /// A word alone.
    Word {
        text: String,
        position: usize,
    },
    Compare(Comparison),
}

/// A field, an operator and a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) path: Vec<String>,
    pub(super) position: usize,
    pub(super) operator: Operator,
    pub(super) value: Literal,
    pub(super) value_position: usize,
}

/// A value on the right of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) text: String,
    /// It stood in quotes: it is a text and nothing else.
    pub(super) quoted: bool,
}

/// Parses a filter; `None` if there is nothing in it.
pub(super) fn parse(filter: &str) -> Result<Option<Tree>, FilterError> {
    let tokens = tokens(filter)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let end = filter.chars().count() + 1;
    let mut parser = Parser { tokens, next: 0, end, depth: 0 };
    let tree = parser.expression()?;
    match parser.peek() {
        None => Ok(Some(tree)),
        Some(extra) => {
            Err(FilterError { position: extra.start, reason: "this parenthesis was not opened".into() })
        }
    }
}

struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    /// expression = sequence {AND sequence}; sequence = factor {factor}. Both mean "all of them".
    fn expression(&mut self) -> Result<Tree, FilterError> {
        let mut all = vec![self.factor()?];
        loop {
            if !self.take_keyword("AND") && self.peek().is_none_or(|next| next.token == Token::Close) {
                return Ok(single_or(all, Tree::And));
            }
            all.push(self.factor()?);
        }
    }

    /// factor = term {OR term}
    fn factor(&mut self) -> Result<Tree, FilterError> {
        let mut any = vec![self.term()?];
        while self.take_keyword("OR") {
            any.push(self.term()?);
        }
        Ok(single_or(any, Tree::Or))
    }

    /// term = [NOT | -] simple
    fn term(&mut self) -> Result<Tree, FilterError> {
        if self.take_keyword("NOT") || self.take_minus() {
            return self.deeper(|parser| Ok(Tree::Not(Box::new(parser.term()?))));
        }
        if self.peek().is_some_and(|next| next.token == Token::Open) {
            let open = self.position();
            self.next += 1;
            let tree = self.deeper(Self::expression)?;
            if self.peek().is_none_or(|next| next.token != Token::Close) {
                return Err(FilterError { position: open, reason: "this parenthesis is not closed".into() });
            }
            self.next += 1;
            return Ok(tree);
        }
        self.restriction()
    }

    fn restriction(&mut self) -> Result<Tree, FilterError> {
        let position = self.position();
        let Some(first) = self.peek().cloned() else { return Err(self.error("a condition is missing here")) };
        let path = match first.token {
            Token::Word(word) if !is_keyword(&word) => word,
            Token::Text(text) => {
                self.next += 1;
                if matches!(self.peek(), Some(Placed { token: Token::Operator(_), .. })) {
                    return Err(FilterError {
                        position,
                        reason: "a field's name stands without quotes".into(),
                    });
                }
                return Ok(Tree::Word { text, position });
            }
            _ => return Err(self.error("a field's name is missing here")),
        };
        self.next += 1;
        let segments = self.segments(&path, first.end)?;
        let Some(Placed { token: Token::Operator(operator), .. }) = self.peek() else {
            return Ok(Tree::Word { text: segments.join("."), position });
        };
        let operator = *operator;
        self.next += 1;
        let value_position = self.position();
        let value = match self.peek().map(|next| &next.token) {
            Some(Token::Word(word)) => Literal { text: word.clone(), quoted: false },
            Some(Token::Text(text)) => Literal { text: text.clone(), quoted: true },
            _ => return Err(self.error("a value is missing here")),
        };
        self.next += 1;
        if segments.iter().any(String::is_empty) {
            return Err(FilterError { position, reason: "a part of this field's name is empty".into() });
        }
        Ok(Tree::Compare(Comparison { path: segments, position, operator, value, value_position }))
    }

    /// The parts of a field's name between dots; a part with signs in it may stand in quotes.
    fn segments(&mut self, word: &str, mut end: usize) -> Result<Vec<String>, FilterError> {
        let mut segments: Vec<String> = word.split('.').map(str::to_owned).collect();
        while segments.last().is_some_and(String::is_empty) {
            let Some(Placed { token: Token::Text(text), start, end: text_end }) = self.peek().cloned() else {
                break;
            };
            if start != end {
                break;
            }
            segments.pop();
            segments.push(text);
            end = text_end;
            self.next += 1;
            if let Some(Placed { token: Token::Word(more), start, end: more_end }) = self.peek().cloned()
                && start == end
            {
                let Some(rest) = more.strip_prefix('.') else {
                    return Err(self.error("a dot is missing before this"));
                };
                segments.extend(rest.split('.').map(str::to_owned));
                end = more_end;
                self.next += 1;
            }
        }
        Ok(segments)
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Placed { token: Token::Word(word), .. }) if word == keyword);
        if found {
            self.next += 1;
        }
        found
    }

    /// A minus before a term: a word of its own before a parenthesis, the head of one otherwise.
    fn take_minus(&mut self) -> bool {
        let Some(Placed { token: Token::Word(word), start, .. }) = self.tokens.get_mut(self.next) else {
            return false;
        };
        let Some(rest) = word.strip_prefix('-') else { return false };
        if rest.is_empty() {
            self.next += 1;
        } else {
            *word = rest.to_owned();
            *start += 1;
        }
        true
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(
                self.error(&format!("more than {MAX_DEPTH} parentheses and negations inside each other"))
            );
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn peek(&self) -> Option<&Placed> {
        self.tokens.get(self.next)
    }

    fn position(&self) -> usize {
        self.peek().map_or(self.end, |next| next.start)
    }

    fn error(&self, reason: &str) -> FilterError {
        FilterError { position: self.position(), reason: reason.to_owned() }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "AND" | "OR" | "NOT")
}

fn single_or(mut trees: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    if trees.len() == 1 { trees.remove(0) } else { join(trees) }
}
