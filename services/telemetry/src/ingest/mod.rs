//! What others send, in their formats, as samples of series.

pub(crate) mod delta;
pub(crate) mod otlp;
mod otlp_labels;
mod otlp_names;
mod otlp_points;
pub(crate) mod remote_write;

use weft_series::Labels;

use crate::{
    domain::table::Table,
    samples::{project::Place, projects::Shared},
    state::State,
};

/// Most bytes of what is unpacked.
pub(crate) const MOST_BYTES: usize = 32 << 20;
/// Most bytes of a series' labels.
pub(crate) const MOST_LABEL_BYTES: usize = 8 << 10;
/// The project has as many series as it may.
pub(crate) const TOO_MANY_SERIES: &str = "TOO_MANY_SERIES";
/// Times that cannot be right, or would be forgotten at once.
pub(crate) const BAD_TIME: &str = "TIME_OUT_OF_RANGE";
/// Labels that are too long, or none at all.
pub(crate) const BAD_LABELS: &str = "LABELS_INVALID";

/// What was taken of what was sent.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) table: Table,
    pub(crate) refused: u64,
    /// Why the last of them were refused.
    pub(crate) reason: &'static str,
}

impl Taken {
    /// Where the samples of a series go; those of one that is refused are counted.
    pub(crate) fn place(
        &mut self,
        state: &State,
        project: &Shared,
        labels: &Labels,
        samples: u64,
    ) -> Option<Place> {
        if let Some(place) = project.read().place(labels) {
            return Some(place);
        }
        if labels.is_empty() || labels.as_bytes().len() > MOST_LABEL_BYTES {
            self.refuse(samples, BAD_LABELS);
            return None;
        }
        let place = project.write().place_or_add(labels, &group_of(labels), state.options.max_series);
        if place.is_none() {
            self.refuse(samples, TOO_MANY_SERIES);
        }
        place
    }

    pub(crate) fn refuse(&mut self, samples: u64, reason: &'static str) {
        self.refused += samples;
        self.reason = reason;
    }
}

/// Series that are likely to have their times in common: those of one target.
fn group_of(labels: &Labels) -> String {
    format!("{}/{}", labels.get("job"), labels.get("instance"))
}
