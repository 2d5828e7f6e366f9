//! Reading a query, within bounds: what cannot be evaluated is refused before anything is read for it.

use promql_parser::{
    label::Matcher,
    parser::{self, Expr, VectorSelector},
};

use super::model::Failure;

/// Longest query, in bytes.
const LONGEST: usize = 8 << 10;
/// Deepest nesting of its parts: evaluating one part calls the next.
const DEEPEST: usize = 64;

/// A query that can be evaluated.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) expr: Expr,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// It is none, or is too large.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |reason: String| Err(Failure::Query(reason));
        if text.trim().is_empty() {
            return refused("the query is empty".into());
        }
        if text.len() > LONGEST {
            return refused(format!("the query is longer than {LONGEST} bytes"));
        }
        if brackets(text) > DEEPEST {
            return refused(format!("the query is nested deeper than {DEEPEST} levels"));
        }
        let expr = parser::parse(text)
            .map_err(|reason| Failure::Query(format!("the query cannot be read: {reason}")))?;
        if depth(&expr) > DEEPEST {
            return refused(format!("the query is nested deeper than {DEEPEST} levels"));
        }
        Ok(Self { expr })
    }
}

/// The matchers of a series selector, such as `up{host="a"}`.
///
/// # Errors
/// It is none.
pub fn selector(text: &str) -> Result<Vec<Matcher>, Failure> {
    match Query::parse(text)?.expr {
        Expr::VectorSelector(selector) => matchers(&selector),
        _ => Err(Failure::Query("a series selector is asked for, such as up{host=\"a\"}".into())),
    }
}

pub(super) fn matchers(selector: &VectorSelector) -> Result<Vec<Matcher>, Failure> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(Failure::Query("`or` between matchers is not supported".into()));
    }
    let mut matchers = selector.matchers.matchers.clone();
    if let Some(name) = &selector.name {
        matchers.push(Matcher::new(promql_parser::label::MatchOp::Equal, crate::labels::METRIC, name));
    }
    Ok(matchers)
}

/// The deepest nesting of brackets: before parsing, because the parser checks its parts by calling itself.
fn brackets(text: &str) -> usize {
    let (mut open, mut most, mut signs) = (0usize, 0, 0);
    for byte in text.bytes() {
        // A row of signs is as deep as brackets are.
        signs = match byte {
            b'+' | b'-' => signs + 1,
            b' ' | b'\t' | b'\n' | b'\r' => signs,
            _ => 0,
        };
        most = most.max(signs);
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// The deepest nesting of parts, without calling itself.
fn depth(expr: &Expr) -> usize {
    let mut most = 0;
    let mut left = vec![(expr, 1)];
    while let Some((expr, at)) = left.pop() {
        most = most.max(at);
        let mut push = |expr| left.push((expr, at + 1));
        match expr {
            Expr::Aggregate(part) => {
                push(&part.expr);
                if let Some(parameter) = &part.param {
                    push(parameter);
                }
            }
            Expr::Unary(part) => push(&part.expr),
            Expr::Binary(part) => {
                push(&part.lhs);
                push(&part.rhs);
            }
            Expr::Paren(part) => push(&part.expr),
            Expr::Subquery(part) => push(&part.expr),
            Expr::Call(call) => call.args.args.iter().for_each(|argument| push(argument)),
            _ => {}
        }
    }
    most
}
