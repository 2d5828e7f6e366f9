//! What starts the runs of deliveries that are on disk.
//!
//! One task has those that wait in memory: as many as it may, in the order of their times; the others wait on disk, and
//! are looked for. Ticks of one trigger are started one after the other, so that each sees what became of the one
//! before. What has become of them is written many at a time, and only then told. When a write fails, memory is thrown
//! away and read again: the request id of a run makes it harmless to ask for it twice.

mod desk;
mod start;

pub(crate) use desk::run;
