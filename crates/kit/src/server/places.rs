//! Who may be connected: so many in all, so many from one address, from each no more anew than so often, and for a
//! while nobody from an address that comes back to flood us.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::config::{ConnectionOptions, Network};

/// The places of a port. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Semaphore>,
    most_of_one: usize,
    /// Behind them are many: whoever connects from there has no address of their own.
    proxies: Vec<Network>,
    open: Mutex<HashMap<IpAddr, usize>>,
    new: DefaultKeyedRateLimiter<IpAddr>,
    /// How long an address is kept out that comes back to flood us; zero for not at all.
    flood_pause: Duration,
    flooded: Mutex<HashMap<IpAddr, Flooded>>,
}

/// An address that has flooded us.
#[derive(Clone, Copy, Debug)]
struct Flooded {
    /// The last time.
    at: Instant,
    /// How long it was kept out for that: not at all the first time, which may be a mistake.
    pause: Duration,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Inner>,
    /// Whose place it is, if that counts.
    of: Option<IpAddr>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// As many are connected as may be.
    All,
    /// As many of this address as may be.
    OfAddress,
    /// This address connects too often.
    TooOften,
    /// This address has come back to flood us, just now.
    KeptOut,
}

/// Addresses whose rate, and whose floods, are remembered before those are forgotten that have been quiet.
const MANY: usize = 10_000;
/// How many times the first pause the longest is.
const LONGEST: u32 = 32;
/// And how long that one is at most: times beyond are no times that a clock can reach.
const LONGEST_FIRST: Duration = Duration::from_hours(24);
/// How long after a pause it counts as the first flood again.
const FORGIVEN: Duration = Duration::from_mins(1);

impl Places {
    pub(super) fn new(options: &ConnectionOptions) -> Self {
        let rates = options.new_connections_per_address;
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rates.per_second)).allow_burst(at_least_one(rates.burst));
        Self(Arc::new(Inner {
            all: Arc::new(Semaphore::new(options.max_connections)),
            most_of_one: options.max_connections_per_address,
            proxies: options.trusted_proxies.clone(),
            open: Mutex::default(),
            new: DefaultKeyedRateLimiter::keyed(quota),
            flood_pause: options.flood_pause.min(LONGEST_FIRST),
            flooded: Mutex::default(),
        }))
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let is_proxy = self.0.proxies.iter().any(|network| network.contains(address));
        let of = (!is_proxy).then(|| network(address));
        if let Some(of) = of {
            self.0.check_kept_out(of)?;
            self.check_rate(of)?;
        }
        let permit = Arc::clone(&self.0.all).try_acquire_owned().map_err(|_| Full::All)?;
        if let Some(of) = of {
            let mut open = self.0.open();
            let own = open.entry(of).or_default();
            if *own >= self.0.most_of_one {
                return Err(Full::OfAddress);
            }
            *own += 1;
        }
        Ok(Place { places: Arc::clone(&self.0), of, since: Instant::now(), _permit: permit })
    }

    fn check_rate(&self, of: IpAddr) -> Result<(), Full> {
        if self.0.new.len() > MANY {
            self.0.new.retain_recent();
        }
        self.0.new.check_key(&of).map_err(|_| Full::TooOften)
    }
}

impl Place {
    /// Its connection was a flood. If its address has connected anew since the last one, it is kept out for a while, and
    /// for twice as long each time. What else it has connected stays.
    pub(super) fn flooded(&self) {
        self.watched()();
    }

    /// What to do when its connection was a flood, for whoever does not have the place any more.
    pub(super) fn watched(&self) -> impl FnOnce() + use<> {
        let (places, of, since) = (Arc::clone(&self.places), self.of, self.since);
        move || {
            if let Some(of) = of {
                places.note_flood(of, since);
            }
        }
    }
}

impl Inner {
    fn check_kept_out(&self, of: IpAddr) -> Result<(), Full> {
        let flooded = self.flooded.lock().unwrap_or_else(PoisonError::into_inner);
        let is_out = flooded.get(&of).is_some_and(|last| last.at.elapsed() < last.pause);
        if is_out { Err(Full::KeptOut) } else { Ok(()) }
    }

    /// A connection of this address that was opened at `since` was a flood.
    fn note_flood(&self, of: IpAddr, since: Instant) {
        if self.flood_pause.is_zero() {
            return;
        }
        let at = Instant::now();
        let mut flooded = self.flooded.lock().unwrap_or_else(PoisonError::into_inner);
        if flooded.len() >= MANY {
            flooded.retain(|_, last| at < last.at + last.pause + FORGIVEN);
        }
        let pause = match flooded.get(&of) {
            // It has not come back: what it had connected before is the same flood.
            Some(last) if since <= last.at => return,
            Some(last) if at < last.at + last.pause + FORGIVEN => {
                (last.pause * 2).clamp(self.flood_pause, self.flood_pause * LONGEST)
            }
            // So many flood us that it makes no difference to remember one more.
            None if flooded.len() >= MANY => return,
            _ => Duration::ZERO,
        };
        if !pause.is_zero() {
            tracing::info!(address = %of, ?pause, "comes back to flood us: kept out");
        }
        flooded.insert(of, Flooded { at, pause });
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(of) = self.of else { return };
        let mut open = self.places.open();
        if let Some(own) = open.get_mut(&of) {
            *own -= 1;
            if *own == 0 {
                open.remove(&of);
            }
        }
    }
}

