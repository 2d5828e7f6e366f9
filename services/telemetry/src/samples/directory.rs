//! Segments: chunks of many groups in one object, and a directory of them in its row.
//!
//! The object is chunks, one after the other. The directory, packed with zstd, has of each group its key, its series
//! by their columns and where its chunks are; and what metrics are. So a segment says all that there is to know of
//! its samples, and the index of a project is made of its segments' directories.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use uuid::Uuid;
use weft_series::{DecodeError, Labels, Reader, group::Chunk, write_bytes, write_signed, write_unsigned};
use weft_store::{SegmentRow, TelemetryKind, Timestamp};

use super::{
    project::{Metric, Project},
    record::text,
    segment::{ChunkPlace, Part, Segment},
};

/// Bytes of chunks after which a segment is full.
pub(crate) const FULL: usize = 8 << 20;
/// Bytes of a directory after which a segment is full, before it is packed.
const FULL_DIRECTORY: usize = 12 << 20;
/// Most bytes of a directory.
const MOST_DIRECTORY: usize = 64 << 20;

/// A segment that is being made.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) object: Vec<u8>,
    directory: Vec<u8>,
    groups: u64,
    first: Option<i64>,
    last: i64,
    sample_count: u64,
}

impl Builder {
    /// Adds a group, by its key, its series with their columns, and its chunks.
    pub(crate) fn add<'l>(
        &mut self,
        key: &str,
        series: impl ExactSizeIterator<Item = (u32, &'l Labels)>,
        chunks: &[Chunk],
    ) {
        self.groups += 1;
        let out = &mut self.directory;
        write_bytes(out, key.as_bytes());
        write_unsigned(out, series.len() as u64);
        for (column, labels) in series {
            write_unsigned(out, u64::from(column));
            write_bytes(out, labels.as_bytes());
        }
        write_unsigned(out, chunks.len() as u64);
        for chunk in chunks {
            write_unsigned(out, self.object.len() as u64);
            write_unsigned(out, chunk.bytes.len() as u64);
            write_signed(out, chunk.first);
            write_unsigned(out, (chunk.last - chunk.first) as u64);
            self.object.extend_from_slice(&chunk.bytes);
            self.first = Some(self.first.map_or(chunk.first, |first| first.min(chunk.first)));
            self.last = self.last.max(chunk.last);
            self.sample_count += chunk.sample_count;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.object.len() >= FULL || self.directory.len() >= FULL_DIRECTORY
    }

    /// The row, and the object.
    pub(crate) fn finish(
        self,
        uid: Uuid,
        project: &str,
        resolution: i64,
        metrics: &[(&str, &Metric)],
        now: Timestamp,
    ) -> (SegmentRow, Bytes) {
        let mut directory = Vec::with_capacity(self.directory.len() + 64);
        write_unsigned(&mut directory, self.groups);
        directory.extend(self.directory);
        write_unsigned(&mut directory, metrics.len() as u64);
        for (name, metric) in metrics {
            write_unsigned(&mut directory, metric.kind as u64);
            for text in [*name, &metric.unit, &metric.description] {
                write_bytes(&mut directory, text.as_bytes());
            }
        }
        // Packing what is in memory into memory does not fail.
        let packed = zstd::bulk::compress(&directory, 3).unwrap_or_default();
        let time = |millis: i64| Timestamp::from_micros(millis.saturating_mul(1_000));
        let row = SegmentRow {
            uid,
            project: project.to_owned(),
            kind: TelemetryKind::Samples,
            resolution,
            first: time(self.first.unwrap_or_default()),
            last: time(self.last),
            sample_count: self.sample_count as i64,
            object_bytes: self.object.len() as i64,
            directory: packed.into(),
            created: now,
        };
        (row, self.object.into())
    }
}

/// Brings a segment into its project's memory.
///
/// # Errors
/// The directory is damaged.
pub(crate) fn open(row: &SegmentRow, project: &mut Project) -> Result<Segment, DecodeError> {
    let directory = unpacked(&row.directory)?;
    let mut reader = Reader::new(&directory);
    let mut groups = HashMap::new();
    let mut policies = BTreeSet::new();
    for _ in 0..reader.unsigned()? {
        let key = text(&mut reader)?;
        let mut by_group: HashMap<u32, Part> = HashMap::new();
        for _ in 0..reader.unsigned()? {
            let column = reader.count(u32::MAX as usize)? as u32;
            let labels = Labels::from_bytes(reader.bytes()?)?;
            // What was kept once stays, whatever the limit is now.
            let place =
                project.place_or_add(&labels, key, usize::MAX).ok_or(DecodeError("has too many series"))?;
            policies.insert(project.groups[place.group as usize].series[place.number as usize].policy);
            by_group.entry(place.group).or_default().columns.push((place.number, column));
        }
        let mut chunks = Vec::new();
        for _ in 0..reader.unsigned()? {
            let (offset, length) = (reader.count(usize::MAX)?, reader.count(usize::MAX)?);
            let first = reader.signed()?;
            let last = first.saturating_add_unsigned(reader.unsigned()?);
            chunks.push(ChunkPlace { offset, length, first, last });
        }
        for (group, mut part) in by_group {
            part.columns.sort_unstable();
            // A group of very many rows is there several times, with the same series.
            let known: &mut Part = groups.entry(group).or_default();
            if !known.chunks.is_empty() && known.columns != part.columns {
                return Err(DecodeError("has a group with two lists of series"));
            }
            known.columns = part.columns;
            known.chunks.extend_from_slice(&chunks);
        }
    }
    for _ in 0..reader.unsigned()? {
        let kind = reader.unsigned()? as i32;
        let (name, unit, description) = (text(&mut reader)?, text(&mut reader)?, text(&mut reader)?);
        project.tell(name, Metric { kind, unit: unit.to_owned(), description: description.to_owned() });
    }
    project.untold.clear();
    Ok(Segment {
        uid: row.uid,
        resolution: row.resolution,
        created: row.created,
        first: row.first.as_micros().div_euclid(1_000),
        last: row.last.as_micros().div_euclid(1_000),
        sample_count: row.sample_count as u64,
        bytes: row.object_bytes as u64 + row.directory.len() as u64,
        groups,
        policies: policies.into_iter().collect(),
    })
}

fn unpacked(directory: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let damaged = DecodeError("cannot be unpacked");
    let size =
        zstd::zstd_safe::get_frame_content_size(directory).ok().flatten().unwrap_or(MOST_DIRECTORY as u64);
    if size > MOST_DIRECTORY as u64 {
        return Err(damaged);
    }
    zstd::bulk::decompress(directory, size as usize).map_err(|_| damaged)
}
