//! Does a record match? Comparison by comparison, on what the record says of itself.

use std::cmp::Ordering;

use super::lexer::Operator;

/// A filter whose fields are known.
#[derive(Clone, Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// In lower case; looked for in the record's names.
    Word(String),
    Test(Test),
}

/// One comparison.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) field: usize,
    pub(super) path: Vec<String>,
    pub(super) operator: Operator,
    pub(super) value: Value,
}

/// What is compared with.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// It is enough to be there.
    Anything,
    /// A number, or microseconds since 1970.
    Number(f64),
    /// A text.
    Text(Pattern),
    /// A value without quotes, against a property of unknown kind: what it can be read as.
    AnyKind { text: Pattern, number: Option<f64>, truth: Option<bool>, null: bool },
}

/// A text with stars.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// As it was written, with `\*` and `\\`.
    written: String,
    /// As it is meant where stars stand for themselves.
    plain: String,
    lower: String,
    has_stars: bool,
}

impl Value {
    pub(super) fn text(written: String) -> Self {
        Self::Text(Pattern::new(written))
    }

    pub(super) fn any_kind(written: String) -> Self {
        Self::AnyKind {
            number: written.parse::<f64>().ok().filter(|number| number.is_finite()),
            truth: written.parse().ok(),
            null: written == "null",
            text: Pattern::new(written),
        }
    }
}

impl Pattern {
    fn new(written: String) -> Self {
        let mut plain = String::with_capacity(written.len());
        let mut has_stars = false;
        let mut chars = written.chars();
        while let Some(letter) = chars.next() {
            match letter {
                '\\' => plain.extend(chars.next()),
                '*' => {
                    has_stars = true;
                    plain.push('*');
                }
                letter => plain.push(letter),
            }
        }
        Self { lower: plain.to_lowercase(), plain, written, has_stars }
    }

    fn equals(&self, text: &str) -> bool {
        if self.has_stars { wildcard(&self.written, text) } else { self.plain == text }
    }

    fn is_in(&self, text: &str) -> bool {
        if self.has_stars { wildcard(&self.written, text) } else { text.to_lowercase().contains(&self.lower) }
    }
}

/// What a record shows of a field. Of a list it shows each element, of an object each name, and before them
/// that it is there at all.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// It is there, and there is nothing in it to compare with: a list or an object, before what it holds.
    There,
    /// A text.
    Text(&'a str),
    /// One element of a list of texts.
    Element(&'a str),
    /// A number, or microseconds since 1970.
    Number(f64),
    /// True or false.
    Bool(bool),
    /// JSON's null.
    Null,
    /// A name in an object.
    Member(&'a str),
}

/// What can be filtered.
pub trait Record {
    /// Shows the values of a field, until `test` says yes; says whether it did. `field` is its place
    /// in the schema, `path` the names after it. A field that is not there shows nothing.
    fn visit(&self, field: usize, path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool;

    /// Shows the texts that a word alone is looked for in.
    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

pub(super) fn matches(node: &Node, record: &dyn Record) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| matches(node, record)),
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, record)),
        Node::Not(node) => !matches(node, record),
        Node::Word(word) => record.names(&mut |name| name.to_lowercase().contains(word)),
        Node::Test(test) => matches_test(test, record),
    }
}

fn matches_test(test: &Test, record: &dyn Record) -> bool {
    if test.operator == Operator::NotEqual {
        // "No value is equal", and there is one: a list without the element differs from it.
        let mut any = false;
        let equal = record.visit(test.field, &test.path, &mut |found| {
            any = true;
            compare(Operator::Equal, &test.value, found)
        });
        return any && !equal;
    }
    record.visit(test.field, &test.path, &mut |found| compare(test.operator, &test.value, found))
}

fn compare(operator: Operator, value: &Value, found: Found<'_>) -> bool {
    let equality = matches!(operator, Operator::Equal | Operator::Has);
    match found {
        _ if matches!(value, Value::Anything) => true,
        Found::There => false,
        // An element is had or not had as a whole.
        Found::Element(text) if operator == Operator::Has => compare_text(Operator::Equal, value, text),
        Found::Text(text) | Found::Element(text) => compare_text(operator, value, text),
        Found::Number(number) => compare_number(operator, value, number),
        Found::Bool(truth) => {
            equality && matches!(value, Value::AnyKind { truth: Some(wanted), .. } if *wanted == truth)
        }
        Found::Null => equality && matches!(value, Value::AnyKind { null: true, .. }),
        Found::Member(name) => match value {
            Value::Text(pattern) | Value::AnyKind { text: pattern, .. } => {
                operator == Operator::Has && pattern.equals(name)
            }
            _ => false,
        },
    }
}

fn compare_text(operator: Operator, value: &Value, text: &str) -> bool {
    let (Value::Text(pattern) | Value::AnyKind { text: pattern, .. }) = value else { return false };
    match operator {
        Operator::Equal | Operator::NotEqual => pattern.equals(text),
        Operator::Has => pattern.is_in(text),
        ordered => in_order(ordered, text.cmp(&pattern.plain)),
    }
}

fn compare_number(operator: Operator, value: &Value, number: f64) -> bool {
    let (Value::Number(wanted) | Value::AnyKind { number: Some(wanted), .. }) = value else { return false };
    let Some(order) = number.partial_cmp(wanted) else { return false };
    match operator {
        Operator::Equal | Operator::NotEqual | Operator::Has => order == Ordering::Equal,
        ordered => in_order(ordered, order),
    }
}

fn in_order(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Equal | Operator::NotEqual | Operator::Has => order.is_eq(),
    }
}

/// Whether a text matches a pattern in which `*` stands for anything, `\*` for a star and `\\` for
/// a backslash. Takes time in proportion to the product of the lengths at worst: it goes back only
/// to the last star.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let pattern = units(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(None) => {
                back = Some((p, t));
                p += 1;
            }
            Some(Some(letter)) if *letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(Option::is_none)
}

/// Letters of a pattern; `None` is a star.
fn units(pattern: &str) -> Vec<Option<char>> {
    let mut units = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(letter) = chars.next() {
        match letter {
            '*' => units.push(None),
            '\\' => units.extend(chars.next().map(Some)),
            letter => units.push(Some(letter)),
        }
    }
    units
}
