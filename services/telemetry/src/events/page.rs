//! The newest of what was found: as much as a page may have.

use std::collections::BTreeMap;

use weft_kit::cursor::{Cursor, CursorError, CursorReader};

/// Where an event is among all: by time, and those of one time as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) time: i64,
    pub(crate) number: u64,
}

/// Which part of all a page is of: what was there when the first page was asked for, from some place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Numbers above came later.
    pub(crate) newest: u64,
    /// What follows is older.
    pub(crate) below: Option<Position>,
}

impl Start {
    /// From the cursor of a page token; `newest` where it is the first page.
    ///
    /// # Errors
    /// The token is of another list.
    pub(crate) fn read(cursor: &str, newest: u64) -> Result<Self, CursorError> {
        let Some(mut reader) = CursorReader::new(cursor) else { return Ok(Self { newest, below: None }) };
        let newest = reader.text()?.parse().map_err(|_| CursorError)?;
        let time = reader.text()?.parse().map_err(|_| CursorError)?;
        let number = reader.text()?.parse().map_err(|_| CursorError)?;
        reader.end()?;
        Ok(Self { newest, below: Some(Position { time, number }) })
    }

    /// The cursor of the page after a place.
    pub(crate) fn after(self, last: Position) -> Cursor {
        let numbers = [self.newest.to_string(), last.time.to_string(), last.number.to_string()];
        numbers.iter().fold(Cursor::default(), |cursor, number| cursor.text(number))
    }
}

/// The newest of what is put into it.
#[derive(Debug)]
pub(crate) struct Page<T> {
    from: Start,
    most: usize,
    most_bytes: usize,
    bytes: usize,
    items: BTreeMap<Position, (T, usize)>,
    /// The newest that was left out: everything older is for another page.
    floor: Option<Position>,
}

impl<T> Page<T> {
    /// A page of at most `most` items and about `most_bytes` bytes; one item always has room.
    pub(crate) fn new(from: Start, most: usize, most_bytes: usize) -> Self {
        Self { from, most, most_bytes, bytes: 0, items: BTreeMap::new(), floor: None }
    }

    /// Whether anything that is no newer than a time may still get in.
    pub(crate) fn may_take(&self, time: i64) -> bool {
        self.floor.is_none_or(|floor| time >= floor.time)
    }

    /// Whether anything that is no older than a time is of this page, or of one after it.
    pub(crate) fn reaches(&self, time: i64) -> bool {
        self.from.below.is_none_or(|below| time <= below.time)
    }

    /// Whether this page, or one after it, may have what is at a place.
    pub(crate) fn is_in(&self, position: Position) -> bool {
        position.number <= self.from.newest && self.from.below.is_none_or(|below| position < below)
    }

    /// Whether this page may. What it may not is for the next one.
    pub(crate) fn has_room(&mut self, position: Position) -> bool {
        if self.items.len() >= self.most
            && self.items.first_key_value().is_some_and(|(oldest, _)| position < *oldest)
        {
            self.floor = self.floor.max(Some(position));
        }
        self.floor.is_none_or(|floor| position > floor)
    }

    /// Puts something in.
    pub(crate) fn put(&mut self, position: Position, item: T, bytes: usize) {
        self.items.insert(position, (item, bytes));
        self.bytes += bytes;
        while self.items.len() > self.most || (self.bytes > self.most_bytes && self.items.len() > 1) {
            let Some((oldest, (_, bytes))) = self.items.pop_first() else { break };
            self.bytes -= bytes;
            self.floor = self.floor.max(Some(oldest));
        }
    }

    /// What is in it, the newest first, and where the next page begins, if there is one.
    pub(crate) fn finish(self) -> (Vec<(Position, T)>, Option<Position>) {
        let last = self.items.first_key_value().map(|(oldest, _)| *oldest);
        let next = if self.floor.is_some() { last } else { None };
        (self.items.into_iter().rev().map(|(position, (item, _))| (position, item)).collect(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Position {
        Position { time, number: time as u64 }
    }

    fn paged(times: &[i64], from: Start, most: usize, most_bytes: usize) -> (Vec<i64>, Option<Position>) {
        let mut page = Page::new(from, most, most_bytes);
        for time in times {
            if page.is_in(at(*time)) && page.has_room(at(*time)) {
                page.put(at(*time), *time, 10);
            }
        }
        let (items, next) = page.finish();
        (items.into_iter().map(|(_, time)| time).collect(), next)
    }

    #[test]
    fn pages_have_all_of_it_once_whatever_the_order() {
        let times = [5, 9, 1, 7, 3, 8, 2, 6, 4];
        for (most, most_bytes) in [(1, 1_000), (2, 1_000), (4, 1_000), (9, 1_000), (9, 25), (9, 5), (100, 90)]
        {
            let mut from = Start { newest: 100, below: None };
            let mut all = Vec::new();
            loop {
                // What comes meanwhile has a higher number, and is for nobody who has begun.
                let (page, next) = paged(&times, from, most, most_bytes);
                assert!(page.len() <= most);
                all.extend(page);
                let Some(next) = next else { break };
                from = Start::read(from.after(next).as_str(), 7).unwrap();
                assert_eq!(from.newest, 100);
            }
            assert_eq!(all, [9, 8, 7, 6, 5, 4, 3, 2, 1], "{most} {most_bytes}");
        }
        let (page, next) = paged(&times, Start { newest: 6, below: None }, 9, 1_000);
        assert_eq!((page, next), (vec![6, 5, 4, 3, 2, 1], None));
        assert!(Start::read("x", 1).is_err());
    }
}
