//! How far a job is, and whether it is to end: shared by who computes, who accompanies, and who cancels.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;
use weft_kernels::analytics::Observer;
use weft_proto::weft::compute::v1::AnalysisPhase;

use crate::Error;

/// Why a job is to end before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// It has taken longer than it may.
    TimedOut,
    /// It is another's now, is deleted, or this process ends.
    Lost,
}

/// One job's progress and end. Nothing here waits.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Bits of a fraction.
    progress: AtomicU64,
    phase: AtomicU8,
    /// 0, or a [`Stop`].
    stop: AtomicU8,
    told: Notify,
    timeout_seconds: u64,
}

impl Control {
    pub(super) fn new(timeout_seconds: u64) -> Self {
        Self { timeout_seconds, ..Self::default() }
    }

    /// Asks for the end. The first reason counts.
    pub(crate) fn stop(&self, why: Stop) {
        let number = match why {
            Stop::Cancelled => 1,
            Stop::TimedOut => 2,
            Stop::Lost => 3,
        };
        let _ = self.stop.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        self.told.notify_one();
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Stop::Cancelled),
            2 => Some(Stop::TimedOut),
            _ => Some(Stop::Lost),
        }
    }

    /// Waits until somebody asks for the end; each time once.
    pub(super) async fn asked(&self) {
        self.told.notified().await;
    }

    /// Goes on, or says why not.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.stopped() {
            None => Ok(()),
            Some(Stop::Cancelled) => Err(Error::Cancelled),
            Some(Stop::TimedOut) => Err(Error::TimedOut(self.timeout_seconds)),
            Some(Stop::Lost) => Err(Error::Draining),
        }
    }

    pub(super) fn begin(&self, phase: AnalysisPhase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> AnalysisPhase {
        i32::from(self.phase.load(Ordering::Relaxed)).try_into().unwrap_or_default()
    }

    /// How much of the computation is done, from 0 to 1.
    pub(super) fn done(&self) -> f64 {
        f64::from_bits(self.progress.load(Ordering::Relaxed))
    }
}

impl Observer for Control {
    fn progress(&self, done: f64) -> bool {
        // Threads tell in no order; the largest counts. Numbers from 0 are in the order of their bits.
        // What is not a number is nothing.
        let done = if done.is_nan() { 0.0 } else { done.clamp(0.0, 1.0) };
        self.progress.fetch_max(done.to_bits(), Ordering::Relaxed);
        self.stop.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_only_grows_and_the_first_reason_counts() {
        let control = Control::new(9);
        assert!(control.progress(0.5));
        assert!(control.progress(0.25));
        assert!(control.progress(f64::NAN) && control.done() <= 0.5);
        assert!(control.check().is_ok());
        control.stop(Stop::TimedOut);
        control.stop(Stop::Cancelled);
        assert!(!control.progress(1.0));
        assert!(matches!(control.check(), Err(Error::TimedOut(9))));
    }
}
