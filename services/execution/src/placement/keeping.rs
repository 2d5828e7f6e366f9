//! What keeps this process among those that share executions: the lease is prolonged, and with each look at who is there it is
//! decided which shards this process is to have.

use std::{convert::Infallible, sync::Arc, time::Duration};

use weft_kit::{Lifecycle, TaskKind};
use weft_members::{Members, Place};

use weft_store::ExecutionStore;

use super::{Placement, key};
use crate::{engine::Engines, state::State};

/// How often a lease is prolonged before it would be over.
const RENEWALS: u32 = 3;
/// How often it is prolonged before it is asked whether what this process has is still its own: clocks may not agree on when
/// a lease is over.
const BETWEEN_QUESTIONS: u32 = 8;

/// Joins those who share executions, until the process ends. Nothing where it is alone.
pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    if state.placement.is_none() {
        return;
    }
    let state = Arc::clone(state);
    lifecycle.spawn("executions-placement", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            if let Some(placement) = &state.placement {
                keep((&*state.store, &state.engines), placement, &life).await;
            }
            Ok::<_, Infallible>(())
        }
    });
}

async fn keep((store, engines): (&dyn ExecutionStore, &Engines), placement: &Placement, life: &Lifecycle) {
    let Placement { members, meter, learnt, .. } = placement;
    let pause = members.lease() / RENEWALS;
    let mut renewals = 0_u32;
    while !life.is_draining() {
        let renewed = tokio::time::timeout(pause, members.renew()).await;
        match &renewed {
            Ok(Ok(has_lapsed)) => {
                if *has_lapsed {
                    // Others may have had what this process has, and have given it back: nobody but the store knows.
                    tracing::warn!("the lease of this process was over; what it has is taken anew");
                    engines.all().for_each(|(_, engine)| engine.renew(i64::MAX));
                }
                renewals = renewals.wrapping_add(1);
                if renewals.is_multiple_of(BETWEEN_QUESTIONS) {
                    question(store, engines, pause).await;
                }
                share(engines, members);
                meter.members.set(i64::try_from(members.count()).unwrap_or(i64::MAX));
                let has = engines.all().filter(|(_, engine)| engine.is_open()).count();
                meter.shards.set(i64::try_from(has).unwrap_or(i64::MAX));
            }
            // What this process has it keeps: whatever it writes after another one has taken it is refused.
            Ok(Err(error)) => tracing::warn!(%error, "the lease of this process could not be prolonged"),
            Err(_) => {
                tracing::warn!("the store does not answer; the lease of this process could not be prolonged");
            }
        }
        let retry = if matches!(renewed, Ok(Ok(_))) { pause } else { pause / 8 };
        let next = tokio::time::sleep(retry);
        tokio::pin!(next);
        loop {
            tokio::select! {
                () = &mut next => break,
                () = life.draining() => break,
                // What one that is gone had need not wait for the next renewal.
                () = learnt.notified() => if !members.has_lapsed() { share(engines, members) },
            }
        }
    }
    members.drain();
    // What steps at work give is written under the lease, and the others learn that they are to take what is given back.
    while engines.all().any(|(_, engine)| engine.is_open()) {
        if let Ok(Err(error)) = tokio::time::timeout(pause, members.renew()).await {
            tracing::warn!(%error, "the lease of this process could not be prolonged");
        }
        tokio::time::sleep(pause / 8).await;
    }
    if let Err(error) = members.leave().await {
        tracing::warn!(%error, "the lease of this process could not be given back; it will end by itself");
    }
}

/// Asks the store whether what this process has is still its own: as long as nothing happens in a shard, no flush is refused.
async fn question(store: &dyn ExecutionStore, engines: &Engines, patience: Duration) {
    match tokio::time::timeout(patience, store.execution_owners()).await {
        Ok(Ok(owners)) => {
            for row in owners {
                if let Some(engine) = engines.get(row.shard) {
                    engine.renew(row.epoch);
                }
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, "who has which executions could not be learnt"),
        Err(_) => tracing::debug!("who has which executions could not be learnt in time"),
    }
}

/// Takes the shards that belong to this process, and gives back those that belong to another.
fn share(engines: &Engines, members: &Members) {
    for (shard, engine) in engines.all() {
        engine.want(matches!(members.belonging(&key(shard)), Place::Here));
    }
}
