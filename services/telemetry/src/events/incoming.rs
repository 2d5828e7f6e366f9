//! Logs and spans that came in, on their way to the log.

use super::{
    chunk::{Chunk, ChunkBuilder, Event, Origin},
    repeats::Digest,
    value,
};

/// Bytes of a chunk after which another one is begun, so that each fits an entry of the log.
const FULL: usize = 1 << 20;
/// Most records of one export.
const MOST: usize = 100_000;
/// Most bytes of a record.
const MOST_BYTES: usize = 256 << 10;
/// Most bytes of what is said of a resource and a scope.
const MOST_ORIGIN_BYTES: usize = 64 << 10;

/// A record, or what is said of its origin, is too large.
pub(crate) const TOO_LARGE: &str = "RECORD_TOO_LARGE";
/// More records than one export may have.
pub(crate) const TOO_MANY: &str = "TOO_MANY_RECORDS";

/// A chunk to be written.
pub(crate) struct NewChunk {
    pub(crate) chunk: Chunk,
    /// In the form of the log.
    pub(crate) packed: Vec<u8>,
    /// What a repeat is known by.
    pub(crate) digest: Digest,
}

/// What was taken of an export.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) count: usize,
    pub(crate) refused: u64,
    /// Why the last of them were refused.
    pub(crate) reason: &'static str,
    building: ChunkBuilder,
    origin: Origin,
}

impl Taken {
    /// Says who sent what follows.
    pub(crate) fn origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// Adds a record; its origin and its number are made here.
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        let bytes = event.name.len() + event.note.len() + event.body.len() + event.attributes.len();
        if bytes > MOST_BYTES || self.origin.bytes() > MOST_ORIGIN_BYTES {
            return self.refuse(TOO_LARGE);
        }
        if self.count >= MOST {
            return self.refuse(TOO_MANY);
        }
        let number = self.building.rows() as u64;
        let origin = self.building.origin(&self.origin);
        self.building.add(&Event { number, origin, ..*event });
        self.count += 1;
        if self.building.bytes() >= FULL {
            self.close();
        }
    }

    pub(crate) fn refuse(&mut self, reason: &'static str) {
        self.refused += 1;
        self.reason = reason;
    }

    /// Ends it; what was added is in `chunks`.
    pub(crate) fn close(&mut self) {
        if self.building.rows() > 0 {
            self.chunks.push(std::mem::take(&mut self.building).finish());
        }
    }
}

/// `service.name` of attributes that are written.
pub(crate) fn service(resource: &[u8]) -> String {
    let entries = value::read_map(resource).unwrap_or_default();
    let name = entries.iter().find(|(key, _)| *key == "service.name");
    name.and_then(|(_, value)| value.plain()).unwrap_or_default()
}
