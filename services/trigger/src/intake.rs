//! Deliveries on their way to the disk: those that come while others are being written are written together.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use weft_kit::Lifecycle;
use weft_store::{Accepted, DeliveryRow, StoreError, TriggerStore};

use crate::{Error, news::News};

/// Deliveries that are written together at most.
const TOGETHER: usize = 256;
/// Deliveries that may wait to be written; whoever brings more waits.
const WAITING: usize = 1_024;

struct Wanted {
    row: DeliveryRow,
    answer: oneshot::Sender<Result<Accepted, StoreError>>,
}

/// The way to the disk.
pub(crate) struct Intake {
    queue: mpsc::Sender<Wanted>,
    /// Taken by the task that writes.
    wanted: Arc<Mutex<mpsc::Receiver<Wanted>>>,
}

impl Intake {
    pub(crate) fn new() -> Self {
        let (queue, wanted) = mpsc::channel(WAITING);
        Self { queue, wanted: Arc::new(Mutex::new(wanted)) }
    }

    /// Keeps a delivery: it is on disk when this answers, or was before.
    pub(crate) async fn keep(&self, row: DeliveryRow) -> Result<Accepted, Error> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Wanted { row, answer }).await.map_err(|_| Error::Draining)?;
        Ok(answered.await.map_err(|_| Error::Draining)??)
    }

    /// Keeps something that nobody waits for, if there is room.
    pub(crate) fn note(&self, row: DeliveryRow) {
        let (answer, _) = oneshot::channel();
        // What does not fit is not noted: those who wait come first.
        let _ = self.queue.try_send(Wanted { row, answer });
    }

    /// Writes what comes, until the process ends.
    pub(crate) async fn run(
        &self,
        store: &dyn TriggerStore,
        news: &News,
        life: &Lifecycle,
    ) -> Result<(), StoreError> {
        let mut wanted = self.wanted.lock().await;
        let mut group = Vec::with_capacity(TOGETHER);
        loop {
            tokio::select! {
                biased;
                count = wanted.recv_many(&mut group, TOGETHER) => if count == 0 { return Ok(()) },
                // What comes later is refused, what is here is written.
                () = life.draining(), if !wanted.is_closed() => {
                    wanted.close();
                    continue;
                }
            }
            let rows = group.iter().map(|wanted: &Wanted| wanted.row.clone()).collect();
            match store.accept_deliveries(rows).await {
                Ok(accepted) => {
                    news.tell();
                    for (wanted, accepted) in group.drain(..).zip(accepted) {
                        // Fails when whoever brought it has gone away.
                        drop(wanted.answer.send(Ok(accepted)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, deliveries = group.len(), "deliveries could not be kept");
                    for wanted in group.drain(..) {
                        let error = StoreError::unavailable(error.to_string());
                        drop(wanted.answer.send(Err(error)));
                    }
                }
            }
        }
    }
}
