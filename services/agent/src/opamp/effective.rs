//! What a collector runs with, as it is kept.

use prost::Message;
use weft_store::AgentDocument;

use super::{
    report,
    wire::{ConfigMap, EffectiveConfig},
};
use crate::domain::record::Record;

/// The document with what it runs with.
pub(crate) const EFFECTIVE: &str = "opamp-effective";
/// Largest configuration of a collector's own that is kept, in bytes.
const LARGEST_EFFECTIVE: usize = 1 << 20;

/// What a collector runs with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effective {
    pub(super) hash: Vec<u8>,
    is_too_large: bool,
    pub(super) document: AgentDocument,
}

impl Effective {
    pub(super) fn of(told: &EffectiveConfig) -> Self {
        Self::of_content(told.config_map.as_ref().map(ConfigMap::encode_to_vec).unwrap_or_default())
    }

    pub(crate) fn of_content(content: Vec<u8>) -> Self {
        let hash = report::hash(&content);
        let is_too_large = content.len() > LARGEST_EFFECTIVE;
        let content = if is_too_large { Vec::new() } else { content };
        Self { hash, is_too_large, document: AgentDocument { kind: EFFECTIVE, content: content.into() } }
    }

    pub(super) fn note(&self, record: &mut Record, now: prost_types::Timestamp) {
        if record.effective == self.hash {
            return;
        }
        record.effective.clone_from(&self.hash);
        record.effective_too_large = self.is_too_large;
        record.agent_mut().collector.get_or_insert_default().effective_time = Some(now);
    }
}
