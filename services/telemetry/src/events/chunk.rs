//! Chunks: log records or spans as columns of bytes. What came in at once is one in the log and in memory, and a
//! block is a large one.
//!
//! Both kinds have the same columns, because they have the same parts: a time, ids, a few numbers, names, attributes,
//! and something that only its kind reads (`body`). Each column is packed with zstd by itself, so that like lies by
//! like; who sent it is written once for all that they sent.

use std::collections::HashMap;

use weft_series::{DecodeError, Reader, write_bytes, write_signed, write_unsigned};

use crate::samples::record::text;

const VERSION: u8 = 1;
const COLUMNS: usize = 8;
const NUMBERS: usize = 0;
const TIMES: usize = 1;
const LENGTHS: usize = 2;
const CODES: usize = 3;
const IDS: usize = 4;
const NAMES: usize = 5;
const BODIES: usize = 6;
const ATTRIBUTES: usize = 7;
/// A column that is shorter is not worth packing.
const WORTH_PACKING: usize = 64;
/// Most bytes of a column that is unpacked.
const MOST_BYTES: usize = 64 << 20;

/// One log record or span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event<'e> {
    /// Its place in the order in which all came in; no other has it.
    pub(crate) number: u64,
    /// Nanoseconds since 1970: when it happened, or began.
    pub(crate) time: i64,
    /// Nanoseconds. Of a span how long it took; of a log record from its time to when it was seen, [`UNSEEN`] where
    /// that was not told.
    pub(crate) length: i64,
    /// Which origin of its chunk it has.
    pub(crate) origin: u32,
    /// Of a log record the number of its severity; of a span its kind, and in the last two bits its status.
    pub(crate) code: u32,
    /// Flags of its trace.
    pub(crate) flags: u32,
    /// What the source left out.
    pub(crate) dropped: u32,
    /// 16 bytes, or none.
    pub(crate) trace: &'e [u8],
    /// 8 bytes, or none.
    pub(crate) span: &'e [u8],
    /// 8 bytes, or none.
    pub(crate) parent: &'e [u8],
    /// Of a span the operation; of a log record the kind of event.
    pub(crate) name: &'e str,
    /// Of a span what is said of its status; of a log record what its severity is called.
    pub(crate) note: &'e str,
    /// Of a log record its body, a value; of a span what else there is.
    pub(crate) body: &'e [u8],
    /// Attributes, as `value` writes them.
    pub(crate) attributes: &'e [u8],
}

/// The `length` of a log record of which is not told when it was seen.
pub(crate) const UNSEEN: i64 = i64::MIN;

/// Who sent something: a resource and a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) service: String,
    /// Attributes, as `value` writes them.
    pub(crate) resource: Vec<u8>,
    pub(crate) scope: String,
    pub(crate) scope_version: String,
    /// Attributes, as `value` writes them.
    pub(crate) scope_attributes: Vec<u8>,
}

impl Origin {
    pub(crate) fn bytes(&self) -> usize {
        self.service.len()
            + self.resource.len()
            + self.scope.len()
            + self.scope_version.len()
            + self.scope_attributes.len()
    }
}

/// Events by their time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Added to the numbers in it: where those of its entry in the log begin.
    pub(crate) base: u64,
    pub(crate) rows: usize,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) origins: Vec<Origin>,
    columns: [Vec<u8>; COLUMNS],
}

