//! The bus and the cache over Redis: a pool of connections for commands, one for subscriptions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::{
    Connection, Manager, Pool, Runtime,
    redis::{AsyncConnectionConfig, Client, cmd},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Bus, BusError, Cache, CacheStatistics, Result, Subscription, check_name, check_value,
    hub::Hub,
    pump::{Order, Pump},
};

/// How long to wait for Redis before a caller is told that it does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many connections for commands. Each takes many commands at a time, so that a few suffice.
const CONNECTIONS: usize = 8;

/// A connection to a Redis server.
pub(crate) struct Redis {
    pool: Pool,
    hub: Arc<Hub>,
    pump: mpsc::UnboundedSender<Order>,
    /// What channels begin with, `:` included.
    channels: String,
    /// What keys begin with, `:` included.
    keys: String,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Redis {
    pub(crate) fn open(server: &str, prefix: &str) -> Result<Self> {
        // The message of a URL that cannot be read does not repeat it, for it may have a password.
        let client = Client::open(server).map_err(|error| BusError::Url(error.to_string()))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let manager =
            Manager::new_with_config(server, config).map_err(|error| BusError::Url(error.to_string()))?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| BusError::Unavailable(error.into()))?;
        let channels = format!("{prefix}:topic:");
        let hub = Arc::new(Hub::default());
        let pump = Pump::start(client, channels.clone(), hub.clone());
        let keys = format!("{prefix}:cache:");
        Ok(Self { pool, hub, pump, channels, keys, hits: AtomicU64::new(0), misses: AtomicU64::new(0) })
    }

    async fn connection(&self) -> Result<Connection> {
        if self.hub.is_closed() {
            return Err(BusError::Closed);
        }
        self.pool.get().await.map_err(|error| BusError::Unavailable(error.into()))
    }
}

fn unavailable(error: deadpool_redis::redis::RedisError) -> BusError {
    BusError::Unavailable(error.into())
}

#[async_trait]
impl Bus for Redis {
    async fn publish(&self, topic: &str, message: Bytes) -> Result<()> {
        check_name("topic", topic)?;
        check_value("message", &message)?;
        let mut connection = self.connection().await?;
        let channel = format!("{}{topic}", self.channels);
        cmd("PUBLISH").arg(channel).arg(&message[..]).exec_async(&mut connection).await.map_err(unavailable)
    }

    async fn subscribe(&self, topic: &str) -> Result<Subscription> {
        check_name("topic", topic)?;
        let orders = self.pump.clone();
        let abandoned = move |topic: &str| {
            // Fails when the pump has ended, and with it all that Redis sends.
            drop(orders.send(Order::Leave(topic.to_owned())));
        };
        let subscription = self.hub.subscribe(topic, Some(Box::new(abandoned)))?;
        let (done, joined) = oneshot::channel();
        self.pump.send(Order::Join(topic.to_owned(), done)).map_err(|_| BusError::Closed)?;
        // Without an answer in time the subscription stands all the same: the pump subscribes as soon as
        // Redis is back, and then says that messages may have been lost.
        drop(tokio::time::timeout(PATIENCE, joined).await);
        Ok(subscription)
    }

    async fn ping(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        cmd("PING").exec_async(&mut connection).await.map_err(unavailable)
    }

    async fn close(&self) {
        self.hub.close();
        let (done, closed) = oneshot::channel();
        if self.pump.send(Order::Close(done)).is_ok() {
            // Fails when another `close` was first.
            drop(closed.await);
        }
        self.pool.close();
    }
}

#[async_trait]
impl Cache for Redis {
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        check_name("key", key)?;
        let mut connection = self.connection().await?;
        let key = format!("{}{key}", self.keys);
        let value: Option<Vec<u8>> =
            cmd("GET").arg(key).query_async(&mut connection).await.map_err(unavailable)?;
        let counter = if value.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(value.map(Bytes::from))
    }

    async fn set(&self, key: &str, value: Bytes, time_to_live: Duration) -> Result<()> {
        // Redis refuses times that do not fit its clock; a hundred years do.
        const LONGEST: u64 = 100 * 365 * 24 * 3_600 * 1_000;
        check_name("key", key)?;
        check_value("value", &value)?;
        let mut connection = self.connection().await?;
        let key = format!("{}{key}", self.keys);
        let millis = u64::try_from(time_to_live.as_millis()).unwrap_or(LONGEST).clamp(1, LONGEST);
        let command = cmd("SET").arg(key).arg(&value[..]).arg("PX").arg(millis).take();
        command.exec_async(&mut connection).await.map_err(unavailable)
    }

    async fn remove(&self, key: &str) -> Result<()> {
        check_name("key", key)?;
        let mut connection = self.connection().await?;
        let key = format!("{}{key}", self.keys);
        cmd("DEL").arg(key).exec_async(&mut connection).await.map_err(unavailable)
    }

    fn statistics(&self) -> CacheStatistics {
        CacheStatistics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            ..CacheStatistics::default()
        }
    }
}
