//! Who is calling, and what that allows.
//!
//! The service keeps **API keys** (only their digests), gives out short-lived **access tokens**
//! for them, and publishes the keys that the rest of the mesh checks tokens with. A **ticket** is
//! a credential that is good once: a way to sign a browser in without showing it a key.
//!
//! Invariants:
//! - A secret is shown once and never stored: what is stored cannot be used to sign in.
//! - Nobody can give away more than they hold: neither role, nor scope, nor time.
//! - A revoked key gets no new token; tokens that are out live for minutes at most.
//! - What workflows use of others' secrets is stored sealed, and opened for processes of the mesh only.
//! - Signing keys are stored sealed; after a rotation old tokens stay good until they expire.
//!
//! Where things are: one file for each RPC in `rpc`, pure decisions in `domain`, what runs in the
//! background in `task`, every status that a client can get in `error`.

mod bootstrap;
mod config;
mod domain;
mod error;
mod keys;
mod rpc;
mod secret_service;
mod service;
mod state;
mod task;

pub use bootstrap::{Administrator, administrator};
pub use config::Options;
pub use error::Error;
pub use secret_service::SecretService;
pub use service::IdentityService;
pub use state::Deps;
