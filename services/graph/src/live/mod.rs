//! How do graphs live in this process? Loaded when they are asked for, changed through the journal,
//! kept up with what other processes write, unloaded when memory is short.
//!
//! - [`Graphs`] finds a graph by name and bounds the memory.
//! - [`Live`] is one loaded graph: its content for readers, one writer at a time, its head for
//!   watchers.
//! - `write` is the way of a revision: plan, journal, memory, notification.
//! - `load` reads checkpoint and journal, at first and to catch up.
//! - `recent` keeps the newest revisions encoded, so that watchers seldom read the journal.
//! - `checkpoint` writes checkpoints and trims the journal.

mod checkpoint;
mod content;
mod graphs;
mod load;
mod meta;
mod recent;
mod write;

pub(crate) use content::{Content, Head, Live, Revision, blocking};
pub(crate) use graphs::{Graphs, split_name};
pub(crate) use load::gone;
pub(crate) use meta::{etag, graph_message, graph_name, new_batch_header, version_of_etag};
pub(crate) use write::{Expectation, PATIENCE, Write, decode_answer};
