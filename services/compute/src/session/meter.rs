//! What is counted of layouts, for whoever runs them.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use weft_kernels::Processor;

use crate::domain::processor;

/// Upper bounds of the buckets of step durations, in seconds.
const BUCKETS: [f64; 9] = [0.000_25, 0.001, 0.004, 0.008, 0.016, 0.033, 0.1, 0.5, 2.0];

/// Counters of one service.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(super) sessions: Gauge,
    pub(super) viewers: Gauge,
    pub(super) frames: Counter,
    pub(super) frame_bytes: Counter,
    step_duration: Histogram,
    steps: Family<[(&'static str, String); 1], Counter>,
    pub(super) failures: Counter,
    pub(super) refused: Counter,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            sessions: Gauge::default(),
            viewers: Gauge::default(),
            frames: Counter::default(),
            frame_bytes: Counter::default(),
            step_duration: Histogram::new(BUCKETS),
            steps: Family::default(),
            failures: Counter::default(),
            refused: Counter::default(),
        }
    }
}

impl Meter {
    /// A step was made.
    pub(super) fn step(&self, processor: Processor, took: Duration) {
        self.step_duration.observe(took.as_secs_f64());
        self.steps.get_or_create(&[("processor", processor::name(processor))]).inc();
    }

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
        registry.register("steps", "Steps of layouts, by what they ran on", self.steps.clone());
        registry.register("layouts_refused", "Layouts that there was no memory for", self.refused.clone());
        registry.register("layouts_failed", "Layouts that could not go on", self.failures.clone());
    }
}
