//! What waits to be written to a socket: bounded in bytes, in the order in which it was said.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_tungstenite::tungstenite::Message;

/// Where the calls of a socket write. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    queue: mpsc::UnboundedSender<Queued>,
    /// Free bytes. First come, first served, so that no call starves another.
    room: Arc<Semaphore>,
    capacity: u32,
}

/// A message, and its bytes' place in the queue, which is free once it is written.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// The socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Outbox {
    /// An outbox of so many bytes, and what the writer reads.
    pub(super) fn new(capacity: usize) -> (Self, mpsc::UnboundedReceiver<Queued>) {
        let capacity = u32::try_from(capacity.max(1)).unwrap_or(u32::MAX);
        let (queue, queued) = mpsc::unbounded_channel();
        // The queue itself needs no bound: nothing gets in without room, and a message always
        // takes some.
        (Self { queue, room: Arc::new(Semaphore::new(capacity as usize)), capacity }, queued)
    }

    /// Waits for room and queues a message. One that is larger than the whole outbox has it to
    /// itself.
    pub(super) async fn send(&self, message: Message) -> Result<(), Gone> {
        /// What a message costs besides its bytes.
        const OVERHEAD: usize = 64;
        let size =
            u32::try_from(message.len().saturating_add(OVERHEAD)).unwrap_or(u32::MAX).min(self.capacity);
        let place = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Gone)?;
        self.queue.send(Queued { message, place: Some(place) }).map_err(|_| Gone)
    }

    /// Queues a ping, without waiting: there is at most one each interval.
    pub(super) fn ping(&self) {
        // Where nobody reads the queue the socket is about to end.
        let _ = self.queue.send(Queued { message: Message::Ping(bytes::Bytes::new()), place: None });
    }
}
