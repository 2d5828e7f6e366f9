//! Services that the gateway was not built with: real servers on ports of this machine, kept as a
//! configuration would have it.

mod access;
mod bounds;
mod clashes;
mod contracts;
mod details;
mod life;
mod tls;
mod world;
