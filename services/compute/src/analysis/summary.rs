//! What is told of values at a glance: the largest, the largest groups, and how they are spread.

use std::collections::HashMap;

use weft_proto::weft::compute::v1::{AnalysisGroup, AnalysisValue, Histogram};

use super::table::{Order, Table};

/// Rows and groups that are told.
const TOLD: usize = 20;
/// Bars of a histogram.
const BARS: usize = 20;
/// From this ratio of the largest to the smallest value on, bars are even in the logarithm.
const WIDE: f64 = 100.0;

/// The rows with the largest values.
pub(super) fn top(table: &Table) -> Vec<AnalysisValue> {
    table.page(Order::Value, true, 0, TOLD).into_iter().map(|row| table.value(row)).collect()
}

/// Groups by size, the largest first, and the sizes of all of them. `degree` says how many edges the node of a row has.
pub(super) fn groups(table: &Table, degree: &dyn Fn(usize) -> u32) -> (Vec<AnalysisGroup>, Vec<f64>) {
    // Names are ordinals, so that they are whole numbers. With each its size, and the row with the most edges.
    let mut groups: HashMap<u32, (i64, usize)> = HashMap::new();
    for (row, name) in table.columns[0].iter().enumerate() {
        let (size, hub) = groups.entry(*name as u32).or_insert((0, row));
        *size += 1;
        if degree(row) > degree(*hub) {
            *hub = row;
        }
    }
    let mut found: Vec<(u32, (i64, usize))> = groups.into_iter().collect();
    found.sort_unstable_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(&b.0)));
    let told = found.iter().take(TOLD).map(|(name, (size, hub))| AnalysisGroup {
        value: f64::from(*name),
        node_count: *size,
        node: table.nodes[*hub].as_ref().to_owned(),
    });
    (told.collect(), found.iter().map(|(_, (size, _))| *size as f64).collect())
}

/// How values are spread. None where there are none.
pub(super) fn histogram(values: &[f64]) -> Option<Histogram> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (least, most) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
    if least >= most {
        return Some(Histogram {
            bounds: vec![least, most],
            counts: vec![finite().count() as i64],
            logarithmic: false,
        });
    }
    let logarithmic = least > 0.0 && most / least > WIDE;
    let scale = |value: f64| if logarithmic { value.ln() } else { value };
    let (low, high) = (scale(least), scale(most));
    let mut counts = vec![0; BARS];
    for value in finite() {
        let bar = ((scale(value) - low) / (high - low) * BARS as f64) as usize;
        counts[bar.min(BARS - 1)] += 1;
    }
    let bound = |bar: usize| {
        let at = low + (high - low) * bar as f64 / BARS as f64;
        if logarithmic { at.exp() } else { at }
    };
    let mut bounds: Vec<f64> = (0..=BARS).map(bound).collect();
    // As they are, not as rounding has them.
    (bounds[0], bounds[BARS]) = (least, most);
    Some(Histogram { bounds, counts, logarithmic })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_value_is_in_a_bar() {
        for values in [vec![0.0, 1.0, 1.0, 3.0], vec![1e-9, 1e-3, 1.0], vec![-5.0, 1e300], vec![2.0; 7]] {
            let histogram = histogram(&values).unwrap();
            assert_eq!(histogram.counts.iter().sum::<i64>(), values.len() as i64);
            assert_eq!(histogram.bounds.len(), histogram.counts.len() + 1);
            assert!(histogram.bounds.windows(2).all(|pair| pair[0] <= pair[1]), "{histogram:?}");
        }
        assert!(histogram(&[1e-9, 1.0]).unwrap().logarithmic);
        assert!(histogram(&[]).is_none());
        assert!(histogram(&[f64::NAN]).is_none());
    }

    #[test]
    fn the_largest_group_comes_first() {
        let keys = ["a", "b", "c", "d"].map(Arc::from).to_vec();
        let table = Table::new(vec![1, 2, 3, 4], keys, vec![vec![1.0, 2.0, 2.0, 2.0]]);
        let (groups, sizes) = groups(&table, &|row| [9, 1, 5, 5][row]);
        assert_eq!(groups[0], AnalysisGroup { value: 2.0, node_count: 3, node: "c".into() });
        assert_eq!(sizes, [3.0, 1.0]);
        assert_eq!(top(&table)[0].node, "b");
    }
}
