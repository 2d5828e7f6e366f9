//! That something came, or that it is known what became of it: what wakes those who watch deliveries, here and in other
//! processes. It says nothing more: who watches reads.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use weft_bus::{Bus, Received};
use weft_kit::Lifecycle;

/// The topic of the bus; what is sent is the name of the process that says so.
const TOPIC: &str = "trigger.deliveries";
/// What happens within so long wakes once.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is woken where nothing is heard: the bus may lose a word.
pub(crate) const AT_LEAST: Duration = Duration::from_secs(5);

/// Who is to be woken.
pub(crate) struct News {
    came: Notify,
    /// When it was woken last.
    woken: watch::Sender<Instant>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self { came: Notify::new(), woken: watch::Sender::new(Instant::now()) }
    }

    /// Something has changed among deliveries.
    pub(crate) fn tell(&self) {
        self.came.notify_one();
    }

    /// Wakes when something has changed, at most ten times a second, and says when.
    pub(crate) fn watch(&self) -> watch::Receiver<Instant> {
        self.woken.subscribe()
    }

    fn wake(&self) {
        self.woken.send_replace(Instant::now());
    }
}

/// Wakes, and tells other processes, until this one ends.
///
/// # Errors
/// The bus cannot be listened to.
pub(crate) async fn run(news: &News, bus: &dyn Bus, owner: &str, life: Lifecycle) -> Result<(), String> {
    let mut notices = bus.subscribe(TOPIC).await.map_err(|error| error.to_string())?;
    let own = Bytes::copy_from_slice(owner.as_bytes());
    loop {
        let is_ours = tokio::select! {
            () = news.came.notified() => true,
            notice = notices.recv() => match notice {
                Received::Message(message) if message == own => continue,
                Received::Message(_) | Received::Lagged(_) => false,
                Received::Closed => return Ok(()),
            },
            () = life.draining() => return Ok(()),
        };
        news.wake();
        if is_ours && let Err(error) = bus.publish(TOPIC, own.clone()).await {
            tracing::debug!(%error, "other processes were not told; they look by themselves");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = life.draining() => return Ok(()),
        }
    }
}
