//! The bus and the cache inside one process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{Bus, BusError, Cache, CacheStatistics, Result, Subscription, check_name, check_value, hub::Hub};

/// A bus whose subscribers are all in this process.
#[derive(Default)]
pub(crate) struct MemoryBus {
    hub: Arc<Hub>,
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, topic: &str, message: Bytes) -> Result<()> {
        check_name("topic", topic)?;
        check_value("message", &message)?;
        self.hub.deliver(topic, message)
    }

    async fn subscribe(&self, topic: &str) -> Result<Subscription> {
        check_name("topic", topic)?;
        self.hub.subscribe(topic, None)
    }

    async fn ping(&self) -> Result<()> {
        if self.hub.is_closed() { Err(BusError::Closed) } else { Ok(()) }
    }

    async fn close(&self) {
        self.hub.close();
    }
}

/// What an entry costs besides its key, twice, and its value: two map entries, counted generously.
const ENTRY_BYTES: usize = 128;

struct Entry {
    value: Bytes,
    expires: Instant,
    /// When it was used last: its place in `Entries::by_use`.
    used: u64,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry>,
    /// Keys by when they were used last. A tree, so that dropping the oldest needs no list through the map.
    by_use: BTreeMap<u64, Arc<str>>,
    /// Counts uses.
    clock: u64,
    bytes: usize,
    hits: u64,
    misses: u64,
    evictions: u64,
}

impl Entries {
    fn cost(key: &str, value: &Bytes) -> usize {
        2 * key.len() + value.len() + ENTRY_BYTES
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, entry)) = self.by_key.remove_entry(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= Self::cost(&key, &entry.value);
        }
    }

    fn get(&mut self, key: &str, now: Instant) -> Option<Bytes> {
        match self.by_key.get_mut(key) {
            Some(entry) if entry.expires > now => {
                let name = self.by_use.remove(&entry.used).expect("every entry has a place by its use");
                self.clock += 1;
                entry.used = self.clock;
                self.by_use.insert(self.clock, name);
                self.hits += 1;
                Some(entry.value.clone())
            }
            Some(_) => {
                self.remove(key);
                self.misses += 1;
                None
            }
            None => {
                self.misses += 1;
                None
            }
        }
    }

    fn set(&mut self, key: &str, value: Bytes, expires: Instant, most_bytes: usize) {
        self.remove(key);
        let cost = Self::cost(key, &value);
        if cost > most_bytes {
            self.evictions += 1;
            return;
        }
        while self.bytes + cost > most_bytes {
            let (_, oldest) = self.by_use.first_key_value().expect("what takes up room is there");
            let oldest = oldest.clone();
            self.remove(&oldest);
            self.evictions += 1;
        }
        let name: Arc<str> = key.into();
        self.clock += 1;
        self.by_use.insert(self.clock, name.clone());
        self.by_key.insert(name, Entry { value, expires, used: self.clock });
        self.bytes += cost;
    }
}

/// A cache in memory: drops what was not used for the longest time when it is full.
pub(crate) struct MemoryCache {
    most_bytes: usize,
    // A std mutex: held for a look-up, never across an await.
    entries: Mutex<Entries>,
}

impl MemoryCache {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, entries: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        work(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        check_name("key", key)?;
        Ok(self.with(|entries| entries.get(key, Instant::now())))
    }

    async fn set(&self, key: &str, value: Bytes, time_to_live: Duration) -> Result<()> {
        check_name("key", key)?;
        check_value("value", &value)?;
        let now = Instant::now();
        // A time to live that no clock can hold is for ever, or near enough.
        let expires = now
            .checked_add(time_to_live.max(Duration::from_millis(1)))
            .unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()));
        self.with(|entries| entries.set(key, value, expires, self.most_bytes));
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        check_name("key", key)?;
        self.with(|entries| entries.remove(key));
        Ok(())
    }

    fn statistics(&self) -> CacheStatistics {
        self.with(|entries| CacheStatistics {
            hits: entries.hits,
            misses: entries.misses,
            evictions: entries.evictions,
            entries: entries.by_key.len() as u64,
            bytes: entries.bytes as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_full_cache_drops_what_was_not_used_for_the_longest_time() {
        let one = Entries::cost("a", &Bytes::from_static(&[0; 100]));
        let cache = MemoryCache::new(3 * one);
        for key in ["a", "b", "c"] {
            cache.set(key, Bytes::from_static(&[0; 100]), LONG).await.unwrap();
        }
        assert!(cache.get("a").await.unwrap().is_some());
        cache.set("d", Bytes::from_static(&[0; 100]), LONG).await.unwrap();
        for (key, kept) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(cache.get(key).await.unwrap().is_some(), kept, "{key}");
        }
        let statistics = cache.statistics();
        assert_eq!((statistics.entries, statistics.evictions), (3, 1));
        assert_eq!((statistics.hits, statistics.misses), (4, 1));
        assert_eq!(statistics.bytes, 3 * one as u64);
    }

    #[tokio::test]
    async fn the_bound_holds_whatever_is_put_in() {
        let cache = MemoryCache::new(10_000);
        for n in 0..2_000_usize {
            let key = format!("key {}", n * 7 % 300);
            cache.set(&key, Bytes::from(vec![0; n * 31 % 3_000]), LONG).await.unwrap();
            assert!(cache.statistics().bytes <= 10_000);
            if n % 5 == 0 {
                cache.remove(&format!("key {}", n % 300)).await.unwrap();
            }
        }
        cache.set("large", Bytes::from(vec![0; 20_000]), LONG).await.unwrap();
        assert_eq!(cache.get("large").await.unwrap(), None);
        for n in 0..300 {
            cache.remove(&format!("key {n}")).await.unwrap();
        }
        assert_eq!((cache.statistics().bytes, cache.statistics().entries), (0, 0));
    }

    #[test]
    fn a_value_is_gone_when_its_time_is_over() {
        let (mut entries, now) = (Entries::default(), Instant::now());
        entries.set("a", "1".into(), now + Duration::from_secs(10), 10_000);
        entries.set("b", "1".into(), now + LONG, 10_000);
        assert!(entries.get("a", now + Duration::from_millis(9_999)).is_some());
        assert_eq!(entries.get("a", now + Duration::from_secs(10)), None);
        assert!(entries.get("b", now + Duration::from_secs(10)).is_some());
        assert_eq!((entries.by_key.len(), entries.by_use.len()), (1, 1));
    }

    #[tokio::test]
    async fn a_time_that_no_clock_can_hold_is_for_ever() {
        let cache = MemoryCache::new(10_000);
        cache.set("a", "1".into(), Duration::MAX).await.unwrap();
        assert!(cache.get("a").await.unwrap().is_some());
    }
}