impl Chunk {
    /// The events, in the order in which they were added.
    pub(crate) fn events(&self) -> Events<'_> {
        Events {
            base: self.base,
            left: self.rows,
            last: (0, 0),
            columns: self.columns.each_ref().map(|column| Reader::new(column)),
        }
    }

    /// Bytes of memory, nearly.
    pub(crate) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(Vec::len).sum();
        columns + self.origins.iter().map(|origin| origin.bytes() + 128).sum::<usize>() + 256
    }

    /// In the form of the log and of blocks, but for [`Self::base`].
    pub(crate) fn encode(&self, level: i32) -> Vec<u8> {
        let mut out = vec![VERSION];
        write_unsigned(&mut out, self.rows as u64);
        write_signed(&mut out, self.first);
        write_signed(&mut out, self.last);
        let mut origins = Vec::new();
        write_unsigned(&mut origins, self.origins.len() as u64);
        for origin in &self.origins {
            for name in [&origin.service, &origin.scope, &origin.scope_version] {
                write_bytes(&mut origins, name.as_bytes());
            }
            for attributes in [&origin.resource, &origin.scope_attributes] {
                write_bytes(&mut origins, attributes);
            }
        }
        pack(&mut out, &origins, level);
        self.columns.iter().for_each(|column| pack(&mut out, column, level));
        out
    }

    /// From what [`Self::encode`] has made.
    ///
    /// # Errors
    /// It is damaged.
    pub(crate) fn decode(bytes: &[u8], base: u64) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(DecodeError("has a chunk of an unknown version"));
        }
        let mut chunk = Self { base, rows: reader.count(u32::MAX as usize)?, ..Self::default() };
        (chunk.first, chunk.last) = (reader.signed()?, reader.signed()?);
        let packed = unpack(&mut reader)?;
        let mut origins = Reader::new(&packed);
        for _ in 0..origins.unsigned()? {
            chunk.origins.push(Origin {
                service: text(&mut origins)?.to_owned(),
                scope: text(&mut origins)?.to_owned(),
                scope_version: text(&mut origins)?.to_owned(),
                resource: origins.bytes()?.to_vec(),
                scope_attributes: origins.bytes()?.to_vec(),
            });
        }
        for column in &mut chunk.columns {
            *column = unpack(&mut reader)?;
        }
        Ok(chunk)
    }
}

fn pack(out: &mut Vec<u8>, column: &[u8], level: i32) {
    let packed = if column.len() < WORTH_PACKING { None } else { zstd::bulk::compress(column, level).ok() };
    let packed = packed.filter(|packed| packed.len() < column.len());
    // A length of 0 says that it is not packed.
    write_unsigned(out, if packed.is_some() { column.len() as u64 } else { 0 });
    write_bytes(out, packed.as_deref().unwrap_or(column));
}

fn unpack(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let length = reader.count(MOST_BYTES)?;
    let packed = reader.bytes()?;
    if length == 0 {
        return Ok(packed.to_vec());
    }
    let column = zstd::bulk::decompress(packed, length).map_err(|_| DecodeError("cannot be unpacked"))?;
    if column.len() == length { Ok(column) } else { Err(DecodeError("has a column of another length")) }
}

/// A chunk that is being made.
#[derive(Debug, Default)]
pub(crate) struct ChunkBuilder {
    chunk: Chunk,
    origins: HashMap<Origin, u32>,
    last: (u64, i64),
    bytes: usize,
}

impl ChunkBuilder {
    /// The number of an origin in this chunk.
    pub(crate) fn origin(&mut self, origin: &Origin) -> u32 {
        if let Some(number) = self.origins.get(origin) {
            return *number;
        }
        let number = self.chunk.origins.len() as u32;
        self.bytes += origin.bytes() + 128;
        self.chunk.origins.push(origin.clone());
        self.origins.insert(origin.clone(), number);
        number
    }

    /// Adds an event. Its origin is one of this chunk.
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        let texts = [event.name.len(), event.note.len(), event.body.len(), event.attributes.len()];
        // Times, numbers and ids are of some bytes each.
        self.bytes += texts.iter().sum::<usize>() + 48;
        let chunk = &mut self.chunk;
        let (number, time) = std::mem::replace(&mut self.last, (event.number, event.time));
        let columns = &mut chunk.columns;
        write_signed(&mut columns[NUMBERS], event.number.wrapping_sub(number) as i64);
        write_signed(&mut columns[TIMES], event.time.wrapping_sub(time));
        write_signed(&mut columns[LENGTHS], event.length);
        for code in [event.origin, event.code, event.flags, event.dropped] {
            write_unsigned(&mut columns[CODES], u64::from(code));
        }
        let ids = [event.trace, event.span, event.parent];
        let which = ids.iter().enumerate().map(|(place, id)| u8::from(!id.is_empty()) << place).sum();
        columns[IDS].push(which);
        for id in ids {
            columns[IDS].extend_from_slice(id);
        }
        write_bytes(&mut columns[NAMES], event.name.as_bytes());
        write_bytes(&mut columns[NAMES], event.note.as_bytes());
        write_bytes(&mut columns[BODIES], event.body);
        write_bytes(&mut columns[ATTRIBUTES], event.attributes);
        chunk.first = if chunk.rows == 0 { event.time } else { chunk.first.min(event.time) };
        chunk.last = if chunk.rows == 0 { event.time } else { chunk.last.max(event.time) };
        chunk.rows += 1;
    }

    pub(crate) fn rows(&self) -> usize {
        self.chunk.rows
    }

    /// Bytes so far before they are packed, nearly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn finish(self) -> Chunk {
        self.chunk
    }
}

