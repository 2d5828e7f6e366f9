//! What a retry by hand takes over of what was before.

use super::StepIs;
use crate::domain::{
    event::{Value, Wait},
    fault::StepError,
};

/// What is kept of a step.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) number: u32,
    pub(super) generation: u32,
    pub(super) is: StepIs,
    pub(super) output: Option<Value>,
    pub(super) port: Option<String>,
    pub(super) wait: Option<Wait>,
    pub(super) error: Option<StepError>,
    pub(super) cached_from: Option<String>,
    pub(super) failures: u32,
    pub(super) began: i64,
    pub(super) ended: Option<i64>,
}

impl Carried {
    /// Whether it is taken over, and not run again.
    pub(super) fn holds(&self) -> bool {
        self.output.is_some() || self.wait.is_some()
    }
}
