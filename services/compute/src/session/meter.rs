//! What is counted of layouts, for whoever runs them.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper bounds of the buckets of step durations, in seconds.
const BUCKETS: [f64; 9] = [0.000_25, 0.001, 0.004, 0.008, 0.016, 0.033, 0.1, 0.5, 2.0];

/// Counters of one service.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(super) sessions: Gauge,
    pub(super) viewers: Gauge,
    pub(super) frames: Counter,
    pub(super) frame_bytes: Counter,
    pub(super) step_duration: Histogram,
    pub(super) failures: Counter,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            sessions: Gauge::default(),
            viewers: Gauge::default(),
            frames: Counter::default(),
            frame_bytes: Counter::default(),
            step_duration: Histogram::new(BUCKETS),
            failures: Counter::default(),
        }
    }
}

impl Meter {
    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("layouts_loaded", "Layouts in memory", self.sessions.clone());
        registry.register("viewers", "Streams that watch a layout", self.viewers.clone());
        registry.register("frames_sent", "Frames handed to streams", self.frames.clone());
        registry.register_with_unit(
            "frames_sent",
            "Bytes of these frames",
            Unit::Bytes,
            self.frame_bytes.clone(),
        );
        registry.register_with_unit(
            "step_duration",
            "Time that a layout's step took",
            Unit::Seconds,
            self.step_duration.clone(),
        );
        registry.register("layouts_failed", "Layouts that could not go on", self.failures.clone());
    }
}
