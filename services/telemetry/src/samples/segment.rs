//! Segments in memory: where the samples of a project are in the objects that they were written to.

use std::collections::HashMap;

use bytes::Bytes;
use uuid::Uuid;
use weft_series::promql::Coarse;
use weft_store::Timestamp;

/// A segment in memory: where samples are in its object.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) uid: Uuid,
    /// Of each interval of so many milliseconds the last sample is left; all are when it is 0.
    pub(crate) resolution: i64,
    /// Milliseconds.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// When it was written: of two samples of one time the one that came later counts.
    pub(crate) created: Timestamp,
    pub(crate) sample_count: u64,
    /// Bytes of its object and its directory.
    pub(crate) bytes: u64,
    /// By the number of the group in its project.
    pub(crate) groups: HashMap<u32, Part>,
    /// Which policies its series have, each once.
    pub(crate) policies: Vec<u32>,
}

impl Segment {
    /// How far before the first time of a query its samples matter, and how far after the last one.
    pub(crate) fn reach(&self) -> (i64, i64) {
        (self.resolution * Coarse::BEFORE, self.resolution * Coarse::AFTER)
    }
}

/// A group in a segment.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Number of the series in its group, and its column in the chunks; by number.
    pub(crate) columns: Vec<(u32, u32)>,
    pub(crate) chunks: Vec<ChunkPlace>,
}

impl Part {
    /// The column of a series.
    pub(crate) fn column(&self, number: u32) -> Option<u32> {
        let place = self.columns.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.columns[place].1)
    }
}

/// A chunk in an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkPlace {
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl ChunkPlace {
    pub(crate) fn overlaps(&self, from: i64, to: i64) -> bool {
        self.first <= to && from <= self.last
    }

    /// Its bytes in the object.
    pub(crate) fn of(self, object: &Bytes) -> Option<Bytes> {
        let end = self.offset.checked_add(self.length)?;
        (end <= object.len()).then(|| object.slice(self.offset..end))
    }
}

/// Where the objects are.
pub(crate) const FOLDER: &str = "telemetry";

/// The key of a segment's object.
pub(crate) fn key(uid: Uuid) -> String {
    format!("{FOLDER}/{uid}")
}
