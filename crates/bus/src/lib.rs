//! How processes tell each other what happened, and keep what can be made again.
//!
//! - [`Bus`]: publish and subscribe by topic. At most once, in order for each publisher, bounded for each
//!   subscriber. It carries notices, never the truth: a subscriber that misses some is told so
//!   ([`Received::Lagged`]) and reads the database. Losing the bus loses nothing but time.
//! - [`Cache`]: values under keys, for a time. May forget at any moment.
//!
//! Both come in one process ([`open`] with `memory:`) and over Redis (`redis://…`), and pass the same tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), weft_bus::BusError> {
//! use weft_bus::Received;
//!
//! let opened = weft_bus::open("memory:").await?;
//! let mut graph = opened.bus.subscribe("graph.7").await?;
//! opened.bus.publish("graph.7", "revision 12".into()).await?;
//! assert_eq!(graph.recv().await, Received::Message("revision 12".into()));
//! # Ok(()) }
//! ```

mod hub;
mod memory;
mod pump;
mod redis;
mod url;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

pub use crate::hub::Subscription;

/// Most bytes in a message or in a cached value.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// Most bytes in a topic or a key.
pub const MAX_NAME_BYTES: usize = 512;
/// How many messages wait for a subscriber at most; one that is slower is told how many it has missed.
pub const SUBSCRIBER_QUEUE: usize = 256;

/// Result of every method here.
pub type Result<T> = std::result::Result<T, BusError>;

/// What can go wrong. None of it loses anything that the database does not have.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The URL is not one of ours.
    #[error("bus URL: {0}")]
    Url(String),

    /// A name or a value is too large, or a name is empty.
    #[error("{field} has {size} bytes, which is not from {min} to {max}")]
    Size {
        /// Which argument: "topic", "key", "message" or "value".
        field: &'static str,
        /// How many bytes it has.
        size: usize,
        /// How many it must have.
        min: usize,
        /// How many it may have.
        max: usize,
    },

    /// Redis does not answer.
    #[error("the bus is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// It was closed here.
    #[error("the bus is closed")]
    Closed,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Bytes),
    /// Messages were lost: this many, or an unknown number when 0, because the connection to Redis was
    /// interrupted. Read the database, then go on.
    Lagged(u64),
    /// The bus is closed; nothing more comes.
    Closed,
}

/// Publish and subscribe by topic.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends a message to all who have subscribed to the topic. Says nothing about who has got it.
    async fn publish(&self, topic: &str, message: Bytes) -> Result<()>;

    /// Subscribes to a topic. All that is published after this has answered arrives, or counts as lagged. When
    /// Redis does not answer, this answers all the same after a short time, and the first thing that arrives,
    /// once it does, is [`Received::Lagged`].
    async fn subscribe(&self, topic: &str) -> Result<Subscription>;

    /// Asks for a sign of life.
    async fn ping(&self) -> Result<()>;

    /// Ends all subscriptions with [`Received::Closed`]. Closing twice is harmless.
    async fn close(&self);
}

/// How a cache is doing, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatistics {
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Values that were dropped to make room. Not known of Redis: 0.
    pub evictions: u64,
    /// Values that are held. Not known of Redis: 0.
    pub entries: u64,
    /// Bytes of keys and values that are held. Not known of Redis: 0.
    pub bytes: u64,
}

/// Values under keys, for a time.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value, if it is still there.
    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// Keeps a value for a time, at least a millisecond, instead of the one before.
    async fn set(&self, key: &str, value: Bytes, time_to_live: Duration) -> Result<()>;

    /// Drops a value.
    async fn remove(&self, key: &str) -> Result<()>;

    /// How it is doing.
    fn statistics(&self) -> CacheStatistics;
}

/// A bus and a cache of one place.
#[derive(Clone)]
pub struct Opened {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("cache", &self.cache.statistics()).finish_non_exhaustive()
    }
}

/// Opens the bus and the cache of a URL.
///
/// - `memory:` is this process. `memory:?cache_bytes=N` bounds the cache; 64 MiB otherwise.
/// - `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` is a Redis server. `?prefix=NAME` sets what topics and keys
///   begin with, for several meshes on one server; `weft` otherwise.
///
/// Redis need not be there yet: connections are made when they are needed, and made again when they break.
#[expect(clippy::unused_async, reason = "it starts a task, so it must be called inside a runtime")]
pub async fn open(url: &str) -> Result<Opened> {
    match url::Target::parse(url)? {
        url::Target::Memory { cache_bytes } => Ok(Opened {
            bus: Arc::new(memory::MemoryBus::default()),
            cache: Arc::new(memory::MemoryCache::new(cache_bytes)),
        }),
        url::Target::Redis { server, prefix } => {
            let redis = Arc::new(redis::Redis::open(&server, &prefix)?);
            Ok(Opened { bus: redis.clone(), cache: redis })
        }
    }
}

/// That a topic or a key has a size that may be kept.
fn check_name(field: &'static str, name: &str) -> Result<()> {
    check_size(field, name.len(), 1, MAX_NAME_BYTES)
}

/// That a message or a value has a size that may be kept.
fn check_value(field: &'static str, value: &Bytes) -> Result<()> {
    check_size(field, value.len(), 0, MAX_VALUE_BYTES)
}

fn check_size(field: &'static str, size: usize, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&size) { Ok(()) } else { Err(BusError::Size { field, size, min, max }) }
}
