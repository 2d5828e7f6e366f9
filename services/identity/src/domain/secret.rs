//! What is kept of a secret beside its value, and a secret as clients see it.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;
use weft_proto::weft::identity::v1::Secret;
use weft_store::{SecretRow, StoreError, Timestamp};

/// What is said of a value.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Kept {
    #[prost(string, tag = "1")]
    pub(crate) display_name: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) allowed_hosts: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) creator: String,
    /// When the value was set, in microseconds.
    #[prost(int64, tag = "4")]
    pub(crate) value_time: i64,
}

impl Kept {
    /// As it was stored.
    pub(crate) fn read(uid: Uuid, settings: &Bytes) -> Result<Self, StoreError> {
        Self::decode(settings.clone()).map_err(|error| StoreError::Corrupt {
            table: "secrets",
            column: "settings",
            row: uid.to_string(),
            reason: error.to_string(),
        })
    }
}

/// Project and id in `projects/{project}/secrets/{secret}`. The contract has checked the form.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.strip_prefix("projects/").and_then(|rest| rest.split_once("/secrets/")).unwrap_or_default()
}

/// Its name.
pub(crate) fn full(project: &str, id: &str) -> String {
    format!("projects/{project}/secrets/{id}")
}

/// As clients see it.
pub(crate) fn shown(row: &SecretRow) -> Result<Secret, StoreError> {
    let kept = Kept::read(row.uid, &row.settings)?;
    Ok(Secret {
        name: full(&row.project, &row.id),
        uid: row.uid.to_string(),
        display_name: kept.display_name,
        value: String::new(),
        allowed_hosts: kept.allowed_hosts,
        creator: kept.creator,
        create_time: Some(row.created.into()),
        update_time: Some(row.updated.into()),
        value_time: Some(Timestamp::from_micros(kept.value_time).into()),
        etag: row.version.to_string(),
    })
}
