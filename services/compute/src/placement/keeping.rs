//! What keeps this process among those that share layouts: the lease is prolonged, layouts that have lost their process are
//! taken in, and in the end everything is given away.

use std::sync::Arc;

use uuid::Uuid;
use weft_kit::{Lifecycle, TaskKind};
use weft_members::{Members, Place};
use weft_store::PlacementStore;

use super::Placement;
use crate::session::Layouts;

/// How often a lease is prolonged before it would be over.
const RENEWALS: u32 = 3;
/// Layouts that are taken in at a time, so that the end of a large process is no storm for the others.
const ADOPTED: usize = 16;
/// Layouts that are looked at for that.
const LOOKED_AT: u32 = 500;

/// Joins those who share layouts, until the process ends. Nothing where it is alone.
pub(crate) fn start(layouts: &Arc<Layouts>) {
    if !layouts.placement.is_shared() {
        return;
    }
    let layouts = Arc::clone(layouts);
    layouts.lifecycle.clone().spawn("layout-placement", TaskKind::Background, move |life| {
        let layouts = Arc::clone(&layouts);
        async move {
            if let Some((members, holds)) = layouts.placement.shared_by() {
                keep(&layouts, members, holds, &life).await;
            }
            Ok::<_, std::convert::Infallible>(())
        }
    });
}

async fn keep(layouts: &Arc<Layouts>, members: &Members, holds: &dyn PlacementStore, life: &Lifecycle) {
    let pause = members.lease() / RENEWALS;
    while !life.is_draining() {
        let renewed = tokio::time::timeout(pause, members.renew()).await;
        match &renewed {
            Ok(Ok(lapsed)) => {
                layouts.placement.meter.members.set(members.count() as i64);
                if *lapsed {
                    layouts.lose_all();
                }
                adopt(layouts, members, holds).await;
            }
            Ok(Err(error)) => tracing::warn!(%error, "the lease of this process could not be prolonged"),
            Err(_) => {
                tracing::warn!("the store does not answer; the lease of this process could not be prolonged");
            }
        }
        // Soon after the lease is over nothing moves here any more, so that nobody sees two simulations for long.
        let retry = if matches!(renewed, Ok(Ok(_))) { pause } else { pause / 8 };
        tokio::select! {
            () = tokio::time::sleep(retry) => {}
            () = life.draining() => {}
        }
        if members.has_lapsed() {
            layouts.lose_all();
        }
    }
    members.drain();
    // The others take nothing from here on that they would have to hand on to this process.
    if let Err(error) = members.renew().await {
        tracing::warn!(%error, "the others could not be told that this process ends");
    }
    // Their last saves are written under the lease.
    loop {
        tokio::select! {
            () = layouts.all_over() => break,
            () = tokio::time::sleep(pause) => {}
        }
        if let Ok(Err(error)) = tokio::time::timeout(pause, members.renew()).await {
            tracing::warn!(%error, "the lease of this process could not be prolonged");
        }
    }
    if let Err(error) = members.leave().await {
        tracing::warn!(%error, "the lease of this process could not be given back; it will end by itself");
    }
}

/// Takes in some of the layouts that moved and that nobody has any more: those that belong here.
async fn adopt(layouts: &Arc<Layouts>, members: &Members, holds: &dyn PlacementStore) {
    let mut after = Uuid::nil();
    let mut adopted = 0;
    while adopted < ADOPTED {
        let orphans = match holds.orphans(members.now(), after, LOOKED_AT).await {
            Ok(orphans) => orphans,
            Err(error) => {
                tracing::warn!(%error, "layouts without a process could not be looked for");
                return;
            }
        };
        let Some(last) = orphans.last() else { return };
        after = last.layout;
        for orphan in orphans {
            if adopted == ADOPTED {
                return;
            }
            if !matches!(members.belonging(orphan.layout.as_bytes()), Place::Here)
                || layouts.peek(orphan.layout).is_some()
            {
                continue;
            }
            let row = layouts.store.get_layout(&orphan.project, &orphan.graph, &orphan.id).await;
            // Attempts count, so that the lease is prolonged in time.
            adopted += 1;
            let Ok(row) = row else { continue };
            // Where there is no room they wait until somebody looks.
            if row.uid == orphan.layout && layouts.open(row).is_err() {
                return;
            }
        }
    }
}

impl Placement {
    /// Learns who is there, after a call that went to the wrong one.
    pub(super) async fn refresh(&self) {
        if let Some(members) = &self.members
            && let Err(error) = members.refresh().await
        {
            tracing::debug!(%error, "who shares layouts could not be learnt");
        }
    }
}
