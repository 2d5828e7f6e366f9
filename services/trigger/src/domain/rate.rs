//! How often: the generic cell rate algorithm (ITU-T I.371), a number for each bucket. The number is the time at which
//! the bucket is full again.

/// A rate: so many in a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// In a second; at least 1.
    pub(crate) per_second: u32,
    /// At once; at least 1.
    pub(crate) burst: u32,
}

impl Rate {
    /// Microseconds between two at this rate.
    pub(crate) fn interval(self) -> i64 {
        1_000_000 / i64::from(self.per_second.max(1))
    }

    /// When the bucket is full again after one more at `now`; or for how long to wait, in microseconds.
    pub(crate) fn take(self, full: i64, now: i64) -> Result<i64, i64> {
        let next = full.max(now).saturating_add(self.interval());
        let depth = self.interval().saturating_mul(i64::from(self.burst.max(1)));
        let wait = next - now - depth;
        if wait > 0 { Err(wait) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_fills_again() {
        let rate = Rate { per_second: 10, burst: 3 };
        let (mut full, now) = (0, 1_000_000_000);
        for _ in 0..3 {
            full = rate.take(full, now).unwrap();
        }
        assert_eq!(rate.take(full, now), Err(100_000));
        assert_eq!(rate.take(full, now + 40_000), Err(60_000));
        full = rate.take(full, now + 100_000).unwrap();
        assert!(rate.take(full, now + 100_000).is_err());
        // Long after it is full, and no fuller.
        full = now + 100_000;
        let later = now + 60_000_000;
        let taken = (0..10).map_while(|_| rate.take(full, later).map(|next| full = next).ok()).count();
        assert_eq!(taken, 3);
    }
}
