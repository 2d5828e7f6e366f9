//! Functions of values, labels and times.

use promql_parser::parser::Expr;
use regex::Regex;

use super::{
    context::{Context, Value, merged, millis, scalar, text, vector},
    dates, histogram,
    model::{Failure, Row},
    parse,
    statistics::compare,
    windows,
};
use crate::{
    Labels,
    labels::METRIC,
    value::{ABSENT, is_absent, kept},
};

pub(super) fn call(
    name: &str,
    written: &[Box<Expr>],
    arguments: Vec<Value>,
    context: &Context<'_>,
) -> Result<Value, Failure> {
    let count = context.steps.count;
    let mut arguments = arguments.into_iter();
    let mut next =
        move || arguments.next().ok_or_else(|| Failure::Query(format!("{name}: too few arguments")));
    if let Some(function) = of_one_value(name) {
        return Ok(Value::Vector(merged(mapped(vector(next()?)?, function))?));
    }
    Ok(match name {
        "time" => Value::Scalar((0..count).map(|step| context.steps.time(step) as f64 / 1_000.0).collect()),
        "pi" => Value::Scalar(vec![std::f64::consts::PI; count]),
        "vector" => Value::Vector(vec![Row { labels: Labels::default(), values: scalar(next()?)? }]),
        "scalar" => Value::Scalar(single(&vector(next()?)?, count)),
        "absent" => {
            let mut row = windows::absent(&vector(next()?)?, context);
            row.labels = written.first().map(|selector| labels_of(selector)).unwrap_or_default();
            Value::Vector(vec![row])
        }
        "sort" | "sort_desc" => {
            let mut rows = vector(next()?)?;
            if count == 1 {
                rows.sort_by(|one, other| compare(one.values[0], other.values[0], name == "sort_desc"));
            }
            Value::Vector(rows)
        }
        "clamp" => {
            let rows = vector(next()?)?;
            let (low, high) = (scalar(next()?)?, scalar(next()?)?);
            Value::Vector(merged(stepped(rows, |value, step| {
                if low[step] > high[step] { ABSENT } else { clamped(value, low[step], high[step]) }
            }))?)
        }
        "clamp_min" | "clamp_max" => {
            let rows = vector(next()?)?;
            let bound = scalar(next()?)?;
            let is_least = name == "clamp_min";
            Value::Vector(merged(stepped(rows, |value, step| {
                let (low, high) =
                    if is_least { (bound[step], f64::INFINITY) } else { (f64::NEG_INFINITY, bound[step]) };
                clamped(value, low, high)
            }))?)
        }
        "round" => {
            let rows = vector(next()?)?;
            let to = if written.len() > 1 { scalar(next()?)? } else { vec![1.0; count] };
            Value::Vector(merged(stepped(rows, |value, step| {
                let inverse = 1.0 / to[step];
                (value * inverse + 0.5).floor() / inverse
            }))?)
        }
        "timestamp" => timestamps(written, vector(next()?)?, context)?,
        "label_replace" => {
            let rows = vector(next()?)?;
            let (to, with, from, pattern) = (text(next()?)?, text(next()?)?, text(next()?)?, text(next()?)?);
            Value::Vector(merged(replaced(rows, &to, &with, &from, &pattern)?)?)
        }
        "label_join" => {
            let rows = vector(next()?)?;
            let (to, between) = (text(next()?)?, text(next()?)?);
            let from: Vec<String> = (3..written.len()).map(|_| text(next()?)).collect::<Result<_, _>>()?;
            named(&to)?;
            let joined = rows.into_iter().map(|row| {
                let parts: Vec<&str> = from.iter().map(|name| row.labels.get(name)).collect();
                Row { labels: row.labels.with(&to, &parts.join(&between)), values: row.values }
            });
            Value::Vector(merged(joined.collect())?)
        }
        "histogram_quantile" => {
            let share = scalar(next()?)?;
            Value::Vector(histogram::quantile(&share, vector(next()?)?, context)?)
        }
        _ => {
            let Some(part) = dates::part(name) else {
                return Err(Failure::Query(format!("{name} is not supported")));
            };
            let rows = if written.is_empty() {
                let now = (0..count).map(|step| context.steps.time(step) as f64 / 1_000.0).collect();
                vec![Row { labels: Labels::default(), values: now }]
            } else {
                vector(next()?)?
            };
            Value::Vector(merged(mapped(rows, part))?)
        }
    })
}

