//! How messages come from Redis: the task that owns the one connection for subscriptions.
//!
//! It is subscribed to exactly the topics that have subscribers in this process. When the connection breaks it
//! makes a new one, with growing pauses between tries, and tells every subscriber that messages may have been
//! lost: they read the database and go on.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use deadpool_redis::redis::{
    Client, Msg, RedisError,
    aio::{PubSubSink, PubSubStream},
};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};

use crate::hub::Hub;

/// Pauses between tries to connect: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long Redis may take to confirm something before the connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a silent connection is asked for a sign of life: a cable that is cut says nothing by itself.
const SILENCE: Duration = Duration::from_secs(15);

/// What the task is asked to do.
pub(crate) enum Order {
    /// A topic has a new subscriber, who waits until the topic is subscribed to.
    Join(String, oneshot::Sender<()>),
    /// A topic has lost its last subscriber.
    Leave(String),
    /// End.
    Close(oneshot::Sender<()>),
}

/// Why a connection was given up.
enum End {
    Broken(String),
    Closed(Option<oneshot::Sender<()>>),
}

/// The task.
pub(crate) struct Pump {
    client: Client,
    channels: String,
    hub: Arc<Hub>,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Topics that the current connection is subscribed to.
    joined: HashSet<String>,
    /// Subscribers who wait for a connection.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Pump {
    /// Starts the task. It ends when told to, or when its last handle is dropped.
    pub(crate) fn start(client: Client, channels: String, hub: Arc<Hub>) -> mpsc::UnboundedSender<Order> {
        let (handle, orders) = mpsc::unbounded_channel();
        let pump = Self { client, channels, hub, orders, joined: HashSet::new(), waiting: Vec::new() };
        #[expect(
            clippy::disallowed_methods,
            reason = "a bus has no runtime kit below it; the task ends when its last handle is dropped"
        )]
        tokio::spawn(pump.run());
        handle
    }

    async fn run(mut self) {
        // No connection before the first subscription: a process that only publishes needs none.
        let Some(mut end) = self.wait_for_work().await else { return };
        let mut pause = FIRST_PAUSE;
        let mut connected_before = false;
        loop {
            if end.is_none() {
                end = match self.connect(connected_before).await {
                    Ok((sink, stream)) => {
                        (connected_before, pause) = (true, FIRST_PAUSE);
                        Some(self.pump(sink, stream).await)
                    }
                    Err(reason) => Some(End::Broken(reason)),
                };
            }
            end = match end {
                Some(End::Closed(done)) => {
                    // Fails when the closer has gone away.
                    done.map(|done| done.send(()));
                    return;
                }
                Some(End::Broken(reason)) => {
                    tracing::warn!(reason, ?pause, "the connection for subscriptions is broken");
                    let closed = self.pause(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    closed.map(End::Closed)
                }
                None => None,
            };
        }
    }

    /// Waits for the first subscriber. Gives the order to close if that came instead, and nothing at all when
    /// there is nobody left who could give an order.
    async fn wait_for_work(&mut self) -> Option<Option<End>> {
        loop {
            match self.orders.recv().await? {
                Order::Join(_, done) => {
                    self.waiting.push(done);
                    return Some(None);
                }
                Order::Leave(_) => {}
                Order::Close(done) => return Some(Some(End::Closed(Some(done)))),
            }
        }
    }

    /// Waits before the next try, taking orders meanwhile. Gives the order to close, if it came.
    async fn pause(&mut self, pause: Duration) -> Option<Option<oneshot::Sender<()>>> {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return None,
                order = self.orders.recv() => match order {
                    Some(Order::Join(_, done)) => self.waiting.push(done),
                    Some(Order::Leave(_)) => {}
                    Some(Order::Close(done)) => return Some(Some(done)),
                    None => return Some(None),
                },
            }
        }
    }

    /// Connects, and subscribes to all topics that have subscribers.
    async fn connect(&mut self, again: bool) -> Result<(PubSubSink, PubSubStream), String> {
        self.joined.clear();
        let (mut sink, stream) = in_time(self.client.get_async_pubsub()).await?.split();
        let topics = self.hub.names();
        if !topics.is_empty() {
            let channels: Vec<_> = topics.iter().map(|topic| format!("{}{topic}", self.channels)).collect();
            in_time(sink.subscribe(&channels)).await?;
        }
        // Whoever subscribed while there was no connection, or had one that broke, may have missed something.
        // Those of the very first connection have missed nothing unless they gave up waiting.
        let gave_up = self.waiting.drain(..).filter_map(|done| done.send(()).err()).count();
        if again || gave_up > 0 {
            self.hub.lost(topics.iter().map(String::as_str));
        }
        self.joined.extend(topics);
        Ok((sink, stream))
    }

    /// Hands messages on until the connection breaks.
    async fn pump(&mut self, mut sink: PubSubSink, mut stream: PubSubStream) -> End {
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => self.deliver(&message),
                    None => return End::Broken("closed by the other side".into()),
                },
                order = self.orders.recv() => {
                    let done = match order {
                        Some(Order::Join(topic, done)) => self.join(&mut sink, topic, done).await,
                        Some(Order::Leave(topic)) => self.leave(&mut sink, topic).await,
                        Some(Order::Close(done)) => return End::Closed(Some(done)),
                        None => return End::Closed(None),
                    };
                    if let Err(reason) = done {
                        return End::Broken(reason);
                    }
                }
                () = tokio::time::sleep(SILENCE) => {
                    if let Err(reason) = in_time(sink.ping::<()>()).await {
                        return End::Broken(reason);
                    }
                }
            }
        }
    }

    fn deliver(&self, message: &Msg) {
        if let Some(topic) = message.get_channel_name().strip_prefix(&self.channels) {
            // Fails when the bus is being closed.
            drop(self.hub.deliver(topic, Bytes::copy_from_slice(message.get_payload_bytes())));
        }
    }

    async fn join(
        &mut self,
        sink: &mut PubSubSink,
        topic: String,
        done: oneshot::Sender<()>,
    ) -> Result<(), String> {
        if !self.joined.contains(&topic) && self.hub.has(&topic) {
            if let Err(reason) = in_time(sink.subscribe(format!("{}{topic}", self.channels))).await {
                self.waiting.push(done);
                return Err(reason);
            }
            self.joined.insert(topic.clone());
        }
        // Fails when the subscriber gave up waiting: it went on without, and may have missed something.
        if done.send(()).is_err() {
            self.hub.lost([topic.as_str()]);
        }
        Ok(())
    }

    async fn leave(&mut self, sink: &mut PubSubSink, topic: String) -> Result<(), String> {
        // Somebody may have subscribed again before this order came.
        if self.hub.has(&topic) || !self.joined.remove(&topic) {
            return Ok(());
        }
        in_time(sink.unsubscribe(format!("{}{topic}", self.channels))).await
    }
}

/// The answer of Redis, or why there is none.
async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("Redis does not answer".into()),
    }
}
