//! Operators between two parts of a query.

use std::collections::{HashMap, HashSet};

use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality, token};

use super::{
    context::{Context, Value, merged},
    model::{Failure, Row},
};
use crate::{
    Labels,
    labels::METRIC,
    value::{ABSENT, is_absent, kept},
};

pub(super) fn binary(
    part: &BinaryExpr,
    left: Value,
    right: Value,
    context: &Context<'_>,
) -> Result<Value, Failure> {
    let op = Op { id: part.op.id(), with_bool: part.return_bool() };
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let values = left.iter().zip(&right).map(|(left, right)| op.number(*left, *right));
            Ok(Value::Scalar(values.collect::<Result<_, _>>()?))
        }
        (Value::Vector(rows), Value::Scalar(numbers)) => {
            op.with_numbers(rows, &numbers, |value, number| (value, number)).map(Value::Vector)
        }
        (Value::Scalar(numbers), Value::Vector(rows)) => {
            op.with_numbers(rows, &numbers, |value, number| (number, value)).map(Value::Vector)
        }
        (Value::Vector(left), Value::Vector(right)) => {
            let matching = Matching::of(part.modifier.as_ref());
            let rows = match op.id {
                token::T_LAND => together(left, &right, &matching, true),
                token::T_LUNLESS => together(left, &right, &matching, false),
                token::T_LOR => either(left, right, &matching),
                _ => pairs(op, left, right, &matching, context)?,
            };
            Ok(Value::Vector(rows))
        }
        _ => Err(Failure::Query("a text cannot be calculated with".into())),
    }
}

#[derive(Clone, Copy)]
struct Op {
    id: token::TokenId,
    with_bool: bool,
}

impl Op {
    fn is_comparison(self) -> bool {
        matches!(
            self.id,
            token::T_EQLC | token::T_NEQ | token::T_GTR | token::T_LSS | token::T_GTE | token::T_LTE
        )
    }

    fn compare(self, left: f64, right: f64) -> bool {
        match self.id {
            token::T_EQLC => left == right,
            token::T_NEQ => left != right,
            token::T_GTR => left > right,
            token::T_LSS => left < right,
            token::T_GTE => left >= right,
            _ => left <= right,
        }
    }

    fn number(self, left: f64, right: f64) -> Result<f64, Failure> {
        Ok(match self.id {
            token::T_ADD => left + right,
            token::T_SUB => left - right,
            token::T_MUL => left * right,
            token::T_DIV => left / right,
            token::T_MOD => left % right,
            token::T_POW => left.powf(right),
            token::T_ATAN2 => left.atan2(right),
            _ if self.is_comparison() => f64::from(u8::from(self.compare(left, right))),
            _ => return Err(Failure::Query("the operator is not supported here".into())),
        })
    }

    /// What stands in the answer: absent where a comparison without `bool` does not hold, else the value `shown`.
    fn shown(self, left: f64, right: f64, shown: f64) -> Result<f64, Failure> {
        if self.is_comparison() && !self.with_bool {
            return Ok(if self.compare(left, right) { shown } else { ABSENT });
        }
        self.number(left, right).map(kept)
    }

    fn keeps_name(self) -> bool {
        self.is_comparison() && !self.with_bool
    }

    fn with_numbers(
        self,
        rows: Vec<Row>,
        numbers: &[f64],
        order: impl Fn(f64, f64) -> (f64, f64),
    ) -> Result<Vec<Row>, Failure> {
        let mut out = Vec::with_capacity(rows.len());
        for Row { labels, mut values } in rows {
            for (value, number) in values.iter_mut().zip(numbers) {
                if !is_absent(*value) {
                    let (left, right) = order(*value, *number);
                    *value = self.shown(left, right, *value)?;
                }
            }
            let labels = if self.keeps_name() { labels } else { labels.without_metric() };
            out.push(Row { labels, values });
        }
        merged(out)
    }
}

/// Which rows of two sides belong together.
struct Matching<'m> {
    modifier: Option<&'m BinModifier>,
}

impl<'m> Matching<'m> {
    fn of(modifier: Option<&'m BinModifier>) -> Self {
        Self { modifier }
    }

    /// The labels that must be equal.
    fn signature(&self, labels: &Labels) -> Labels {
        match self.modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(on)) => {
                labels.filtered(|name| on.labels.iter().any(|label| label == name))
            }
            Some(LabelModifier::Exclude(ignored)) => {
                labels.filtered(|name| name != METRIC && !ignored.labels.iter().any(|label| label == name))
            }
            None => labels.without_metric(),
        }
    }

    /// The labels of a pair. `many` is the side that may have several rows.
    fn result(&self, op: Op, many: &Labels, one: &Labels) -> Labels {
        let labels = if op.keeps_name() { many.clone() } else { many.without_metric() };
        match self.modifier.map(|modifier| &modifier.card) {
            Some(VectorMatchCardinality::ManyToOne(include) | VectorMatchCardinality::OneToMany(include)) => {
                include.labels.iter().fold(labels, |labels, name| labels.with(name, one.get(name)))
            }
            _ => match self.modifier.and_then(|modifier| modifier.matching.as_ref()) {
                Some(LabelModifier::Include(on)) => {
                    labels.filtered(|name| on.labels.iter().any(|label| label == name))
                }
                Some(LabelModifier::Exclude(ignored)) => {
                    labels.filtered(|name| !ignored.labels.iter().any(|label| label == name))
                }
                None => labels,
            },
        }
    }

    fn by_signature<'r>(&self, rows: &'r [Row]) -> HashMap<Labels, Vec<&'r Row>> {
        let mut sides: HashMap<Labels, Vec<&Row>> = HashMap::new();
        for row in rows {
            sides.entry(self.signature(&row.labels)).or_default().push(row);
        }
        sides
    }
}

