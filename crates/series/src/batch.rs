//! Samples of a group: a column of times, and a column of values for each series. The one form in which samples
//! travel, are logged and are kept.
//!
//! ```text
//! version (1)  rows  times…  columns  ( number of the series, less that before  length  values… )*
//! ```

use crate::{
    column,
    value::is_absent,
    varint::{DecodeError, Reader, write_bytes, write_unsigned},
};

const VERSION: u8 = 1;

/// Samples of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Milliseconds since 1970.
    pub times: Vec<i64>,
    /// Series by their number in the group, in order, and a value of each for every time; absent where there is none.
    pub columns: Vec<(u32, Vec<f64>)>,
}

/// How much a batch may hold: it may be small in bytes and large in memory.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Most times.
    pub rows: usize,
    /// Most series.
    pub columns: usize,
    /// Most of both: times × series.
    pub cells: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { rows: 10_000, columns: 20_000, cells: 1_000_000 }
    }
}

impl Batch {
    /// How many samples there are.
    pub fn sample_count(&self) -> usize {
        let there = |values: &Vec<f64>| values.iter().filter(|value| !is_absent(**value)).count();
        self.columns.iter().map(|(_, values)| there(values)).sum()
    }

    /// As bytes.
    ///
    /// # Panics
    /// A column has not as many values as there are times, or columns are not in order.
    pub fn encode(&self) -> Vec<u8> {
        let columns = self.columns.iter().map(|(number, values)| (*number, values.as_slice()));
        encode(&self.times, columns)
    }

    /// From bytes.
    ///
    /// # Errors
    /// The bytes are no batch, or hold more than `limits`.
    pub fn decode(bytes: &[u8], limits: BatchLimits) -> Result<Self, DecodeError> {
        let (times, columns) = parts(bytes, limits)?;
        let rows = times.len();
        let mut read = Vec::with_capacity(columns.len());
        for (number, column) in columns {
            read.push((number, column::decode(column, rows)?));
        }
        Ok(Self { times, columns: read })
    }

    /// Times and values of one series, without reading the others; nothing if it is not in there.
    ///
    /// # Errors
    /// The bytes are no batch.
    pub fn column(bytes: &[u8], wanted: u32) -> Result<Option<Column>, DecodeError> {
        let unlimited = BatchLimits { rows: 1 << 20, columns: usize::MAX, cells: usize::MAX };
        let (times, columns) = parts(bytes, unlimited)?;
        let Ok(place) = columns.binary_search_by_key(&wanted, |(number, _)| *number) else { return Ok(None) };
        let values = column::decode(columns[place].1, times.len())?;
        Ok(Some((times, values)))
    }
}

/// Samples as bytes, where they lie.
///
/// # Panics
/// A column has not as many values as there are times, or columns are not in order.
pub fn encode<'v>(times: &[i64], columns: impl ExactSizeIterator<Item = (u32, &'v [f64])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(times.len() * (columns.len() + 1) * 2 + 16);
    out.push(VERSION);
    write_unsigned(&mut out, times.len() as u64);
    column::encode_times(times, &mut out);
    write_unsigned(&mut out, columns.len() as u64);
    let mut next = 0;
    let mut column = Vec::new();
    for (number, values) in columns {
        assert_eq!(values.len(), times.len(), "a value for every time");
        assert!(number >= next, "columns are in order");
        write_unsigned(&mut out, u64::from(number - next));
        next = number.saturating_add(1);
        column.clear();
        column::encode(values, &mut column);
        write_bytes(&mut out, &column);
    }
    out
}

/// Times, and as many values.
pub type Column = (Vec<i64>, Vec<f64>);

type Parts<'b> = (Vec<i64>, Vec<(u32, &'b [u8])>);

fn parts(bytes: &[u8], limits: BatchLimits) -> Result<Parts<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != VERSION {
        return Err(DecodeError("is of an unknown version"));
    }
    let rows = reader.count(limits.rows)?;
    let times = column::decode_times(&mut reader, rows)?;
    let count = reader.count(limits.columns)?;
    if count.saturating_mul(rows) > limits.cells {
        return Err(DecodeError("holds more samples than is allowed"));
    }
    let mut columns = Vec::with_capacity(count.min(bytes.len()));
    let mut next = 0u32;
    for _ in 0..count {
        let step = u32::try_from(reader.unsigned()?).map_err(|_| DecodeError("holds an unknown series"))?;
        let number = next.checked_add(step).ok_or(DecodeError("holds an unknown series"))?;
        next = number.checked_add(1).ok_or(DecodeError("holds an unknown series"))?;
        columns.push((number, reader.bytes()?));
    }
    if reader.is_empty() { Ok((times, columns)) } else { Err(DecodeError("goes on after its end")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::ABSENT;

    fn batch() -> Batch {
        Batch {
            times: vec![1_000, 3_001, 5_000],
            columns: vec![(0, vec![1.5, 2.5, ABSENT]), (7, vec![1e9, 1e9, 1e9])],
        }
    }

    #[test]
    fn one_column_is_read_without_the_others() {
        let bytes = batch().encode();
        let (times, values) = Batch::column(&bytes, 7).unwrap().unwrap();
        assert_eq!((times, values), (vec![1_000, 3_001, 5_000], vec![1e9; 3]));
        assert_eq!(Batch::column(&bytes, 3), Ok(None));
        assert_eq!(batch().sample_count(), 5);
    }

    #[test]
    fn few_bytes_do_not_become_many_samples() {
        let constant =
            Batch { times: vec![0; 100], columns: (0..100).map(|n| (n, vec![1.0; 100])).collect() };
        let bytes = constant.encode();
        assert!(bytes.len() < 2_000, "{}", bytes.len());
        let limits = BatchLimits { cells: 9_999, ..BatchLimits::default() };
        assert_eq!(Batch::decode(&bytes, limits), Err(DecodeError("holds more samples than is allowed")));
        let limits = BatchLimits { rows: 99, ..BatchLimits::default() };
        assert!(Batch::decode(&bytes, limits).is_err());
        assert!(Batch::decode(&bytes, BatchLimits::default()).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Batch::decode(&bytes, BatchLimits::default());
            let mut nearly = batch().encode();
            let place = bytes.len() % nearly.len();
            nearly[place] ^= bytes.first().copied().unwrap_or(1);
            let _ = Batch::decode(&nearly, BatchLimits::default());
        }
    }
}
