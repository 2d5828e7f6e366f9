//! Logs and spans: taken in, kept, and found again.
//!
//! Both are **events**: something with a time, who sent it, ids, names and attributes. What came in at once is a
//! **chunk** (`chunk`), in the log of the store and in memory; the chunks of a project are sealed into **blocks**
//! (`block`), which are objects. A search looks at chunks and blocks from the newest on (`scan`), and leaves those
//! out of which it knows that they have nothing: by time, severity and service, and by a **filter** of their words and
//! attributes (`filter`). What a record or a span is for clients is in `records` and `spans`.

pub(crate) mod block;
pub(crate) mod chunk;
pub(crate) mod filter;
pub(crate) mod incoming;
pub(crate) mod kept;
pub(crate) mod merge;
pub(crate) mod page;
pub(crate) mod rate;
pub(crate) mod records;
pub(crate) mod repeats;
pub(crate) mod retention;
pub(crate) mod scan;
pub(crate) mod seal;
pub(crate) mod spans;
pub(crate) mod traces;
pub(crate) mod value;
pub(crate) mod wanted;
pub(crate) mod words;
pub(crate) mod write;

use weft_store::TelemetryKind;

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Logs,
    Spans,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Logs, Self::Spans];

    /// As the store calls it.
    pub(crate) fn stored(self) -> TelemetryKind {
        match self {
            Self::Logs => TelemetryKind::Logs,
            Self::Spans => TelemetryKind::Spans,
        }
    }
}
