//! Reads and writes every format through the public interface.

#[path = "formats/attacks.rs"]
mod attacks;
#[path = "formats/cuts.rs"]
mod cuts;
#[path = "formats/debian.rs"]
mod debian;
#[path = "formats/documents.rs"]
mod documents;
#[path = "formats/notes.rs"]
mod notes;
#[path = "formats/round_trip.rs"]
mod round_trip;
#[path = "formats/support.rs"]
mod support;
#[path = "formats/tables.rs"]
mod tables;
