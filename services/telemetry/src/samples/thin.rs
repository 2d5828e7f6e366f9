//! Thinning out: of each interval the last sample, as it was.

use weft_series::{
    batch,
    group::{Chunk, Samples},
    value::{ABSENT, is_absent, is_stale},
};

/// Rows of a chunk.
pub(super) const CHUNK_ROWS: usize = 256;

/// Leaves of each interval (milliseconds) the last sample, and the mark of an end where one follows it; of a counter
/// also the samples before and after it has begun again, so that its increase stays what it was. Samples are in order,
/// and stay what they were to the bit, times too.
pub(super) fn thin(samples: &mut Samples, every: i64, is_counter: bool) {
    let Samples { times, values } = &samples;
    let mut keep = vec![false; times.len()];
    let mut begin = 0;
    while begin < times.len() {
        let interval = times[begin].div_euclid(every);
        let end = begin + times[begin..].partition_point(|time| time.div_euclid(every) == interval);
        let last = (begin..end).rev().find(|place| !is_stale(values[*place]));
        if let Some(last) = last {
            keep[last] = true;
        }
        let mark = last.map_or(begin, |last| last + 1);
        if mark < end {
            keep[mark] = true;
        }
        begin = end;
    }
    if is_counter {
        let mut before: Option<usize> = None;
        for place in (0..values.len()).filter(|place| !values[*place].is_nan()) {
            if let Some(before) = before.filter(|before| values[place] < values[*before]) {
                (keep[before], keep[place]) = (true, true);
            }
            before = Some(place);
        }
    }
    let mut is_kept = keep.iter();
    samples.times.retain(|_| is_kept.next().copied().unwrap_or_default());
    let mut is_kept = keep.iter();
    samples.values.retain(|_| is_kept.next().copied().unwrap_or_default());
}

