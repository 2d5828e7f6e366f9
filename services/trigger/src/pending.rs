//! Deliveries on their way from the disk to their runs, and the way to the task that starts them.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause};
use weft_store::{DeliveryRow, StoreError};

use crate::{domain::kept, ready::Ready};

/// A delivery whose run is to be started.
pub(crate) struct Pending {
    pub(crate) row: DeliveryRow,
    pub(crate) head: Delivery,
    /// Its trigger, where it was just looked at.
    pub(crate) ready: Option<Arc<Ready>>,
    /// Who waits for what becomes of it.
    pub(crate) done: Option<oneshot::Sender<Delivery>>,
    /// When its run is to be started, in microseconds since 1970.
    pub(crate) due: i64,
}

impl Pending {
    /// One that is to be started when its row says so.
    pub(crate) fn of(row: DeliveryRow) -> Result<Self, StoreError> {
        let head = kept::head(&row)?;
        let due = row.wake.map_or(0, weft_store::Timestamp::as_micros);
        Ok(Self { row, head, ready: None, done: None, due })
    }

    /// The trigger whose ticks wait for each other.
    pub(crate) fn line(&self) -> Option<uuid::Uuid> {
        let is_tick = matches!(self.head.cause(), DeliveryCause::Schedule | DeliveryCause::Backfill);
        is_tick.then_some(self.row.trigger)
    }
}

/// The way to the task that starts runs.
pub(crate) struct Dispatcher {
    queue: mpsc::Sender<Pending>,
    /// Taken by the task.
    pub(crate) offered: Arc<Mutex<mpsc::Receiver<Pending>>>,
    /// Whether this process is the one that looks for what waits on disk.
    pub(crate) has_all: watch::Sender<bool>,
}

impl Dispatcher {
    pub(crate) fn new(room: usize) -> Self {
        let (queue, offered) = mpsc::channel(room.max(1));
        Self { queue, offered: Arc::new(Mutex::new(offered)), has_all: watch::Sender::new(false) }
    }

    /// Hands over a delivery that is on disk. Where there is no room it waits there, and is found later.
    pub(crate) fn offer(&self, pending: Pending) {
        if self.queue.try_send(pending).is_err() {
            tracing::debug!("a delivery waits on disk");
        }
    }

    /// Says whether this process has the triggers.
    pub(crate) fn set_owner(&self, owns: bool) {
        self.has_all.send_replace(owns);
    }
}
