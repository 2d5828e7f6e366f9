//! The runtime over real sockets: deadlines, refusals, panics, limits, drain, and clients that
//! find their way again.

mod admission;
mod connections;
mod deadlines;
mod draining;
mod peers;
