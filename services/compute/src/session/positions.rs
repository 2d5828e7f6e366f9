//! Where the nodes of layouts are kept while nothing runs: one object each, `layouts/<uid>`; where several processes save,
//! `layouts/<uid>.<epoch>-<number>`, and the store says which of them counts.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;
use weft_store::{PlacementStore, SavedUnder, StoreError, objects::Objects};

use crate::domain::saved::{self, Saved};

/// Keeps positions. Losing them loses no more than time: a layout then starts from its seed. So
/// failures are logged, not passed on.
#[derive(Clone)]
pub(crate) struct Positions {
    objects: Objects,
    /// Where it is kept which of them count, if several processes save.
    placement: Option<Arc<dyn PlacementStore>>,
}

/// Bytes of saved positions besides the nodes.
const HEAD: usize = 80;
/// Bytes of a node in saved positions: ordinal and three coordinates.
const NODE: usize = 16;

impl Positions {
    pub(crate) fn new(objects: Objects, placement: Option<Arc<dyn PlacementStore>>) -> Self {
        Self { objects, placement }
    }

    /// Writes a state down. Whether it is there.
    pub(super) async fn put(&self, uid: Uuid, under: SavedUnder, bytes: Bytes) -> bool {
        let put = self.objects.put(&key(uid, under), bytes).await;
        if let Err(error) = &put {
            tracing::warn!(layout = %uid, %error, "the positions of a layout could not be saved");
        }
        put.is_ok()
    }

    /// Makes what was written down the state that counts, and gives the one that counted before.
    pub(super) async fn record(
        &self,
        uid: Uuid,
        under: SavedUnder,
        awake: bool,
    ) -> Result<SavedUnder, StoreError> {
        match &self.placement {
            Some(placement) => placement.record_save(uid, under.epoch, under.number, awake).await,
            None => Ok(under),
        }
    }

    /// Which state counts, as far as that is known.
    pub(crate) async fn saved(&self, uid: Uuid) -> SavedUnder {
        let Some(placement) = &self.placement else { return SavedUnder::default() };
        match placement.get_hold(uid).await {
            Ok(hold) => hold.map(|hold| hold.saved).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(layout = %uid, %error, "where the positions of a layout are cannot be read");
                SavedUnder::default()
            }
        }
    }

    /// What was saved last, if it can be read and holds at most so many nodes.
    pub(crate) async fn load(&self, uid: Uuid, under: SavedUnder, max_nodes: usize) -> Option<Saved> {
        let warn = |error: &dyn std::fmt::Display| {
            tracing::warn!(layout = %uid, %error, "the positions of a layout cannot be read; it starts anew");
        };
        match self.objects.get(&key(uid, under), HEAD + NODE * max_nodes).await {
            Ok(bytes) => saved::decode(&bytes).map_err(|error| warn(&error)).ok(),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => {
                warn(&error);
                None
            }
        }
    }

    /// Forgets what was saved.
    pub(super) async fn delete(&self, uid: Uuid, under: SavedUnder) {
        if let Err(error) = self.objects.delete(&key(uid, under)).await {
            tracing::warn!(layout = %uid, %error, "saved positions could not be deleted");
        }
    }
}

/// A process that is alone saves in place; of several each has keys of its own.
fn key(uid: Uuid, SavedUnder { epoch, number }: SavedUnder) -> String {
    if epoch == 0 { format!("layouts/{uid}") } else { format!("layouts/{uid}.{epoch}-{number}") }
}
