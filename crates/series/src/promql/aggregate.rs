//! Many series as few: sums, averages, the largest.

use std::collections::HashMap;

use promql_parser::parser::{AggregateExpr, LabelModifier, token};

use super::{
    context::{Context, Value, merged, scalar, text},
    model::{Failure, Row},
    statistics::{compare, least, mean, most, quantile, sum, variance},
    text::format_value,
};
use crate::{
    Labels,
    labels::METRIC,
    value::{ABSENT, is_absent},
};

pub(super) fn aggregate(
    part: &AggregateExpr,
    rows: Vec<Row>,
    parameter: Option<Value>,
    context: &Context<'_>,
) -> Result<Vec<Row>, Failure> {
    let op = part.op.id();
    let groups = grouped(rows, part.modifier.as_ref());
    let count = context.steps.count;
    match op {
        token::T_TOPK | token::T_BOTTOMK => {
            let most = scalar(parameter.ok_or_else(no_parameter)?)?;
            let mut chosen = Vec::new();
            for (_, rows) in groups {
                context.limits.in_time()?;
                chosen.extend(extremes(&rows, &most, op == token::T_TOPK, count));
            }
            return Ok(chosen);
        }
        token::T_COUNT_VALUES => {
            let label = text(parameter.ok_or_else(no_parameter)?)?;
            return merged(counted(groups, &label, count));
        }
        token::T_LIMITK | token::T_LIMIT_RATIO => {
            return Err(Failure::Query(format!("{} is not supported", part.op)));
        }
        _ => {}
    }
    let quantiles = match (op, parameter) {
        (token::T_QUANTILE, Some(value)) => scalar(value)?,
        (token::T_QUANTILE, None) => return Err(no_parameter()),
        _ => Vec::new(),
    };
    let mut out = Vec::with_capacity(groups.len());
    let mut at = Vec::new();
    for (labels, rows) in groups {
        context.limits.in_time()?;
        let mut row = Row::absent(labels, count);
        for (step, value) in row.values.iter_mut().enumerate() {
            at.clear();
            at.extend(rows.iter().map(|row| row.values[step]).filter(|value| !is_absent(*value)));
            if at.is_empty() {
                continue;
            }
            *value = match op {
                token::T_SUM => sum(at.iter().copied()),
                token::T_AVG => mean(&at),
                token::T_MIN => at.iter().copied().fold(f64::NAN, least),
                token::T_MAX => at.iter().copied().fold(f64::NAN, most),
                token::T_COUNT => at.len() as f64,
                token::T_GROUP => 1.0,
                token::T_STDDEV => variance(&at).sqrt(),
                token::T_STDVAR => variance(&at),
                token::T_QUANTILE => quantile(quantiles[step], at.clone()),
                _ => return Err(Failure::Query(format!("{} is not supported", part.op))),
            };
        }
        out.push(row);
    }
    Ok(out)
}

fn no_parameter() -> Failure {
    Failure::Query("the aggregation needs a parameter".into())
}

/// Rows by the labels that are kept, in the order in which they came.
fn grouped(rows: Vec<Row>, modifier: Option<&LabelModifier>) -> Vec<(Labels, Vec<Row>)> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Vec<Row>)> = Vec::new();
    for row in rows {
        let labels = match modifier {
            None => Labels::default(),
            Some(LabelModifier::Include(kept)) => {
                row.labels.filtered(|name| kept.labels.iter().any(|label| label == name))
            }
            Some(LabelModifier::Exclude(dropped)) => row
                .labels
                .filtered(|name| name != METRIC && !dropped.labels.iter().any(|label| label == name)),
        };
        if let Some(place) = places.get(&labels) {
            groups[*place].1.push(row);
        } else {
            places.insert(labels.clone(), groups.len());
            groups.push((labels, vec![row]));
        }
    }
    groups
}

/// The rows that are among the largest or smallest, at the steps where they are; the first of them first.
fn extremes(rows: &[Row], most: &[f64], largest: bool, count: usize) -> Vec<Row> {
    let mut chosen: Vec<Row> = rows.iter().map(|row| Row::absent(row.labels.clone(), count)).collect();
    let mut rank = vec![usize::MAX; rows.len()];
    for (step, most) in most.iter().enumerate() {
        if most.is_nan() || *most < 1.0 {
            continue;
        }
        let mut order: Vec<usize> =
            (0..rows.len()).filter(|row| !is_absent(rows[*row].values[step])).collect();
        order.sort_by(|one, other| compare(rows[*one].values[step], rows[*other].values[step], largest));
        for (place, row) in order.into_iter().take(*most as usize).enumerate() {
            chosen[row].values[step] = rows[row].values[step];
            rank[row] = rank[row].min(place);
        }
    }
    let mut order: Vec<(usize, Row)> =
        rank.into_iter().zip(chosen).filter(|(rank, _)| *rank < usize::MAX).collect();
    order.sort_by_key(|(rank, _)| *rank);
    order.into_iter().map(|(_, row)| row).collect()
}

fn counted(groups: Vec<(Labels, Vec<Row>)>, label: &str, count: usize) -> Vec<Row> {
    let mut out = Vec::new();
    for (labels, rows) in groups {
        let mut by_value: HashMap<u64, Row> = HashMap::new();
        for row in &rows {
            for (step, value) in row.values.iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                let row = by_value
                    .entry(value.to_bits())
                    .or_insert_with(|| Row::absent(labels.with(label, &format_value(*value)), count));
                let counted = &mut row.values[step];
                *counted = if *counted == ABSENT || is_absent(*counted) { 1.0 } else { *counted + 1.0 };
            }
        }
        out.extend(by_value.into_values());
    }
    out
}
