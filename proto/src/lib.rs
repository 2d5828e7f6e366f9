//! The contracts of the mesh, generated from the `.proto` files beside this crate.
//!
//! - [`weft`], [`google`] and [`grpc`] hold the messages, clients and servers, one module for
//!   each package: `weft::graph::v1::graph_service_client::GraphServiceClient`.
//! - [`DESCRIPTORS`] and [`pool`] are what reflection, the gateway and the tests read.
//! - [`Methods`] tells, for each method, who may call it, what a call costs and whether it
//!   may be repeated. Nothing of this is written anywhere but in the contracts.
//! - [`Validate`] is implemented for every message of ours, from its `buf.validate` rules.
//!
//! To add a contract, add a `.proto` file under `proto/weft/<area>/v1/`; the build finds it.

mod codec;
mod comments;
mod hedging;
mod lazy;
mod method;
pub mod validate;
mod wire;

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

pub use codec::{Codec, Encoder};
pub use comments::{comment, encoded_file};
pub use hedging::Hedging;
pub use lazy::Lazy;
pub use method::{Idempotency, Method, Methods};
pub use validate::{Validate, Violation, Violations};
pub use wire::{bool_at, is_well_formed, string_at};

/// The encoded `google.protobuf.FileDescriptorSet` of all contracts, options and comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors, decoded once for each process. They never change.
///
/// Their comments are not in them, which every process would have in its memory and few read: see [`comment`].
pub fn pool() -> &'static DescriptorPool {
    const BARE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bare.bin"));
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(BARE).expect("the build wrote a valid descriptor set"));
    &POOL
}

/// The methods of all contracts, read once for each process.
pub fn methods() -> &'static Methods {
    static METHODS: LazyLock<Methods> =
        LazyLock::new(|| Methods::from_pool(pool()).expect("the build checked every policy"));
    &METHODS
}

#[expect(
    missing_docs,
    clippy::all,
    clippy::allow_attributes,
    clippy::pedantic,
    reason = "generated; the contracts themselves are documented and checked"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));

    include!(concat!(env!("OUT_DIR"), "/validation.rs"));
}

#[doc(hidden)]
pub use generated::buf;
pub use generated::{google, grpc, weft};
