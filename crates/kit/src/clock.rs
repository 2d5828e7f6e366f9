//! What time is it: the system's clock, or a test's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// A source of wall-clock time. Cheap to clone.
///
/// Times are cut to microseconds, the finest that every database keeps.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    /// Microseconds since 1970, moved by its test.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it.
    pub fn manual(start: SystemTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(micros(start)))))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is where everybody else gets the time from")]
    pub fn now(&self) -> SystemTime {
        let micros = match &self.0 {
            Source::System => micros(SystemTime::now()),
            Source::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
    }

    /// Seconds since 1970, as tokens count.
    pub fn unix_seconds(&self) -> u64 {
        micros(self.now()) / 1_000_000
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    ///
    /// # Panics
    /// On the system's clock.
    pub fn advance(&self, by: Duration) {
        let Source::Manual(micros) = &self.0 else { panic!("only a manual clock can be moved") };
        micros.fetch_add(by.as_micros() as u64, Ordering::SeqCst);
    }
}

fn micros(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::manual(start);
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now(), start + Duration::from_millis(1_500));
        assert_eq!(clock.unix_seconds(), 1_001);
    }
}