fn of_one_value(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sqrt" => f64::sqrt,
        "sgn" => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        "deg" => f64::to_degrees,
        "rad" => f64::to_radians,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        _ => return None,
    })
}

/// Applies a function to each value; the metric's name goes.
pub(super) fn mapped(rows: Vec<Row>, function: impl Fn(f64) -> f64) -> Vec<Row> {
    stepped(rows, |value, _| kept(function(value)))
}

fn stepped(rows: Vec<Row>, function: impl Fn(f64, usize) -> f64) -> Vec<Row> {
    let apply = |row: Row| {
        let values = row.values.into_iter().enumerate();
        let values = values.map(|(step, value)| if is_absent(value) { value } else { function(value, step) });
        Row { labels: row.labels.without_metric(), values: values.collect() }
    };
    rows.into_iter().map(apply).collect()
}

fn clamped(value: f64, low: f64, high: f64) -> f64 {
    if value.is_nan() || low.is_nan() || high.is_nan() { f64::NAN } else { value.min(high).max(low) }
}

/// The value where there is one series, NaN where there are none or several.
fn single(rows: &[Row], count: usize) -> Vec<f64> {
    let at = |step: usize| {
        let mut there = rows.iter().map(|row| row.values[step]).filter(|value| !is_absent(*value));
        match (there.next(), there.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..count).map(at).collect()
}

/// The labels that a selector demands by name: what is absent would have them.
fn labels_of(expr: &Expr) -> Labels {
    let Expr::VectorSelector(selector) = expr else { return Labels::default() };
    let matchers = parse::matchers(selector).unwrap_or_default();
    let equal = matchers.iter().filter(|matcher| {
        let others = matchers.iter().filter(|other| other.name == matcher.name).count();
        matches!(matcher.op, promql_parser::label::MatchOp::Equal) && matcher.name != METRIC && others == 1
    });
    Labels::new(equal.map(|matcher| (&matcher.name, &matcher.value)))
}

/// When the samples are of: of a selector their own times, of what is calculated those of the steps.
fn timestamps(written: &[Box<Expr>], rows: Vec<Row>, context: &Context<'_>) -> Result<Value, Failure> {
    if let Some(Expr::VectorSelector(selector)) = written.first().map(AsRef::as_ref) {
        let when = super::select::When::of(selector.offset.as_ref(), selector.at.as_ref(), context);
        let (from, to) = when.span(context);
        let look_back = millis(context.limits.look_back);
        let matchers = parse::matchers(selector)?;
        let found = context.source.select(&matchers, from - look_back + 1, to, context.limits)?;
        let mut out = Vec::with_capacity(found.len());
        for mut series in found {
            let times = series.samples.times.iter().map(|time| *time as f64 / 1_000.0).collect::<Vec<_>>();
            let ended: Vec<bool> =
                series.samples.values.iter().map(|value| crate::value::is_stale(*value)).collect();
            series.samples.values = times;
            let window = super::select::Window { range: look_back, when, needed: 1 };
            let values = super::select::over(&series.samples, &series.coarse, &window, context, |view, _| {
                let place = series.samples.times.partition_point(|time| *time <= view.end) - 1;
                if ended[place] { None } else { view.values.last().copied() }
            });
            out.push(Row { labels: series.labels.without_metric(), values });
        }
        return merged(out).map(Value::Vector);
    }
    let rows = stepped(rows, |_, step| context.steps.time(step) as f64 / 1_000.0);
    Ok(Value::Vector(rows))
}

fn replaced(rows: Vec<Row>, to: &str, with: &str, from: &str, pattern: &str) -> Result<Vec<Row>, Failure> {
    let pattern = Regex::new(&format!("^(?s:{pattern})$"))
        .map_err(|_| Failure::Query(format!("label_replace: {pattern:?} is no pattern")))?;
    named(to)?;
    let replace = |row: Row| {
        let Some(found) = pattern.captures(row.labels.get(from)) else { return row };
        let mut value = String::new();
        found.expand(with, &mut value);
        Row { labels: row.labels.with(to, &value), values: row.values }
    };
    Ok(rows.into_iter().map(replace).collect())
}

fn named(label: &str) -> Result<(), Failure> {
    let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let mut letters = label.chars();
    let is_name = letters.next().is_some_and(is_first)
        && letters.all(|letter| is_first(letter) || letter.is_ascii_digit());
    if is_name { Ok(()) } else { Err(Failure::Query(format!("{label:?} is no name of a label"))) }
}