/// Calculates with pairs. One side may have several rows for one of the other only where the query says so; two rows
/// that are one after the other in time are as good as one.
fn pairs(
    op: Op,
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &Matching<'_>,
    context: &Context<'_>,
) -> Result<Vec<Row>, Failure> {
    let card = matching.modifier.map(|modifier| &modifier.card);
    let many_is_right = matches!(card, Some(VectorMatchCardinality::OneToMany(_)));
    let is_one_to_one = !many_is_right && !matches!(card, Some(VectorMatchCardinality::ManyToOne(_)));
    let (many, one) = if many_is_right { (right, left) } else { (left, right) };
    let ones = matching.by_signature(&one);
    for rows in ones.values() {
        alone(rows, "one", context)?;
    }
    if is_one_to_one {
        for (signature, rows) in matching.by_signature(&many) {
            if ones.contains_key(&signature) {
                alone(&rows, "many", context)?;
            }
        }
    }
    let mut out = Vec::new();
    for row in &many {
        context.limits.in_time()?;
        for other in ones.get(&matching.signature(&row.labels)).into_iter().flatten() {
            let mut pair = Row::absent(matching.result(op, &row.labels, &other.labels), row.values.len());
            for (value, (many, one)) in pair.values.iter_mut().zip(row.values.iter().zip(&other.values)) {
                if is_absent(*many) || is_absent(*one) {
                    continue;
                }
                let (left, right) = if many_is_right { (*one, *many) } else { (*many, *one) };
                *value = op.shown(left, right, left)?;
            }
            if pair.values.iter().any(|value| !is_absent(*value)) {
                out.push(pair);
            }
        }
    }
    merged(out)
}

/// Refuses several rows with a value at the same step.
fn alone(rows: &[&Row], side: &str, context: &Context<'_>) -> Result<(), Failure> {
    if rows.len() < 2 {
        return Ok(());
    }
    for step in 0..context.steps.count {
        let mut there = rows.iter().filter(|row| !is_absent(row.values[step]));
        if let (Some(first), Some(_)) = (there.next(), there.next()) {
            let reason = format!(
                "several series of the {side} side match one of the other, for example {}; \
                 say group_left or group_right, or match by more labels",
                first.labels
            );
            return Err(Failure::Query(reason));
        }
    }
    Ok(())
}

/// `and` and `unless`: the left side where the right one has a value, or where it has none.
fn together(left: Vec<Row>, right: &[Row], matching: &Matching<'_>, is_and: bool) -> Vec<Row> {
    let others = matching.by_signature(right);
    let mut out = left;
    for row in &mut out {
        let others = others.get(&matching.signature(&row.labels));
        for (step, value) in row.values.iter_mut().enumerate() {
            let has = others.is_some_and(|others| others.iter().any(|other| !is_absent(other.values[step])));
            if has != is_and {
                *value = ABSENT;
            }
        }
    }
    out.retain(|row| row.values.iter().any(|value| !is_absent(*value)));
    out
}

/// `or`: the left side, and the right one where the left has none of its kind.
fn either(left: Vec<Row>, mut right: Vec<Row>, matching: &Matching<'_>) -> Vec<Row> {
    let lefts = matching.by_signature(&left);
    for row in &mut right {
        let Some(lefts) = lefts.get(&matching.signature(&row.labels)) else { continue };
        for (step, value) in row.values.iter_mut().enumerate() {
            if lefts.iter().any(|left| !is_absent(left.values[step])) {
                *value = ABSENT;
            }
        }
    }
    drop(lefts);
    let names: HashSet<Labels> = left.iter().map(|row| row.labels.clone()).collect();
    let mut out = left;
    for row in right {
        if !row.values.iter().any(|value| !is_absent(*value)) {
            continue;
        }
        // The same series of both sides, at different steps.
        let same = if names.contains(&row.labels) {
            out.iter_mut().find(|left| left.labels == row.labels)
        } else {
            None
        };
        match same {
            Some(left) => {
                for (value, other) in left.values.iter_mut().zip(row.values) {
                    if is_absent(*value) {
                        *value = other;
                    }
                }
            }
            None => out.push(row),
        }
    }
    out
}
