//! Where the nodes of layouts are kept while nothing runs: one object each, `layouts/<uid>`.

use uuid::Uuid;
use weft_store::{StoreError, objects::Objects};

use super::snapshot::Snapshot;
use crate::domain::saved::{self, Saved};

/// Keeps positions. Losing them loses no more than time: a layout then starts from its seed. So
/// failures are logged, not passed on.
#[derive(Clone, Debug)]
pub(crate) struct Positions(Objects);

/// Bytes of saved positions besides the nodes.
const HEAD: usize = 80;
/// Bytes of a node in saved positions: ordinal and three coordinates.
const NODE: usize = 16;

impl Positions {
    pub(crate) fn new(objects: Objects) -> Self {
        Self(objects)
    }

    /// Saves a state.
    pub(super) async fn save(&self, uid: Uuid, settled: bool, version: i64, snapshot: &Snapshot) {
        let bytes = saved::encode(settled, version, snapshot.columns());
        if let Err(error) = self.0.put(&key(uid), bytes).await {
            tracing::warn!(layout = %uid, %error, "the positions of a layout could not be saved");
        }
    }

    /// What was saved last, if it can be read and holds at most so many nodes.
    pub(crate) async fn load(&self, uid: Uuid, max_nodes: usize) -> Option<Saved> {
        let warn = |error: &dyn std::fmt::Display| {
            tracing::warn!(layout = %uid, %error, "the positions of a layout cannot be read; it starts anew");
        };
        match self.0.get(&key(uid), HEAD + NODE * max_nodes).await {
            Ok(bytes) => saved::decode(&bytes).map_err(|error| warn(&error)).ok(),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => {
                warn(&error);
                None
            }
        }
    }

    /// Forgets what was saved.
    pub(super) async fn delete(&self, uid: Uuid) {
        if let Err(error) = self.0.delete(&key(uid)).await {
            tracing::warn!(layout = %uid, %error, "saved positions could not be deleted");
        }
    }
}

fn key(uid: Uuid) -> String {
    format!("layouts/{uid}")
}