/// Whoever has an address of IPv6 has 2^64 of them (RFC 6177): all count as one. One of IPv4 that is written as one
/// of IPv6 is one of IPv4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rates;

    fn places(all: usize, of_one: usize, burst: u32) -> Places {
        Places::new(&ConnectionOptions {
            max_connections: all,
            max_connections_per_address: of_one,
            new_connections_per_address: Rates { per_second: 1, burst },
            trusted_proxies: vec!["198.51.100.0/24".parse().expect("a network")],
            ..ConnectionOptions::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_does_not_take_the_places_of_others() {
        let places = places(4, 2, 100);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let first = places.take(one).expect("there is room");
        let _second = places.take(one).expect("there is room");
        assert_eq!(places.take(one).expect_err("it has two"), Full::OfAddress);
        let _third = places.take(other).expect("there is room");
        drop(first);
        let _fourth = places.take(one).expect("it has one");
        let _fifth = places.take(other).expect("the fourth in all");
        assert_eq!(places.take(address("192.0.2.3")).expect_err("it is full"), Full::All);
    }

    #[test]
    fn a_proxy_may_have_all() {
        let places = places(4, 1, 1);
        let proxy = address("198.51.100.7");
        let held: Vec<_> = (0..4).map(|_| places.take(proxy).expect("there is room")).collect();
        assert_eq!(places.take(proxy).expect_err("it is full"), Full::All);
        drop(held);
        assert!(places.0.open().is_empty());
    }

    #[test]
    fn nothing_is_kept_of_who_is_gone() {
        let places = places(4, 2, 100);
        for _ in 0..50 {
            places.take(address("192.0.2.1")).expect("there is room");
        }
        assert!(places.0.open().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let places = places(10, 1, 100);
        let _one = places.take(address("2001:db8:1:2:3::4")).expect("there is room");
        assert_eq!(places.take(address("2001:db8:1:2::5")).expect_err("the same"), Full::OfAddress);
        let _other = places.take(address("2001:db8:1:3::5")).expect("another");
        let _old = places.take(address("192.0.2.1")).expect("there is room");
        assert_eq!(places.take(address("::ffff:192.0.2.1")).expect_err("the same"), Full::OfAddress);
    }

    #[tokio::test(start_paused = true)]
    async fn who_floods_is_kept_out_for_longer_each_time() {
        let places = places(10, 10, 1_000);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            // Two connections of one flood, and one that only is there.
            let held = [(); 3].map(|()| places.take(one).expect("it may come back"));
            tokio::time::advance(Duration::from_millis(1)).await;
            held[0].flooded();
            held[1].watched()();
            let began = Instant::now();
            while let Err(full) = places.take(one) {
                assert_eq!(full, Full::KeptOut);
                places.take(other).expect("it has done nothing");
                tokio::time::advance(Duration::from_millis(500)).await;
            }
            pauses.push(began.elapsed().as_secs());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 32], "the first may be a mistake");
        tokio::time::advance(FORGIVEN).await;
        places.take(one).expect("it is quiet").flooded();
        places.take(one).expect("what was long ago is forgiven");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_without_end_is_a_day() {
        let places =
            Places::new(&ConnectionOptions { flood_pause: Duration::MAX, ..ConnectionOptions::default() });
        for _ in 0..2 {
            places.take(address("192.0.2.1")).expect("it may come back").flooded();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(places.take(address("192.0.2.1")).expect_err("it has come back"), Full::KeptOut);
        tokio::time::advance(LONGEST_FIRST).await;
        places.take(address("192.0.2.1")).expect("a day is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_is_not_kept_out_for_whoever_is_behind_it() {
        let places = places(10, 10, 1_000);
        let proxy = address("198.51.100.7");
        for _ in 0..3 {
            places.take(proxy).expect("there are others behind it").flooded();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn who_connects_too_often_waits() {
        let places = places(10, 10, 3);
        for _ in 0..3 {
            places.take(address("192.0.2.1")).expect("there is room");
        }
        assert_eq!(places.take(address("192.0.2.1")).expect_err("the fourth at once"), Full::TooOften);
        places.take(address("192.0.2.2")).expect("another");
    }
}
