//! How fast projects may send logs and spans: so many bytes a second, on average over ten seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Seconds of which all may come at once.
const BURST: f64 = 10.0;

/// What each project may still send.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<Arc<str>, Left>>);

#[derive(Debug)]
struct Left {
    bytes: f64,
    /// Milliseconds.
    since: i64,
}

impl Rates {
    /// Takes bytes out of what a project may send.
    ///
    /// # Errors
    /// How long it has to wait until it may send them. What is more than ten seconds' worth may be sent when nothing
    /// was for ten seconds, and is waited for afterwards.
    pub(crate) fn take(
        &self,
        project: &Arc<str>,
        bytes: usize,
        a_second: u64,
        now: i64,
    ) -> Result<(), Duration> {
        if a_second == 0 {
            return Ok(());
        }
        let (rate, bytes) = (a_second as f64, bytes as f64);
        let most = rate * BURST;
        let mut projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = projects.entry(Arc::clone(project)).or_insert(Left { bytes: most, since: now });
        let passed = (now - left.since).max(0) as f64 / 1_000.0;
        (left.bytes, left.since) = ((left.bytes + passed * rate).min(most), now);
        let missing = bytes.min(most) - left.bytes;
        if missing > 0.0 {
            return Err(Duration::from_secs_f64(missing / rate).max(Duration::from_millis(100)));
        }
        left.bytes -= bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_sent_too_much_waits() {
        let (rates, project): (_, Arc<str>) = (Rates::default(), "p".into());
        assert_eq!(rates.take(&project, 600, 100, 0), Ok(()));
        assert_eq!(rates.take(&project, 600, 100, 0), Err(Duration::from_secs(2)));
        assert_eq!(rates.take(&"q".into(), 600, 100, 0), Ok(()));
        assert_eq!(rates.take(&project, 600, 100, 2_000), Ok(()));
        assert_eq!(rates.take(&project, 1, 100, 2_001), Err(Duration::from_millis(100)));
        // More than ever fits is taken from one who has waited, and then paid for.
        assert_eq!(rates.take(&project, 5_000, 100, 60_000), Ok(()));
        assert_eq!(rates.take(&project, 100, 100, 60_000), Err(Duration::from_secs(41)));
        assert_eq!(rates.take(&project, 1 << 40, 0, 60_000), Ok(()));
    }
}
