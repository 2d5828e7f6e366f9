//! Who in this process has subscribed to what: the local half of every bus.
//!
//! Each topic is a ring of the last messages, shared by its subscribers; one that falls behind by more than
//! the ring learns how many it has missed. So a message costs the same whatever the number of subscribers,
//! and none of them can hold the others up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{BusError, Received, Result, SUBSCRIBER_QUEUE};

/// What goes through a topic's ring.
#[derive(Clone)]
enum Event {
    Message(Bytes),
    /// An unknown number of messages was lost before this.
    Lost,
}

#[derive(Default)]
struct Topics {
    rings: HashMap<String, broadcast::Sender<Event>>,
    closed: bool,
}

/// The topics that have subscribers here.
#[derive(Default)]
pub(crate) struct Hub {
    // A std mutex: held for a look-up, never across an await.
    topics: Mutex<Topics>,
}

/// Told when the last subscriber of a topic has gone.
pub(crate) type Abandoned = Box<dyn Fn(&str) + Send + Sync>;

impl Hub {
    fn topics(&self) -> MutexGuard<'_, Topics> {
        // Nothing panics while the lock is held, and a map of senders is never half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to a topic.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        topic: &str,
        abandoned: Option<Abandoned>,
    ) -> Result<Subscription> {
        let mut topics = self.topics();
        if topics.closed {
            return Err(BusError::Closed);
        }
        let ring =
            topics.rings.entry(topic.to_owned()).or_insert_with(|| broadcast::channel(SUBSCRIBER_QUEUE).0);
        let receiver = Some(ring.subscribe());
        Ok(Subscription { topic: topic.to_owned(), receiver, hub: self.clone(), abandoned })
    }

    /// Gives a message to all subscribers of a topic.
    pub(crate) fn deliver(&self, topic: &str, message: Bytes) -> Result<()> {
        let topics = self.topics();
        if topics.closed {
            return Err(BusError::Closed);
        }
        if let Some(ring) = topics.rings.get(topic) {
            // Fails when the last subscriber is about to leave.
            drop(ring.send(Event::Message(message)));
        }
        Ok(())
    }

    /// Tells all subscribers of some topics that messages were lost.
    pub(crate) fn lost<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        let held = self.topics();
        for ring in topics.into_iter().filter_map(|topic| held.rings.get(topic)) {
            drop(ring.send(Event::Lost));
        }
    }

    /// The topics that have subscribers.
    pub(crate) fn names(&self) -> Vec<String> {
        self.topics().rings.keys().cloned().collect()
    }

    /// Whether a topic has subscribers.
    pub(crate) fn has(&self, topic: &str) -> bool {
        self.topics().rings.contains_key(topic)
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        let mut topics = self.topics();
        topics.closed = true;
        topics.rings.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.topics().closed
    }
}

/// Messages of one topic, from the moment of subscribing on. Ends when dropped.
pub struct Subscription {
    topic: String,
    /// Taken when dropped, so that the last one can be told.
    receiver: Option<broadcast::Receiver<Event>>,
    hub: Arc<Hub>,
    abandoned: Option<Abandoned>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Subscription {
    /// The next message, or that some were lost. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> Received {
        let Some(receiver) = &mut self.receiver else { return Received::Closed };
        match receiver.recv().await {
            Ok(Event::Message(message)) => Received::Message(message),
            Ok(Event::Lost) => Received::Lagged(0),
            Err(RecvError::Lagged(count)) => Received::Lagged(count),
            Err(RecvError::Closed) => Received::Closed,
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        // Dropped under the lock: of two that leave at the same time, the second sees that it is the last.
        drop(self.receiver.take());
        let last = topics.rings.get(&self.topic).is_some_and(|ring| ring.receiver_count() == 0);
        if last {
            topics.rings.remove(&self.topic);
        }
        drop(topics);
        if let (true, Some(abandoned)) = (last, &self.abandoned) {
            abandoned(&self.topic);
        }
    }
}
