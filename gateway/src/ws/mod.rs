//! WebSocket: every method of all four kinds, many calls on one socket, as `docs/websocket.md`
//! says.
//!
//! `handshake` lets a socket in; `sign_in` asks who it is; `socket` reads it and starts calls; `call` runs one;
//! `outbox` is where all of them write, and `line` where that goes out; `session` finds the socket's task for a
//! client that comes back; `frame` is how messages look in the two sub-protocols, `wire` what carries them, and
//! `deflate` compresses them.
//! `door` is the agents' own WebSocket: one call, without an envelope. What collectors speak, OpAMP, is beside this module, with its `handshake` and `wire`.

mod call;
mod deflate;
pub(crate) mod door;
mod frame;
pub(crate) mod handshake;
mod line;
mod numbers;
mod outbox;
mod session;
mod settings;
mod sign_in;
mod socket;
pub(crate) mod wire;

pub(crate) use handshake::handle;
pub(crate) use session::Sessions;