/// Series of a group, by rising number, as chunks.
pub(super) fn chunks(series: &[(u32, Samples)]) -> Vec<Chunk> {
    let mut times: Vec<i64> = series.iter().flat_map(|(_, samples)| samples.times.iter().copied()).collect();
    times.sort_unstable();
    times.dedup();
    let mut next = vec![0; series.len()];
    let mut chunks = Vec::new();
    for rows in times.chunks(CHUNK_ROWS) {
        let mut sample_count = 0;
        let mut columns = Vec::new();
        for ((number, samples), next) in series.iter().zip(&mut next) {
            let end = *next + samples.times[*next..].partition_point(|time| time <= &rows[rows.len() - 1]);
            if *next == end {
                continue;
            }
            let mut values = vec![ABSENT; rows.len()];
            for place in *next..end {
                if let Ok(row) = rows.binary_search(&samples.times[place]) {
                    values[row] = samples.values[place];
                }
            }
            sample_count += values.iter().filter(|value| !is_absent(**value)).count() as u64;
            columns.push((*number, values));
            *next = end;
        }
        let bytes = batch::encode(rows, columns.iter().map(|(number, values)| (*number, values.as_slice())));
        chunks.push(Chunk { first: rows[0], last: rows[rows.len() - 1], sample_count, bytes: bytes.into() });
    }
    chunks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use weft_series::value::STALE;

    use super::*;

    fn samples(all: &[(i64, f64)]) -> Samples {
        Samples {
            times: all.iter().map(|one| one.0).collect(),
            values: all.iter().map(|one| one.1).collect(),
        }
    }

    fn bits(samples: &Samples) -> Vec<(i64, u64)> {
        samples.times.iter().zip(&samples.values).map(|(time, value)| (*time, value.to_bits())).collect()
    }

    fn thinned(all: &[(i64, f64)], every: i64, is_counter: bool) -> Vec<(i64, u64)> {
        let mut samples = samples(all);
        thin(&mut samples, every, is_counter);
        bits(&samples)
    }

    #[test]
    fn of_each_interval_the_last_sample_stays_at_its_time_and_an_end_stays_an_end() {
        let all = [(-30, 0.5), (0, 1.0), (10, 2.0), (99, f64::NAN), (100, 4.0), (300, 5.0), (310, STALE)];
        let kept = [(-30, 0.5), (99, f64::NAN), (100, 4.0), (300, 5.0), (310, STALE)];
        assert_eq!(thinned(&all, 100, false), bits(&samples(&kept)));
        // It came again: the gap was shorter than an interval.
        assert_eq!(thinned(&[(0, 1.0), (10, STALE), (20, 3.0)], 100, false), bits(&samples(&[(20, 3.0)])));
        assert_eq!(thinned(&[(10, STALE), (20, STALE)], 100, false), bits(&samples(&[(10, STALE)])));
        assert_eq!(thinned(&[], 100, true), []);
    }

    #[test]
    fn of_a_counter_stays_what_is_around_each_beginning() {
        let all = [(0, 90.0), (50, 95.0), (110, 97.0), (120, 0.0), (130, 4.0), (190, 99.0), (250, 100.0)];
        let kept = [(50, 95.0), (110, 97.0), (120, 0.0), (190, 99.0), (250, 100.0)];
        assert_eq!(thinned(&all, 100, true), bits(&samples(&kept)));
        assert_eq!(thinned(&all, 100, false).len(), 3);
    }

    /// A series as a test makes it: times that rise, and values that are often marks, zeros and numbers that are none.
    fn series() -> impl Strategy<Value = Vec<(i64, f64)>> {
        let value = prop_oneof![
            4 => any::<f64>().prop_map(weft_series::value::kept),
            2 => (0..5i32).prop_map(f64::from),
            1 => Just(STALE),
            1 => Just(-0.0),
        ];
        let all = proptest::collection::vec((1..120i64, value), 0..900);
        (-5_000..5_000i64, all).prop_map(|(first, all)| {
            let mut at = first;
            let next = |(step, value)| {
                at += step;
                (at, value)
            };
            all.into_iter().map(next).collect()
        })
    }

    /// Where a counter has begun again: before and after.
    fn beginnings(all: &[(i64, u64)]) -> Vec<[(i64, u64); 2]> {
        let numbers: Vec<_> =
            all.iter().copied().filter(|(_, value)| !f64::from_bits(*value).is_nan()).collect();
        let pairs = numbers.windows(2).filter(|pair| f64::from_bits(pair[1].1) < f64::from_bits(pair[0].1));
        pairs.map(|pair| [pair[0], pair[1]]).collect()
    }

    /// As slowly as it can be said.
    fn reference(all: &[(i64, f64)], every: i64, is_counter: bool) -> Vec<(i64, u64)> {
        let mut intervals: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
        for (time, value) in all {
            intervals.entry(time.div_euclid(every)).or_default().push((*time, *value));
        }
        let mut kept: BTreeMap<i64, u64> = BTreeMap::new();
        for inside in intervals.into_values() {
            let value = inside.iter().rfind(|(_, value)| !is_stale(*value));
            let after = value.map_or(i64::MIN, |(time, _)| *time);
            let mark = inside.iter().find(|(time, value)| is_stale(*value) && *time > after);
            kept.extend(value.into_iter().chain(mark).map(|(time, value)| (*time, value.to_bits())));
        }
        if is_counter {
            kept.extend(beginnings(&bits(&samples(all))).into_iter().flatten());
        }
        kept.into_iter().collect()
    }

    proptest! {
        #[test]
        fn thinning_is_the_reference_and_in_steps_is_at_once(
            all in series(),
            every in 1..300i64,
            times in 1..8i64,
            is_counter in any::<bool>(),
        ) {
            prop_assert_eq!(thinned(&all, every, is_counter), reference(&all, every, is_counter));
            let mut steps = samples(&all);
            thin(&mut steps, every, is_counter);
            let once = bits(&steps);
            thin(&mut steps, every, is_counter);
            prop_assert_eq!(&bits(&steps), &once);
            thin(&mut steps, every * times, is_counter);
            prop_assert_eq!(bits(&steps), thinned(&all, every * times, is_counter));
            if is_counter {
                prop_assert_eq!(beginnings(&once), beginnings(&bits(&samples(&all))));
            }
        }

        #[test]
        fn chunks_have_every_sample_to_the_bit(all in proptest::collection::vec(series(), 1..4)) {
            let all: Vec<(u32, Samples)> =
                (0..).zip(&all).map(|(place, all)| (place * 3, samples(all))).collect();
            let chunks = chunks(&all);
            let count: u64 = chunks.iter().map(|chunk| chunk.sample_count).sum();
            prop_assert_eq!(count as usize, all.iter().map(|(_, samples)| samples.times.len()).sum::<usize>());
            for (number, expected) in &all {
                let mut read = Samples::default();
                for chunk in &chunks {
                    read.extend_from_chunk(&chunk.bytes, *number, chunk.first, chunk.last).unwrap();
                }
                prop_assert_eq!(bits(&read), bits(expected));
            }
        }
    }
}
