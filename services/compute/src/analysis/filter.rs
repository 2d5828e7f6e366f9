//! What can analyses be filtered by?

use weft_kit::filter::{Found, Kind, Record, Schema};
use weft_proto::weft::compute::v1::Analysis;

use super::{compute, message};

/// Fields of an analysis.
pub(crate) static ANALYSIS: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("state", Kind::Name),
        ("algorithm", Kind::Name),
        ("creator", Kind::Text),
        ("write_property", Kind::Text),
        ("create_time", Kind::Time),
        ("end_time", Kind::Time),
    ],
};

/// An analysis that can be filtered.
pub(crate) struct AnalysisRecord<'a>(pub(crate) &'a Analysis);

impl Record for AnalysisRecord<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let analysis = self.0;
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            let micros = |time: &prost_types::Timestamp| {
                time.seconds as f64 * 1e6 + f64::from(time.nanos.div_euclid(1_000))
            };
            time.is_some_and(|time| test(Found::Number(micros(time))))
        };
        match ANALYSIS.fields[field].0 {
            "name" => test(Found::Text(&analysis.name)),
            "state" => test(Found::Text(message::state_word(analysis.state()))),
            "algorithm" => {
                test(Found::Text(analysis.algorithm.as_ref().map(compute::name).unwrap_or_default()))
            }
            "creator" => test(Found::Text(&analysis.creator)),
            "write_property" => test(Found::Text(&analysis.write_property)),
            "create_time" => instant(analysis.create_time.as_ref(), test),
            _ => instant(analysis.end_time.as_ref(), test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.name)
    }
}
