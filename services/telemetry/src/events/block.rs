//! Blocks: sealed events of one project by their time, in an object, and what is known of them without reading it.
//!
//! The object is a filter of the words and attributes of all events, and then a chunk. Its row has a directory: how
//! long the filter is, the time that it is of, the highest severity, the longest span, the services, a small filter of
//! traces, and which exports came in the last minutes. The directories are in memory, the objects are read where they
//! are needed.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use uuid::Uuid;
use weft_series::{DecodeError, Reader, write_bytes, write_signed, write_unsigned};
use weft_store::{SegmentRow, Timestamp};

use super::{
    Kind,
    chunk::{Chunk, ChunkBuilder, Event, Origin},
    filter::{self, Of},
    repeats::Digest,
    value, words,
};
use crate::samples::record::text;

const VERSION: u8 = 1;
/// Bytes of events after which a block is full, before they are packed.
pub(crate) const FULL: usize = 8 << 20;
/// Most bytes of the filter of a block.
const MOST_FILTER: usize = 512 << 10;
/// Most bytes of its filter of traces, which is in memory.
const MOST_TRACES: usize = 8 << 10;
/// Services that are told by name; of more of them any may be there.
const MOST_SERVICES: usize = 64;

/// What is known of a block without reading it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) uid: Uuid,
    /// Nanoseconds since 1970.
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) rows: u64,
    /// Bytes of its object and its directory.
    pub(crate) bytes: u64,
    /// Bytes of its object: a filter, and then the chunk.
    pub(crate) filter_bytes: u64,
    pub(crate) object_bytes: u64,
    /// The highest number of an event.
    pub(crate) newest: u64,
    /// The highest severity; of spans 2 where one of them ended in an error.
    pub(crate) worst: u32,
    /// The longest span, in nanoseconds.
    pub(crate) longest: i64,
    pub(crate) services: Vec<String>,
    /// A filter.
    pub(crate) traces: Vec<u8>,
    /// Exports that came shortly before, and when, in milliseconds.
    pub(crate) exports: Vec<(Digest, i64)>,
}

impl Block {
    pub(crate) fn may_have_service(&self, service: &str) -> bool {
        self.services.len() > MOST_SERVICES || self.services.iter().any(|other| other == service)
    }

    pub(crate) fn may_have_trace(&self, trace: &[u8]) -> bool {
        filter::may_have(&self.traces, filter::hash(Of::Trace, &[trace]))
    }

    /// Bytes of memory, nearly.
    pub(crate) fn memory(&self) -> usize {
        self.traces.len() + self.services.iter().map(|service| service.len() + 24).sum::<usize>() + 256
    }

    fn directory(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for number in [self.filter_bytes, self.newest, u64::from(self.worst), self.rows] {
            write_unsigned(&mut out, number);
        }
        for number in [self.first, self.last, self.longest] {
            write_signed(&mut out, number);
        }
        write_unsigned(&mut out, self.services.len() as u64);
        self.services.iter().for_each(|service| write_bytes(&mut out, service.as_bytes()));
        write_bytes(&mut out, &self.traces);
        write_unsigned(&mut out, self.exports.len() as u64);
        for (digest, time) in &self.exports {
            out.extend_from_slice(digest);
            write_signed(&mut out, *time);
        }
        out
    }

    /// From its row.
    ///
    /// # Errors
    /// The directory is damaged.
    pub(crate) fn open(row: &SegmentRow) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&row.directory);
        if reader.byte()? != VERSION {
            return Err(DecodeError("has a directory of an unknown version"));
        }
        let mut block = Self {
            uid: row.uid,
            object_bytes: row.object_bytes as u64,
            bytes: row.object_bytes as u64 + row.directory.len() as u64,
            filter_bytes: reader.unsigned()?,
            newest: reader.unsigned()?,
            worst: reader.count(u32::MAX as usize)? as u32,
            rows: reader.unsigned()?,
            ..Self::default()
        };
        (block.first, block.last) = (reader.signed()?, reader.signed()?);
        block.longest = reader.signed()?;
        for _ in 0..reader.unsigned()? {
            block.services.push(text(&mut reader)?.to_owned());
        }
        block.traces = reader.bytes()?.to_vec();
        for _ in 0..reader.unsigned()? {
            let mut digest = Digest::default();
            digest.copy_from_slice(reader.take(16)?);
            block.exports.push((digest, reader.signed()?));
        }
        Ok(block)
    }
}

/// A block that is being made.
#[derive(Default)]
struct Builder {
    events: ChunkBuilder,
    things: HashSet<u64>,
    traces: HashSet<u64>,
    services: BTreeSet<String>,
    newest: u64,
    worst: u32,
    longest: i64,
}

impl Builder {
    fn add(&mut self, kind: Kind, event: &Event<'_>, origin: &Origin) -> Result<(), DecodeError> {
        let number = self.events.origin(origin);
        self.events.add(&Event { origin: number, ..*event });
        self.newest = self.newest.max(event.number);
        if !self.services.contains(&origin.service) {
            self.services.insert(origin.service.clone());
        }
        if !event.trace.is_empty() {
            self.traces.insert(filter::hash(Of::Trace, &[event.trace]));
        }
        for attributes in [event.attributes, &origin.resource, &origin.scope_attributes] {
            for (key, value) in value::read_map(attributes)? {
                if let Some(value) = value.plain() {
                    self.things.insert(filter::hash(Of::Attribute, &[key.as_bytes(), value.as_bytes()]));
                }
            }
        }
        if kind == Kind::Spans {
            self.things.insert(filter::hash(Of::Operation, &[event.name.as_bytes()]));
            self.worst = self.worst.max(event.code & 3);
            self.longest = self.longest.max(event.length);
        } else {
            self.worst = self.worst.max(event.code);
            value::read(event.body)?.each_text(&mut |text| {
                self.things.extend(words::words(&text.to_lowercase()).map(words::hash));
            });
        }
        Ok(())
    }

