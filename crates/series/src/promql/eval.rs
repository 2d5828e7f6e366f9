//! Walking a query.

use promql_parser::parser::{Call, Expr, token};

use super::{
    aggregate, binary,
    context::{Context, Value, millis, scalar, vector},
    functions,
    model::{Answer, Failure, Limits, Row, Source, Steps, StoredSeries},
    parse::{self, Query},
    select::{self, When},
    windows,
};
use crate::{Labels, value::is_absent};

/// Evaluates a query at one time (milliseconds since 1970). Series come by name, unless the query says how to sort.
///
/// # Errors
/// See [`Failure`].
pub fn instant(query: &Query, source: &dyn Source, time: i64, limits: &Limits) -> Result<Answer, Failure> {
    let steps = Steps::once(time);
    let context = Context { source, limits, steps, whole: (time, time) };
    if let Expr::MatrixSelector(selector) = &query.expr {
        let when = When::of(selector.vs.offset.as_ref(), selector.vs.at.as_ref(), &context);
        let at = when.at(time);
        let from = at - millis(selector.range) + 1;
        let matchers = parse::matchers(&selector.vs)?;
        let mut found = source.select(&matchers, from, at, limits)?;
        for series in &mut found {
            series.samples.clip(from, at);
            select::without_marks(&mut series.samples);
        }
        found.retain(|series| !series.samples.times.is_empty());
        found.sort_by(|one, other| one.labels.cmp(&other.labels));
        return Ok(Answer::Matrix(found));
    }
    let value = eval(&query.expr, &context)?;
    Ok(match value {
        Value::Scalar(values) => Answer::Scalar(values),
        Value::Text(text) => Answer::Text(text),
        Value::Vector(mut rows) => {
            rows.retain(|row| !is_absent(row.values[0]));
            if !is_sorted_by_itself(&query.expr) {
                rows.sort_by(|one, other| one.labels.cmp(&other.labels));
            }
            Answer::Vector(rows)
        }
    })
}

/// Evaluates a query at each step. Series come by name.
///
/// # Errors
/// See [`Failure`].
pub fn range(query: &Query, source: &dyn Source, steps: Steps, limits: &Limits) -> Result<Answer, Failure> {
    Limits::at_most(steps.count as u64, limits.steps, "steps")?;
    let context = Context { source, limits, steps, whole: (steps.first, steps.last()) };
    Ok(match eval(&query.expr, &context)? {
        Value::Scalar(values) => Answer::Scalar(values),
        Value::Text(_) => return Err(Failure::Query("a text has no values over time".into())),
        Value::Vector(mut rows) => {
            rows.retain(|row| row.values.iter().any(|value| !is_absent(*value)));
            rows.sort_by(|one, other| one.labels.cmp(&other.labels));
            Answer::Vector(rows)
        }
    })
}

fn is_sorted_by_itself(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => is_sorted_by_itself(&inner.expr),
        Expr::Call(call) => call.func.name.starts_with("sort"),
        Expr::Aggregate(aggregate) => {
            matches!(aggregate.op.id(), token::T_TOPK | token::T_BOTTOMK)
        }
        _ => false,
    }
}

pub(super) fn eval(expr: &Expr, context: &Context<'_>) -> Result<Value, Failure> {
    context.limits.in_time()?;
    let value = match expr {
        Expr::NumberLiteral(number) => Value::Scalar(vec![number.val; context.steps.count]),
        Expr::StringLiteral(text) => Value::Text(text.val.clone()),
        Expr::Paren(inner) => eval(&inner.expr, context)?,
        Expr::Unary(inner) => negated(eval(&inner.expr, context)?),
        Expr::VectorSelector(selector) => {
            let matchers = parse::matchers(selector)?;
            let when = When::of(selector.offset.as_ref(), selector.at.as_ref(), context);
            Value::Vector(select::looks(&matchers, when, context)?)
        }
        Expr::Call(call) => self::call(call, context)?,
        Expr::Aggregate(part) => {
            let rows = vector(eval(&part.expr, context)?)?;
            let parameter = part.param.as_ref().map(|parameter| eval(parameter, context)).transpose()?;
            Value::Vector(aggregate::aggregate(part, rows, parameter, context)?)
        }
        Expr::Binary(part) => {
            let (left, right) = (eval(&part.lhs, context)?, eval(&part.rhs, context)?);
            binary::binary(part, left, right, context)?
        }
        Expr::MatrixSelector(_) | Expr::Subquery(_) => {
            return Err(Failure::Query("a range of samples stands where values are asked for".into()));
        }
        Expr::Extension(_) => return Err(Failure::Query("the query has a part that is not known".into())),
    };
    if let Value::Vector(rows) = &value {
        let points = (rows.len() * context.steps.count) as u64;
        Limits::at_most(points, context.limits.points, "values")?;
    }
    Ok(value)
}

