//! The newest samples of a group: an open table of rows, and chunks of what was in it before.
//!
//! Rows come mostly in order and are appended; one that is late is put in its place, and one whose time is there
//! already adds to it: the last value of a series and a time counts, so that a repeat changes nothing. Where chunks
//! overlap, because a row was later than a chunk's end, reading puts them in order.

use bytes::Bytes;

use crate::{
    batch::{self, Batch},
    value::{ABSENT, is_absent},
    varint::DecodeError,
};

/// Rows of a chunk: fewer cost bytes, more cost time of those who want a few of them.
const CHUNK_ROWS: usize = 256;

/// Samples of a group between two times, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Time of the first row, in milliseconds.
    pub first: i64,
    /// Time of the last row.
    pub last: i64,
    /// How many samples it has.
    pub sample_count: u64,
    /// A [`Batch`].
    pub bytes: Bytes,
}

impl Chunk {
    /// Whether it may have rows of `from` up to and including `to`.
    pub fn overlaps(&self, from: i64, to: i64) -> bool {
        self.first <= to && from <= self.last
    }
}

/// Samples of one series, by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds since 1970.
    pub times: Vec<i64>,
    /// As many values.
    pub values: Vec<f64>,
}

impl Samples {
    /// Adds what lies between two times, both included.
    pub fn extend(&mut self, times: &[i64], values: &[f64], from: i64, to: i64) {
        for (time, value) in times.iter().zip(values) {
            if (from..=to).contains(time) && !is_absent(*value) {
                self.times.push(*time);
                self.values.push(*value);
            }
        }
    }

    /// Adds those of a chunk.
    ///
    /// # Errors
    /// The chunk cannot be read.
    pub fn extend_from_chunk(
        &mut self,
        bytes: &[u8],
        column: u32,
        from: i64,
        to: i64,
    ) -> Result<(), DecodeError> {
        if let Some((times, values)) = Batch::column(bytes, column)? {
            self.extend(&times, &values, from, to);
        }
        Ok(())
    }

    /// Leaves what lies between two times, both included, where they are in order.
    pub fn clip(&mut self, from: i64, to: i64) {
        let end = self.times.partition_point(|time| *time <= to);
        let begin = self.times.partition_point(|time| *time < from).min(end);
        self.times.truncate(end);
        self.values.truncate(end);
        self.times.drain(..begin);
        self.values.drain(..begin);
    }

    /// Puts them in order; of several of one time the one that was added last stays.
    pub fn settle(&mut self) {
        if self.times.is_sorted_by(|one, next| one < next) {
            return;
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|place| self.times[*place]);
        let mut settled = Self::default();
        for place in order {
            if settled.times.last() == Some(&self.times[place]) {
                settled.times.pop();
                settled.values.pop();
            }
            settled.times.push(self.times[place]);
            settled.values.push(self.values[place]);
        }
        *self = settled;
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Samples that were not there.
    pub new: u64,
    /// Samples whose time was there already.
    pub repeated: u64,
    /// Rows that were older than one that was there.
    pub late_rows: u64,
}

/// The newest samples of a group.
#[derive(Debug, Default)]
pub struct Group {
    times: Vec<i64>,
    /// Values of each series; shorter than the times where the last ones are absent.
    columns: Vec<Vec<f64>>,
    chunks: Vec<Chunk>,
}

impl Group {
    /// Adds samples. Series are as many as the largest number says.
    pub fn add(&mut self, batch: &Batch) -> Added {
        let mut added = Added::default();
        if let Some((last, _)) = batch.columns.last()
            && self.columns.len() <= *last as usize
        {
            self.columns.resize_with(*last as usize + 1, Vec::new);
        }
        let is_next =
            batch.times.first().is_some_and(|first| self.times.last().is_none_or(|end| first > end));
        if is_next && batch.times.is_sorted_by(|one, next| one < next) {
            self.append(batch, &mut added);
        } else {
            self.insert(batch, &mut added);
        }
        while self.times.len() >= CHUNK_ROWS {
            self.close_rows(CHUNK_ROWS);
        }
        added
    }

    fn append(&mut self, batch: &Batch, added: &mut Added) {
        let before = self.times.len();
        self.times.extend_from_slice(&batch.times);
        for (number, values) in &batch.columns {
            let column = &mut self.columns[*number as usize];
            column.resize(before, ABSENT);
            column.extend_from_slice(values);
            added.new += values.iter().filter(|value| !is_absent(**value)).count() as u64;
        }
    }

    fn insert(&mut self, batch: &Batch, added: &mut Added) {
        for (row, time) in batch.times.iter().enumerate() {
            let place = match self.times.binary_search(time) {
                Ok(place) => place,
                Err(place) => {
                    let is_late =
                        place < self.times.len() || self.chunks.last().is_some_and(|last| *time <= last.last);
                    added.late_rows += u64::from(is_late);
                    self.times.insert(place, *time);
                    for column in &mut self.columns {
                        if column.len() > place {
                            column.insert(place, ABSENT);
                        }
                    }
                    place
                }
            };
            for (number, values) in &batch.columns {
                let value = values[row];
                if is_absent(value) {
                    continue;
                }
                let column = &mut self.columns[*number as usize];
                if column.len() <= place {
                    column.resize(place + 1, ABSENT);
                }
                if is_absent(column[place]) {
                    added.new += 1;
                } else {
                    added.repeated += 1;
                }
                column[place] = value;
            }
        }
    }