    fn finish(self, new: New<'_>, exports: Vec<(Digest, i64)>) -> (SegmentRow, Bytes, Block) {
        let chunk = self.events.finish();
        let mut object = filter::build(&self.things, MOST_FILTER);
        let filter_bytes = object.len() as u64;
        object.extend(chunk.encode(3));
        let mut block = Block {
            uid: new.uid,
            first: chunk.first,
            last: chunk.last,
            rows: chunk.rows as u64,
            bytes: 0,
            filter_bytes,
            object_bytes: object.len() as u64,
            newest: self.newest,
            worst: self.worst,
            longest: self.longest,
            services: self.services.into_iter().take(MOST_SERVICES + 1).collect(),
            traces: filter::build(&self.traces, MOST_TRACES),
            exports,
        };
        let directory = block.directory();
        block.bytes = block.object_bytes + directory.len() as u64;
        let row = SegmentRow {
            uid: block.uid,
            project: new.project.to_owned(),
            kind: new.kind.stored(),
            resolution: 0,
            first: Timestamp::from_micros(block.first.div_euclid(1_000)),
            last: Timestamp::from_micros(block.last.div_euclid(1_000)),
            sample_count: block.rows as i64,
            object_bytes: block.object_bytes as i64,
            directory: directory.into(),
            created: new.created,
        };
        (row, object.into(), block)
    }
}

/// What a block is called, and when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'n> {
    pub(crate) uid: Uuid,
    pub(crate) project: &'n str,
    pub(crate) kind: Kind,
    pub(crate) created: Timestamp,
}

/// Makes blocks of the chunks of a project, by time. `uid` gives a new identity for each, and the first one knows the
/// exports.
///
/// # Errors
/// A chunk is damaged.
pub(crate) fn build(
    chunks: &[std::sync::Arc<Chunk>],
    mut new: New<'_>,
    mut uid: impl FnMut() -> Uuid,
    mut exports: Vec<(Digest, i64)>,
) -> Result<Vec<(SegmentRow, Bytes, Block)>, DecodeError> {
    let mut events = Vec::with_capacity(chunks.iter().map(|chunk| chunk.rows).sum());
    for chunk in chunks {
        for event in chunk.events() {
            let event = event?;
            let origin = chunk.origins.get(event.origin as usize).ok_or(DecodeError("has no such origin"))?;
            events.push((event, origin));
        }
    }
    events.sort_by_key(|(event, _)| (event.time, event.number));
    let mut made = Vec::new();
    let mut builder = Builder::default();
    for (event, origin) in events {
        builder.add(new.kind, &event, origin)?;
        if builder.events.bytes() >= FULL {
            new.uid = uid();
            made.push(std::mem::take(&mut builder).finish(new, std::mem::take(&mut exports)));
        }
    }
    if builder.events.rows() > 0 {
        new.uid = uid();
        made.push(builder.finish(new, exports));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn chunk(base: u64, texts: &[(&str, i64)]) -> Arc<Chunk> {
        let mut builder = ChunkBuilder::default();
        for (number, (text, time)) in texts.iter().enumerate() {
            let origin = builder.origin(&Origin { service: format!("s{}", number % 2), ..Origin::default() });
            let mut body = vec![1];
            write_bytes(&mut body, text.as_bytes());
            let trace = [number as u8 + 1; 16];
            builder.add(&Event {
                number: number as u64,
                time: *time,
                origin,
                code: 9 + number as u32,
                trace: &trace,
                body: &body,
                ..Event::default()
            });
        }
        let mut chunk = builder.finish();
        chunk.base = base;
        Arc::new(chunk)
    }

    #[test]
    fn a_block_says_what_it_may_have_and_has_all_by_time() {
        let chunks = [chunk(1 << 20, &[("late word", 50), ("first", 10)]), chunk(2 << 20, &[("middle", 30)])];
        let mut uids = 0;
        let new =
            New { uid: Uuid::nil(), project: "p", kind: Kind::Logs, created: Timestamp::from_micros(7) };
        let uid = || {
            uids += 1;
            Uuid::from_u128(uids)
        };
        let made = build(&chunks, new, uid, vec![([3; 16], 5)]).unwrap();
        let [(row, object, block)] = &made[..] else { panic!("one is enough") };
        assert_eq!(&Block::open(row).unwrap(), block);
        assert_eq!((block.first, block.last, block.rows, block.worst), (10, 50, 3, 10));
        assert_eq!(block.newest, 2 << 20);
        assert!(block.may_have_service("s1") && !block.may_have_service("s2"));
        assert!(block.may_have_trace(&[1; 16]) && !block.may_have_trace(&[9; 16]));
        let (filter, packed) = object.split_at(block.filter_bytes as usize);
        assert!(
            filter::may_have(filter, words::hash("word")) && !filter::may_have(filter, words::hash("last"))
        );
        let chunk = Chunk::decode(packed, 0).unwrap();
        let numbers: Vec<u64> = chunk.events().map(|event| event.unwrap().number).collect();
        assert_eq!(numbers, [(1 << 20) + 1, 2 << 20, 1 << 20]);
        for end in 0..row.directory.len() {
            let cut = SegmentRow { directory: row.directory.slice(..end), ..row.clone() };
            assert!(Block::open(&cut).is_err(), "{end}");
        }
    }
}