fn call(call: &Call, context: &Context<'_>) -> Result<Value, Failure> {
    let arguments = &call.args.args;
    let window = arguments.iter().position(|argument| window_of(argument).is_some());
    let Some(window) = window.and_then(|place| window_of(&arguments[place])) else {
        let values: Vec<Value> =
            arguments.iter().map(|argument| eval(argument, context)).collect::<Result<_, _>>()?;
        return functions::call(call.func.name, arguments, values, context);
    };
    let parameters: Vec<Vec<f64>> = arguments
        .iter()
        .filter(|argument| window_of(argument).is_none())
        .map(|argument| scalar(eval(argument, context)?))
        .collect::<Result<_, _>>()?;
    let (series, range, when) = match window {
        Window::Samples(selector) => {
            let when = When::of(selector.vs.offset.as_ref(), selector.vs.at.as_ref(), context);
            let range = millis(selector.range);
            let (from, to) = when.span(context);
            let matchers = parse::matchers(&selector.vs)?;
            let found = context.source.select(&matchers, from - range + 1, to, context.limits)?;
            (found, range, when)
        }
        Window::Query(subquery) => {
            let when = When::of(subquery.offset.as_ref(), subquery.at.as_ref(), context);
            let range = millis(subquery.range);
            (calculated(subquery, when, range, context)?, range, when)
        }
    };
    windows::call(call.func.name, series, range, when, &parameters, context).map(Value::Vector)
}

enum Window<'e> {
    Samples(&'e promql_parser::parser::MatrixSelector),
    Query(&'e promql_parser::parser::SubqueryExpr),
}

fn window_of(expr: &Expr) -> Option<Window<'_>> {
    match expr {
        Expr::MatrixSelector(selector) => Some(Window::Samples(selector)),
        Expr::Subquery(subquery) => Some(Window::Query(subquery)),
        Expr::Paren(inner) => window_of(&inner.expr),
        _ => None,
    }
}

/// Samples that a query makes: at multiples of its step, wherever the outer query begins.
fn calculated(
    subquery: &promql_parser::parser::SubqueryExpr,
    when: When,
    range: i64,
    context: &Context<'_>,
) -> Result<Vec<StoredSeries>, Failure> {
    let step = subquery.step.map_or(60_000, millis).max(1);
    let (from, to) = when.span(context);
    let after = from.saturating_sub(range);
    let first = (after.div_euclid(step) + 1) * step;
    if first > to {
        return Ok(Vec::new());
    }
    let steps = Steps::new(first, to, step, context.limits.steps.saturating_mul(10))?;
    let inner = Context { steps, ..*context };
    let rows = match eval(&subquery.expr, &inner)? {
        Value::Vector(rows) => rows,
        Value::Scalar(values) => vec![Row { labels: Labels::default(), values }],
        Value::Text(_) => return Err(Failure::Query("a text has no values over time".into())),
    };
    let series = rows.into_iter().map(|row| {
        let mut series = StoredSeries { labels: row.labels, ..StoredSeries::default() };
        for (place, value) in row.values.into_iter().enumerate() {
            if !is_absent(value) {
                series.samples.times.push(steps.time(place));
                series.samples.values.push(value);
            }
        }
        series
    });
    Ok(series.collect())
}

fn negated(value: Value) -> Value {
    match value {
        Value::Scalar(values) => Value::Scalar(values.into_iter().map(|value| -value).collect()),
        Value::Vector(rows) => Value::Vector(functions::mapped(rows, |value| -value)),
        Value::Text(text) => Value::Text(text),
    }
}
