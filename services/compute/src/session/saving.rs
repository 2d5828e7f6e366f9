//! How a session saves: positions first, then the word that they count, which only the process gives that has the layout.

use std::sync::{Arc, atomic::Ordering};

use weft_kernels::Dim;
use weft_proto::weft::compute::v1::LayoutState;
use weft_store::{SavedUnder, StoreError, Versioned};

use super::{Layouts, Session, snapshot::Snapshot};
use crate::{
    Error,
    domain::saved::{self, Saved},
    frames::{Columns, Frame, Grid},
    placement::{Hold, Taken},
};

impl Session {
    /// Which of the saved positions count.
    pub(super) fn saved(&self) -> SavedUnder {
        *self.saved.lock().expect("nobody panics with the lock")
    }

    fn set_saved(&self, under: SavedUnder) {
        *self.saved.lock().expect("nobody panics with the lock") = under;
    }

    /// The layout was taken for this session.
    pub(super) fn taken(&self, taken: Taken) {
        self.set_saved(taken.saved);
        self.hold.send_replace(Hold::Has(taken.epoch));
    }
}

/// Saves positions and pins, as they were in a state and under a version of the rules; says whether nothing
/// is left to be saved. A session whose layout another process has taken is lost with the attempt.
pub(super) async fn save(
    layouts: &Layouts,
    session: &Arc<Session>,
    snapshot: &Snapshot,
    (state, version): (LayoutState, i64),
) -> bool {
    if session.is_lost() {
        return true;
    }
    let bytes = saved::encode(state == LayoutState::Settled, version, snapshot.columns());
    let (positions, uid) = (&layouts.positions, session.uid);
    let Some(epoch) = session.epoch() else {
        let is_there = positions.put(uid, SavedUnder::default(), bytes).await;
        write_pins(layouts, session).await;
        return is_there;
    };
    let number = session.saves.fetch_add(1, Ordering::SeqCst) + 1;
    let under = SavedUnder { epoch, number };
    if !positions.put(uid, under, bytes).await {
        write_pins(layouts, session).await;
        return false;
    }
    let is_saved = match positions.record(uid, under, state == LayoutState::Running).await {
        Ok(before) => {
            session.set_saved(under);
            positions.delete(uid, before).await;
            if number == 1 {
                // What the process before this one may have written when it died, before it counted.
                let next = if before.epoch == epoch - 1 { before.number + 1 } else { 1 };
                positions.delete(uid, SavedUnder { epoch: epoch - 1, number: next }).await;
            }
            true
        }
        Err(StoreError::Stale { of: Versioned::Epoch, .. }) => {
            positions.delete(uid, under).await;
            lose(layouts, session);
            return true;
        }
        // Deleted meanwhile: what was written would be nobody's.
        Err(StoreError::NotFound { .. }) => {
            positions.delete(uid, under).await;
            return true;
        }
        // The word may have been written all the same: the positions stay, or it would be that of nothing.
        Err(error) => {
            tracing::warn!(layout = %uid, %error, "a layout could not be saved; it is tried again");
            false
        }
    };
    write_pins(layouts, session).await;
    is_saved
}

async fn write_pins(layouts: &Layouts, session: &Arc<Session>) {
    match session.write_pins(&*layouts.store, layouts.now()).await {
        // Or deleted meanwhile, with its pins.
        Ok(()) | Err(Error::LayoutNotFound(_)) => {}
        Err(Error::Moving) => lose(layouts, session),
        Err(error) => {
            tracing::warn!(%error, "the pins of a layout could not be written; they are tried again");
        }
    }
}

fn lose(layouts: &Layouts, session: &Arc<Session>) {
    tracing::warn!(layout = %session.uid, "another process has taken a layout that was simulated here");
    layouts.placement.meter.lost.inc();
    layouts.forget(session);
    session.lose();
}

/// The saved state as viewers see it, for those who come while the graph is being fetched. Nothing for a graph so small that a
/// viewer may want records, which say of each node what only the graph knows: that one is there soon.
pub(super) fn first_view(saved: &Saved, dim: Dim) -> Option<Arc<Snapshot>> {
    let Frame { header, ids, positions, .. } = &saved.frame;
    let columns = Columns {
        ids: ids.clone()?.into(),
        positions: positions.clone(),
        three_dimensions: header.dimensions() == 3,
        tick: header.tick,
        revision: header.revision,
        bounds: header.bounds,
        ..Columns::default()
    };
    let fits = columns.three_dimensions == (dim == Dim::Three) && !columns.fits_records();
    let grid = Grid::of(columns.bounds);
    if fits { Snapshot::new(columns, grid).map(Arc::new).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::RECORD_MAX_ORDINAL;

    #[test]
    fn a_large_layout_is_seen_before_its_graph_is_there() {
        let columns = |last: u32| Columns {
            ids: [1, last].into(),
            positions: [vec![0.5, -2.0], vec![3.0, 4.0], vec![]],
            bounds: ([-2.0, 3.0, 0.0], [0.5, 4.0, 0.0]),
            tick: 7,
            revision: 3,
            ..Columns::default()
        };
        let saved = |last| saved::decode(&saved::encode(true, 1, &columns(last))).unwrap();
        let large = saved(RECORD_MAX_ORDINAL + 1);
        let view = first_view(&large, Dim::Two).unwrap();
        assert_eq!(*view.columns(), columns(RECORD_MAX_ORDINAL + 1));
        assert!(first_view(&large, Dim::Three).is_none());
        assert!(first_view(&saved(RECORD_MAX_ORDINAL), Dim::Two).is_none());
    }
}
