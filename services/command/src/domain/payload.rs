//! What is kept of a command for agents, and what for people.

use bytes::Bytes;
use prost::Message;
use prost_types::Struct;
use weft_kit::seal::Seal;
use weft_proto::weft::command::v1::Command;
use weft_store::StoreError;

/// What agents are handed: the job engine's payload.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Payload {
    /// Last part of the type's name.
    #[prost(string, tag = "1")]
    pub(crate) command_type: String,
    #[prost(string, tag = "2")]
    pub(crate) script: String,
    /// An encoded `Struct`, sealed where there is a secret in it.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) arguments: Bytes,
    #[prost(bool, tag = "4")]
    pub(crate) sealed: bool,
    #[prost(uint64, tag = "5")]
    pub(crate) timeout_micros: u64,
    #[prost(bool, tag = "6")]
    pub(crate) fail_if_interrupted: bool,
    /// An encoded `Struct`; empty where anything is a result.
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) result_schema: Bytes,
}

impl Payload {
    /// As it was kept.
    pub(crate) fn read(batch: i64, bytes: Bytes) -> Result<Self, StoreError> {
        Self::decode(bytes).map_err(|error| corrupt("payload", batch, error.to_string()))
    }

    /// The arguments, opened where they are sealed.
    pub(crate) fn arguments(&self, batch: i64, seal: &Seal) -> Result<Struct, StoreError> {
        let plain = if self.sealed { seal.open(&[], &self.arguments) } else { Some(self.arguments.clone()) };
        let plain = plain.ok_or_else(|| corrupt("payload", batch, "was sealed by another mesh".into()))?;
        Struct::decode(plain).map_err(|error| corrupt("payload", batch, error.to_string()))
    }
}

/// What people see of a command: the job engine's note, without what the engine knows itself.
pub(crate) fn note(command: &Command) -> Bytes {
    command.encode_to_vec().into()
}

/// As it was kept.
pub(crate) fn read_note(batch: i64, bytes: Bytes) -> Result<Command, StoreError> {
    Command::decode(bytes).map_err(|error| corrupt("note", batch, error.to_string()))
}

fn corrupt(column: &'static str, batch: i64, reason: String) -> StoreError {
    StoreError::Corrupt { table: "job_batches", column, row: batch.to_string(), reason }
}