    /// Encodes all that is open.
    pub fn close(&mut self) {
        if !self.times.is_empty() {
            self.close_rows(self.times.len());
        }
    }

    fn close_rows(&mut self, rows: usize) {
        let times: Vec<i64> = self.times.drain(..rows).collect();
        let mut columns = Vec::new();
        for (number, column) in (0u32..).zip(&mut self.columns) {
            let mut values: Vec<f64> = column.drain(..rows.min(column.len())).collect();
            if values.iter().all(|value| is_absent(*value)) {
                continue;
            }
            values.resize(rows, ABSENT);
            columns.push((number, values));
        }
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else { return };
        let bytes =
            batch::encode(&times, columns.iter().map(|(number, values)| (*number, values.as_slice())));
        let sample_count = Batch { times, columns }.sample_count() as u64;
        self.chunks.push(Chunk { first, last, sample_count, bytes: bytes.into() });
    }

    /// The chunks, in the order in which they were closed.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Drops the first chunks: they are kept elsewhere.
    pub fn drop_chunks(&mut self, count: usize) {
        self.chunks.drain(..count.min(self.chunks.len()));
    }

    /// Adds the samples of a series between two times, both included.
    ///
    /// # Errors
    /// A chunk cannot be read.
    pub fn read(&self, number: u32, from: i64, to: i64, samples: &mut Samples) -> Result<(), DecodeError> {
        for chunk in self.chunks.iter().filter(|chunk| chunk.overlaps(from, to)) {
            samples.extend_from_chunk(&chunk.bytes, number, from, to)?;
        }
        let Some(column) = self.columns.get(number as usize) else { return Ok(()) };
        let begin = self.times.partition_point(|time| *time < from).min(column.len());
        let end = self.times.partition_point(|time| *time <= to).min(column.len()).max(begin);
        samples.extend(&self.times[begin..end], &column[begin..end], from, to);
        Ok(())
    }

    /// Whether there are any samples.
    pub fn has_samples(&self) -> bool {
        !self.times.is_empty() || !self.chunks.is_empty()
    }

    /// How many rows are open.
    pub fn open_rows(&self) -> usize {
        self.times.len()
    }

    /// Bytes of memory, nearly.
    pub fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.bytes.len() + size_of::<Chunk>()).sum();
        let columns: usize = self.columns.iter().map(|column| column.capacity() * 8 + 24).sum();
        chunks + columns + self.times.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(group: &Group, number: u32) -> Vec<(i64, f64)> {
        let mut samples = Samples::default();
        group.read(number, i64::MIN, i64::MAX, &mut samples).unwrap();
        samples.settle();
        samples.times.into_iter().zip(samples.values).collect()
    }

    fn batch(times: &[i64], number: u32, values: &[f64]) -> Batch {
        Batch { times: times.to_vec(), columns: vec![(number, values.to_vec())] }
    }

    #[test]
    fn rows_come_in_order_late_and_twice() {
        let mut group = Group::default();
        let first = group.add(&batch(&[10, 20, 30], 0, &[1.0, 2.0, 3.0]));
        assert_eq!(first, Added { new: 3, repeated: 0, late_rows: 0 });
        assert_eq!(group.add(&batch(&[15], 0, &[1.5])).late_rows, 1);
        assert_eq!(group.add(&batch(&[20, 30], 0, &[2.0, 3.5])).repeated, 2);
        group.add(&batch(&[20, 40], 2, &[7.0, 8.0]));
        assert_eq!(read(&group, 0), [(10, 1.0), (15, 1.5), (20, 2.0), (30, 3.5)]);
        assert_eq!(read(&group, 1), []);
        assert_eq!(read(&group, 2), [(20, 7.0), (40, 8.0)]);
    }

    #[test]
    fn chunks_and_what_comes_late_to_them_read_as_one() {
        let mut group = Group::default();
        for row in 0..600 {
            group.add(&batch(&[row * 10], 0, &[row as f64]));
        }
        assert_eq!((group.chunks.len(), group.open_rows()), (2, 88));
        assert_eq!(group.add(&batch(&[5], 0, &[0.5])).late_rows, 1);
        group.add(&batch(&[20], 0, &[-2.0]));
        group.close();
        assert_eq!((group.chunks.len(), group.open_rows()), (3, 0));
        let all = read(&group, 0);
        assert_eq!(all.len(), 601);
        assert_eq!(all[..4], [(0, 0.0), (5, 0.5), (10, 1.0), (20, -2.0)]);
        let mut some = Samples::default();
        group.read(0, 100, 120, &mut some).unwrap();
        assert_eq!(some.times, [100, 110, 120]);
        assert_eq!(group.chunks().iter().map(|chunk| chunk.sample_count).sum::<u64>(), 602);
    }
}
