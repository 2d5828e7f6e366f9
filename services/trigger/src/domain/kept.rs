//! What is kept of a trigger and of what came to it, in the service's own encoding.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;
use weft_kit::{Caller, CallerKind, Role};
use weft_proto::weft::trigger::v1::{Delivery, Trigger};
use weft_store::{DeliveryRow, StoreError, TriggerRow};

/// A trigger: what clients see of it, and what they do not.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptTrigger {
    /// As the contract has it, without secrets and what the row knows.
    #[prost(message, optional, tag = "1")]
    pub(crate) trigger: Option<Trigger>,
    /// Sealed secrets of a webhook.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) secrets: Vec<Vec<u8>>,
    /// In whose name runs act.
    #[prost(message, optional, tag = "3")]
    pub(crate) rights: Option<Rights>,
    /// How often the token was replaced.
    #[prost(uint64, tag = "4")]
    pub(crate) generation: u64,
}

/// Somebody, and what they might do in a project when they said so.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Rights {
    #[prost(string, tag = "1")]
    pub(crate) creator: String,
    #[prost(enumeration = "Role", tag = "2")]
    pub(crate) role: i32,
    #[prost(string, repeated, tag = "3")]
    pub(crate) scopes: Vec<String>,
}

/// What a run is made of.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptEvent {
    /// Headers of a request, but for those with secrets.
    #[prost(btree_map = "string, string", tag = "1")]
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as it came; of what was fired by hand, a `google.protobuf.Struct`; of an event, `source` and `data` as
    /// JSON.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) body: Bytes,
    /// In whose name the run acts, where that is not who made the trigger.
    #[prost(message, optional, tag = "3")]
    pub(crate) rights: Option<Rights>,
    /// How many runs lead to this one.
    #[prost(int32, tag = "4")]
    pub(crate) depth: i32,
    /// Headers of a request of which nothing is kept, by name.
    #[prost(string, repeated, tag = "5")]
    pub(crate) masked: Vec<String>,
    /// The query of a request.
    #[prost(string, tag = "6")]
    pub(crate) query: String,
    /// Of one that was kept.
    #[prost(bool, tag = "7")]
    pub(crate) is_kept: bool,
}

impl Rights {
    /// Those of a caller in a project.
    pub(crate) fn of(caller: &Caller, project: &str) -> Self {
        Self {
            creator: caller.name.to_string(),
            role: caller.role_in(project).into(),
            scopes: caller.scopes.to_vec(),
        }
    }

    /// As somebody who may do so much in the project.
    pub(crate) fn caller(&self, project: &str) -> Caller {
        Caller {
            name: self.creator.as_str().into(),
            display_name: self.creator.as_str().into(),
            kind: CallerKind::Principal,
            grants: [(project.to_owned(), self.role())].into(),
            scopes: self.scopes.clone().into(),
            ..Caller::nobody()
        }
    }
}

impl KeptTrigger {
    pub(crate) fn read(row: &TriggerRow) -> Result<Self, StoreError> {
        decode("triggers", "settings", row.uid, &row.settings)
    }
}

/// What is shown of a delivery, without its name.
pub(crate) fn head(row: &DeliveryRow) -> Result<Delivery, StoreError> {
    decode("trigger_deliveries", "head", row.id, &row.head)
}

/// What the run of a delivery is made of.
pub(crate) fn event(row: &DeliveryRow) -> Result<KeptEvent, StoreError> {
    decode("trigger_deliveries", "event", row.id, &row.event)
}

/// What the store has, read.
pub(crate) fn decode<T: Message + Default>(
    table: &'static str,
    column: &'static str,
    uid: Uuid,
    bytes: &Bytes,
) -> Result<T, StoreError> {
    let corrupt = |error: prost::DecodeError| StoreError::Corrupt {
        table,
        column,
        row: uid.to_string(),
        reason: error.to_string(),
    };
    T::decode(bytes.clone()).map_err(corrupt)
}
