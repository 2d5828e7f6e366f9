//! What runs in the background: lost notifications are made good, old requests forgotten, what is
//! left of deleted graphs swept, and the memory counted.

use std::{convert::Infallible, sync::Arc, time::Duration};

use prometheus_client::metrics::gauge::Gauge;
use weft_kit::{Lifecycle, TaskKind, metrics::Metrics};
use weft_store::Timestamp;

use crate::{Error, live::Graphs};

/// How often the database is tidied.
const TIDY: Duration = Duration::from_secs(60);
/// Requests are remembered for this long.
const REMEMBERED: Duration = Duration::from_hours(48);
/// Rows removed in one statement.
const BATCH: u32 = 1_000;

/// Starts the rounds.
pub(crate) fn start(graphs: &Arc<Graphs>, lifecycle: &Lifecycle, metrics: &Metrics) {
    let loaded = Gauge::<i64>::default();
    let memory = Gauge::<i64>::default();
    metrics.register("graph", |registry| {
        registry.register("loaded", "Graphs in memory", loaded.clone());
        registry.register("memory_bytes", "Memory of all loaded graphs", memory.clone());
    });

    let healed = Arc::clone(graphs);
    lifecycle.spawn("graph-heal", TaskKind::Background, move |life| {
        let (graphs, loaded, memory) = (Arc::clone(&healed), loaded.clone(), memory.clone());
        every(life, graphs.options.heal_interval, move || {
            let graphs = Arc::clone(&graphs);
            loaded.set(graphs.loaded().len() as i64);
            memory.set(graphs.memory_bytes() as i64);
            async move { graphs.heal().await }
        })
    });

    let tidied = Arc::clone(graphs);
    lifecycle.spawn("graph-tidy", TaskKind::Background, move |life| {
        let graphs = Arc::clone(&tidied);
        every(life, TIDY, move || {
            let graphs = Arc::clone(&graphs);
            async move { tidy(&graphs).await }
        })
    });
}

/// Does something again and again until the end; an error is logged, and the next round tries again.
async fn every<F, R>(life: Lifecycle, interval: Duration, round: F) -> Result<(), Infallible>
where
    F: Fn() -> R,
    R: Future<Output = Result<(), Error>>,
{
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = life.draining() => return Ok(()),
        }
        if let Err(error) = round().await {
            tracing::warn!(%error, "a round of the graph service failed; the next one tries again");
        }
    }
}

async fn tidy(graphs: &Graphs) -> Result<(), Error> {
    let before = Timestamp::from(graphs.clock.now()).before(REMEMBERED);
    graphs.store.forget_requests(before, BATCH).await?;
    while !graphs.store.sweep_deleted(BATCH).await?.done {
        if graphs.life.is_draining() {
            break;
        }
        // Others write between the batches.
        tokio::task::yield_now().await;
    }
    Ok(())
}
