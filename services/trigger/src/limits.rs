//! How often webhooks may be called: each trigger as it says, and addresses that guess. As much memory as for some
//! thousands of each, whoever comes: of more than that the buckets begin full again.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use quick_cache::sync::Cache;
use uuid::Uuid;
use weft_proto::weft::trigger::v1::WebhookSource;

use crate::{Error, domain::rate::Rate};

/// Buckets that are kept of each kind.
const KEPT: usize = 16_384;
/// Seconds' worth that may come at once where nothing is said.
const AT_ONCE: u32 = 10;

/// Looks in a second for what addresses name that have guessed too often already, all of them together.
const SPARED: u32 = 20;

/// A bucket: when it is full again.
type Bucket = Arc<AtomicI64>;

/// The buckets.
pub(crate) struct Limits {
    triggers: Cache<Uuid, Bucket>,
    addresses: Cache<String, Bucket>,
    spared: Bucket,
}

/// That an address may name something of which it is not known whether it is there. It counts as a guess, unless it is
/// said that it was none.
#[must_use]
pub(crate) struct Guess {
    taken: Option<(Bucket, Rate)>,
}

impl Guess {
    /// It named something that is there.
    pub(crate) fn was_right(self) {
        if let Some((bucket, rate)) = self.taken {
            bucket.fetch_sub(rate.interval(), Ordering::Relaxed);
        }
    }
}

impl Limits {
    pub(crate) fn new() -> Self {
        Self { triggers: Cache::new(KEPT), addresses: Cache::new(KEPT), spared: Bucket::default() }
    }

    /// Takes one request of a trigger. `usual` is how many come in a second where the webhook does not say.
    pub(crate) fn take(
        &self,
        trigger: Uuid,
        webhook: &WebhookSource,
        usual: u32,
        now: i64,
    ) -> Result<(), Error> {
        let per_second = u32::try_from(webhook.max_per_second).ok().filter(|rate| *rate > 0).unwrap_or(usual);
        let burst = u32::try_from(webhook.max_burst).ok().filter(|burst| *burst > 0);
        let burst = burst.unwrap_or_else(|| per_second.saturating_mul(AT_ONCE));
        take(&of(&self.triggers, &trigger), Rate { per_second, burst }, now)
    }

    /// Takes one guess of an address. Where it has none left there is one among a few for all such addresses: whoever
    /// comes for the first time from where somebody else guesses is found sooner or later, and known from then on.
    pub(crate) fn guess(&self, address: &str, per_second: u32, now: i64) -> Result<Guess, Error> {
        let (bucket, rate) = (of(&self.addresses, &bucket(address)), guesses(per_second));
        match take(&bucket, rate, now) {
            Ok(()) => Ok(Guess { taken: Some((bucket, rate)) }),
            Err(wait) => {
                let few = Rate { per_second: SPARED, burst: SPARED };
                take(&self.spared, few, now).map(|()| Guess { taken: None }).map_err(|_| wait)
            }
        }
    }
}

fn guesses(per_second: u32) -> Rate {
    Rate { per_second, burst: per_second.saturating_mul(AT_ONCE) }
}

fn of<K: Hash + Eq + Clone>(buckets: &Cache<K, Bucket>, key: &K) -> Bucket {
    let new = || Ok::<_, std::convert::Infallible>(Bucket::default());
    let Ok(bucket) = buckets.get_or_insert_with(key, new);
    bucket
}

fn take(bucket: &AtomicI64, rate: Rate, now: i64) -> Result<(), Error> {
    let mut full = bucket.load(Ordering::Relaxed);
    loop {
        let next = rate.take(full, now).map_err(wait)?;
        match bucket.compare_exchange_weak(full, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(newer) => full = newer,
        }
    }
}

fn wait(micros: i64) -> Error {
    Error::TooOften(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

/// Whose bucket: one address, or the 64 bits of a network that IPv6 gives to one customer.
fn bucket(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    #[test]
    fn each_trigger_has_its_own_rate() {
        let limits = Limits::new();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let webhook = WebhookSource { max_per_second: 2, max_burst: 3, ..WebhookSource::default() };
        let taken = |trigger, webhook: &WebhookSource, now| {
            (0..1_000).filter(|_| limits.take(trigger, webhook, 5, now).is_ok()).count()
        };
        assert_eq!(taken(one, &webhook, NOW), 3);
        assert_eq!(taken(other, &WebhookSource::default(), NOW), 50);
        assert_eq!(taken(one, &webhook, NOW + 1_000_000), 2);
        let refused = limits.take(one, &webhook, 5, NOW + 1_000_000);
        assert!(matches!(refused, Err(Error::TooOften(wait)) if wait == Duration::from_millis(500)));
    }

    #[test]
    fn who_guesses_is_stopped_by_address_or_network() {
        let limits = Limits::new();
        let guess = |address: &str| limits.guess(address, 1, NOW).is_ok();
        // Its own, and then those that are spared for all.
        assert_eq!((0..100).filter(|_| guess("192.0.2.1")).count(), 10 + SPARED as usize);
        assert!(guess("192.0.2.2"));
        let network = (0..100).filter(|n| guess(&format!("2001:db8:0:1::{n:x}"))).count();
        assert_eq!(network, 10);
        assert!(guess("2001:db8:0:2::1"));
    }

    #[test]
    fn only_what_was_wrong_counts_and_what_is_asked_at_once_counts_once_each() {
        let limits = Limits::new();
        for _ in 0..100 {
            limits.guess("192.0.2.1", 1, NOW).unwrap().was_right();
        }
        // All of them asked before any is known to be wrong.
        let asked = (0..100).map_while(|_| limits.guess("192.0.2.1", 1, NOW).ok()).collect::<Vec<_>>();
        assert_eq!(asked.len(), 10 + SPARED as usize);
        for guess in asked {
            guess.was_right();
        }
        assert!(limits.guess("192.0.2.1", 1, NOW).is_ok());
        // A second later there are some for who comes from an address that guesses on and on.
        let later = NOW + 1_000_000;
        let waits = (0..100).filter(|_| limits.guess("192.0.2.2", 1, later).is_err()).count();
        assert_eq!(waits, 100 - 10 - SPARED as usize);
    }
}
