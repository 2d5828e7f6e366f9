//! Series as the contract writes them.

use weft_proto::weft::telemetry::v1::{Sample, Series};
use weft_series::{
    Labels,
    group::Samples,
    promql::{Row, Steps},
    value::is_absent,
};

use super::time;

pub(crate) fn labels(labels: &Labels) -> Series {
    let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Series { labels, samples: Vec::new() }
}

pub(crate) fn row(row: &Row, steps: Steps) -> Series {
    let values = row.values.iter().enumerate().filter(|(_, value)| !is_absent(**value));
    let samples = values.map(|(step, value)| sample(steps.time(step), *value));
    Series { samples: samples.collect(), ..labels(&row.labels) }
}

pub(crate) fn stored(name: &Labels, samples: &Samples) -> Series {
    let samples = samples.times.iter().zip(&samples.values).map(|(time, value)| sample(*time, *value));
    Series { samples: samples.collect(), ..labels(name) }
}

pub(crate) fn sample(time: i64, value: f64) -> Sample {
    Sample { sample_time: Some(time::timestamp(time)), value }
}
