//! Single samples as batches: rows of one time, columns of one series.

use std::collections::HashMap;

use weft_series::{Batch, value::ABSENT};

/// Times × series of one batch: what is more becomes several, so that each fits an entry of the log.
const CELLS: usize = 100_000;

/// Samples of any series in any order, by group.
#[derive(Debug, Default)]
pub(crate) struct Table {
    groups: HashMap<u32, Vec<(i64, u32, f64)>>,
}

impl Table {
    pub(crate) fn add(&mut self, group: u32, number: u32, time: i64, value: f64) {
        self.groups.entry(group).or_default().push((time, number, value));
    }

    /// The batches, with their groups.
    pub(crate) fn into_batches(self) -> Vec<(u32, Batch)> {
        let mut batches = Vec::with_capacity(self.groups.len());
        for (group, mut samples) in self.groups {
            // Stable: of two samples of one series and time the last one counts.
            samples.sort_by_key(|(time, _, _)| *time);
            let mut rest = &samples[..];
            while !rest.is_empty() {
                let taken = fitting(rest);
                let (now, later) = rest.split_at(taken);
                batches.push((group, batch(now)));
                rest = later;
            }
        }
        batches
    }
}

/// How many samples from the front make a batch that is not too large: whole rows, at least one.
fn fitting(samples: &[(i64, u32, f64)]) -> usize {
    let mut numbers: Vec<u32> = samples.iter().map(|(_, number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let rows = (CELLS / numbers.len().max(1)).max(1);
    let (mut taken, mut times, mut last) = (0, 0, None);
    for (time, _, _) in samples {
        if last != Some(*time) {
            times += 1;
            last = Some(*time);
        }
        if times > rows {
            break;
        }
        taken += 1;
    }
    taken
}

fn batch(samples: &[(i64, u32, f64)]) -> Batch {
    let mut times: Vec<i64> = samples.iter().map(|(time, _, _)| *time).collect();
    times.dedup();
    let mut numbers: Vec<u32> = samples.iter().map(|(_, number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut columns: Vec<(u32, Vec<f64>)> =
        numbers.iter().map(|number| (*number, vec![ABSENT; times.len()])).collect();
    let mut row = 0;
    for (time, number, value) in samples {
        while times[row] != *time {
            row += 1;
        }
        if let Ok(place) = numbers.binary_search(number) {
            columns[place].1[row] = *value;
        }
    }
    Batch { times, columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_in_any_order_become_rows() {
        let mut table = Table::default();
        for (group, number, time, value) in
            [(1, 7, 20, 1.0), (1, 3, 10, 2.0), (1, 7, 10, 3.0), (2, 0, 10, 4.0), (1, 7, 10, 5.0)]
        {
            table.add(group, number, time, value);
        }
        let mut batches = table.into_batches();
        batches.sort_by_key(|(group, _)| *group);
        let columns = |batch: &Batch| {
            let columns = batch.columns.iter();
            columns
                .map(|(number, values)| (*number, values.iter().map(|value| value.to_bits()).collect()))
                .collect()
        };
        let expected: Vec<(u32, Vec<u64>)> =
            vec![(3, vec![2f64.to_bits(), ABSENT.to_bits()]), (7, vec![5f64.to_bits(), 1f64.to_bits()])];
        assert_eq!((batches[0].1.times.clone(), columns(&batches[0].1)), (vec![10, 20], expected));
        assert_eq!(batches[1], (2, Batch { times: vec![10], columns: vec![(0, vec![4.0])] }));
    }

    #[test]
    fn a_large_group_is_several_batches() {
        let mut table = Table::default();
        for time in 0..30 {
            for number in 0..10_000 {
                table.add(0, number, time, 1.0);
            }
        }
        let batches = table.into_batches();
        assert_eq!(batches.len(), 3);
        assert_eq!(batches.iter().map(|(_, batch)| batch.sample_count()).sum::<usize>(), 300_000);
    }
}
