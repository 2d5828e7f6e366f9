//! What a mesh says to those who mean it no good, through its one port: a clear refusal with code,
//! reason and field, and never a fault of its own, nor memory without bound, nor somebody else's answer
//! late. And who may call what, for every method and every kind of caller.

mod authorisation;
mod bombs;
mod connections;
mod door;
mod doors;
mod imports;
mod json;
mod memory;
mod messages;
mod program;
mod requests;
mod slow;
mod tokens;