/// The events of a chunk.
pub(crate) struct Events<'c> {
    base: u64,
    left: usize,
    last: (u64, i64),
    columns: [Reader<'c>; COLUMNS],
}

impl<'c> Events<'c> {
    fn read(&mut self) -> Result<Event<'c>, DecodeError> {
        let columns = &mut self.columns;
        let number = self.last.0.wrapping_add(columns[NUMBERS].signed()? as u64);
        let time = self.last.1.wrapping_add(columns[TIMES].signed()?);
        self.last = (number, time);
        let length = columns[LENGTHS].signed()?;
        let mut codes = [0; 4];
        for code in &mut codes {
            *code = columns[CODES].count(u32::MAX as usize)? as u32;
        }
        let which = columns[IDS].byte()?;
        let mut id = |place: u8, bytes| columns[IDS].take(if which & (1 << place) == 0 { 0 } else { bytes });
        let (trace, span, parent) = (id(0, 16)?, id(1, 8)?, id(2, 8)?);
        let [origin, code, flags, dropped] = codes;
        Ok(Event {
            number: self.base.wrapping_add(number),
            time,
            length,
            origin,
            code,
            flags,
            dropped,
            trace,
            span,
            parent,
            name: text(&mut columns[NAMES])?,
            note: text(&mut columns[NAMES])?,
            body: columns[BODIES].bytes()?,
            attributes: columns[ATTRIBUTES].bytes()?,
        })
    }
}

impl<'c> Iterator for Events<'c> {
    type Item = Result<Event<'c>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let event = self.read();
        if event.is_err() {
            self.left = 0;
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Chunk {
        let mut builder = ChunkBuilder::default();
        for row in 0..100_u32 {
            let service = format!("service {}", row % 3);
            let origin = builder.origin(&Origin { service, ..Origin::default() });
            let id = [row as u8; 16];
            let event = Event {
                number: u64::from(row) * 7,
                time: 1_000 - i64::from(row),
                length: if row == 5 { UNSEEN } else { i64::from(row) << 40 },
                origin,
                code: row,
                flags: u32::MAX,
                dropped: row,
                trace: if row % 2 == 0 { &id } else { &[] },
                span: if row % 3 == 0 { &id[..8] } else { &[] },
                parent: &[],
                name: "operation",
                note: "ü",
                body: &id[..row as usize % 16],
                attributes: &[0],
            };
            builder.add(&event);
        }
        builder.finish()
    }

    #[test]
    fn a_chunk_reads_back_as_written() {
        let chunk = filled();
        assert_eq!((chunk.rows, chunk.first, chunk.last, chunk.origins.len()), (100, 901, 1_000, 3));
        for level in [1, 3] {
            let packed = chunk.encode(level);
            assert!(packed.len() < chunk.bytes() / 2, "{}", packed.len());
            assert_eq!(Chunk::decode(&packed, 0).unwrap(), chunk);
        }
        let moved = Chunk::decode(&chunk.encode(1), 1 << 40).unwrap();
        let event = moved.events().nth(5).unwrap().unwrap();
        assert_eq!((event.number, event.time, event.length, event.code), ((1 << 40) + 35, 995, UNSEEN, 5));
        assert_eq!((event.trace, event.span, event.body, event.note), (&[][..], &[][..], &[5; 5][..], "ü"));
        assert_eq!(moved.events().count(), 100);
    }

    #[test]
    fn a_damaged_chunk_is_refused_or_read() {
        let packed = filled().encode(1);
        for end in 0..packed.len() {
            assert!(Chunk::decode(&packed[..end], 0).is_err(), "{end}");
        }
        for place in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[place] ^= 0x55;
            if let Ok(chunk) = Chunk::decode(&damaged, 0) {
                // Stops at the first event that cannot be read, and never panics.
                let _ = chunk.events().take(1_000).flatten().count();
            }
        }
    }
}
