//! Takes analyses that wait, as long as there is room; and forgets those that ended long ago.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use weft_kit::TaskKind;
use weft_store::StoreError;

use super::{Analyses, control::Stop, job};

/// How often it is looked for what another process has accepted or died with.
const LOOK: Duration = Duration::from_secs(1);
/// How often old analyses are looked for, and how many are forgotten between two breaths.
const SWEEP: Duration = Duration::from_mins(10);
const FORGOTTEN_AT_ONCE: u32 = 100;

pub(crate) fn start(analyses: &Arc<Analyses>) {
    let lifecycle = analyses.lifecycle.clone();
    let (claiming, places) =
        (Arc::clone(analyses), Arc::new(Semaphore::new(analyses.options.max_running_analyses)));
    lifecycle.spawn("analyses", TaskKind::Background, move |life| {
        let (analyses, places) = (Arc::clone(&claiming), Arc::clone(&places));
        async move {
            let claim = claim(&analyses, &places);
            tokio::select! {
                ended = claim => ended,
                () = life.draining() => {
                    // They are begun anew by whoever is here next.
                    analyses.stop_all(Stop::Lost);
                    Ok(())
                }
            }
        }
    });
    let sweeping = Arc::clone(analyses);
    lifecycle.spawn("analyses-sweep", TaskKind::Background, move |life| {
        let analyses = Arc::clone(&sweeping);
        async move {
            loop {
                let before = analyses.now().before(analyses.options.keep_analyses());
                for uid in analyses.store.ended_analyses(before, FORGOTTEN_AT_ONCE).await? {
                    analyses.forget(uid).await?;
                }
                tokio::select! {
                    () = tokio::time::sleep(SWEEP) => {}
                    () = life.draining() => return Ok::<_, StoreError>(()),
                }
            }
        }
    });
}

async fn claim(analyses: &Arc<Analyses>, places: &Arc<Semaphore>) -> Result<(), StoreError> {
    loop {
        let place = Arc::clone(places).acquire_owned().await.expect("nobody closes it");
        let now = analyses.now();
        let claimed = analyses.store.claim_analysis(analyses.owner, now, now.after(job::LEASE)).await?;
        let Some(row) = claimed else {
            drop(place);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = analyses.offered.notified() => {}
            }
            continue;
        };
        let analyses = Arc::clone(analyses);
        analyses.lifecycle.clone().spawn_future(async move {
            job::run(&analyses, row, place).await;
        });
    }
}
