//! What is kept of a rule, and of its alerts, in the service's own encoding.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use weft_proto::weft::telemetry::v1::{AlertRule, AlertState};
use weft_store::{AlertSettingRow, AlertStateRow, StoreError};

/// A rule: what clients see of it, and what they do not.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptRule {
    /// As the contract has it, without secrets.
    #[prost(message, optional, tag = "1")]
    pub(crate) rule: Option<AlertRule>,
    /// Sealed secrets of its webhooks, by address.
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub(crate) secrets: BTreeMap<String, Vec<u8>>,
}

/// How far the alerts of a rule are.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptAlerts {
    #[prost(message, repeated, tag = "1")]
    pub(crate) alerts: Vec<KeptAlert>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) groups: Vec<KeptGroup>,
    /// What is to be said, the oldest first.
    #[prost(message, repeated, tag = "3")]
    pub(crate) outbox: Vec<Notice>,
    /// Counts what was to be said.
    #[prost(int64, tag = "4")]
    pub(crate) notice_count: i64,
}

/// One alert. Times are milliseconds since 1970, 0 where there is none.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptAlert {
    #[prost(btree_map = "string, string", tag = "1")]
    pub(crate) labels: BTreeMap<String, String>,
    #[prost(enumeration = "AlertState", tag = "2")]
    pub(crate) state: i32,
    /// When it was written last; what it is now is in memory.
    #[prost(double, tag = "3")]
    pub(crate) value: f64,
    #[prost(int64, tag = "4")]
    pub(crate) active: i64,
    #[prost(int64, tag = "5")]
    pub(crate) fired: i64,
    #[prost(int64, tag = "6")]
    pub(crate) resolved: i64,
}

/// Alerts that are told of together.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptGroup {
    /// Values of the labels that make it one.
    #[prost(btree_map = "string, string", tag = "1")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Those that were told to be firing.
    #[prost(string, repeated, tag = "2")]
    pub(crate) told: Vec<String>,
    /// When something was told last.
    #[prost(int64, tag = "3")]
    pub(crate) told_at: i64,
}

/// Something that is to be said to one webhook.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Notice {
    /// The same for each attempt: who gets it twice can tell.
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) url: String,
    /// Sealed.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) secret: Vec<u8>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) body: Bytes,
    #[prost(int64, tag = "5")]
    pub(crate) made: i64,
    #[prost(uint32, tag = "6")]
    pub(crate) failures: u32,
    /// No sooner than then.
    #[prost(int64, tag = "7")]
    pub(crate) next: i64,
}

impl KeptAlert {
    /// Tells it from all others of its rule.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in &self.labels {
            for text in [name, value] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
        hash.finalize()[..8]
            .iter()
            .fold(String::with_capacity(16), |text, byte| text + &format!("{byte:02x}"))
    }
}

impl KeptRule {
    pub(crate) fn read(row: &AlertSettingRow) -> Result<Self, StoreError> {
        decode("alert_settings", "settings", row.uid, &row.settings)
    }
}

impl KeptAlerts {
    pub(crate) fn read(row: &AlertStateRow) -> Result<Self, StoreError> {
        decode("alert_states", "content", row.rule, &row.content)
    }
}

/// What the store has, read.
pub(crate) fn decode<T: Message + Default>(
    table: &'static str,
    column: &'static str,
    uid: uuid::Uuid,
    bytes: &Bytes,
) -> Result<T, StoreError> {
    T::decode(bytes.clone()).map_err(|error| StoreError::Corrupt {
        table,
        column,
        row: uid.to_string(),
        reason: error.to_string(),
    })
}
