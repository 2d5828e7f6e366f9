//! FindAnomalies.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    AnomalousSeries, Anomaly, FindAnomaliesRequest, FindAnomaliesResponse,
};
use weft_series::{
    forecast::{self, Fit},
    promql::{Query, Row, Steps},
};

use crate::{
    Error,
    domain::{
        learned, message, name,
        span::{self, DAY},
        time,
    },
    state::State,
};

/// What is looked at where nobody says.
const LOOKED_AT: i64 = DAY;
/// What is learned from besides where nobody says.
const LEARNED: i64 = 7 * DAY;
/// No more of it.
const MOST_LEARNED: i64 = 366 * DAY;
/// The score where nobody says: of a million values that are normal, one or none has it.
const SCORE: f64 = 5.0;
/// Most series of an answer, and most anomalies of each.
const MOST_SERIES: usize = 100;
const MOST_ANOMALIES: usize = 50;

pub(crate) async fn handle(
    state: &State,
    call: Call<FindAnomaliesRequest>,
) -> Result<FindAnomaliesResponse, Error> {
    let request = call.message;
    let query = Query::parse(&request.query)?;
    let (start, end) =
        span::between(request.start_time.as_ref(), request.end_time.as_ref(), state.now(), LOOKED_AT)?;
    let learned = request.learn_duration.as_ref().map_or(LEARNED, time::span);
    if !(0..=MOST_LEARNED).contains(&learned) {
        return Err(Error::field("learn_duration", "must be zero to a year"));
    }
    let usual = || span::step_to_learn(end.saturating_sub(start).saturating_add(learned));
    let step = span::step(request.step.as_ref())?.unwrap_or_else(usual);
    // So that `start_time` is a step.
    let first = start.saturating_sub(learned / step * step);
    let least = if request.min_score > 0.0 { request.min_score } else { SCORE };
    let limits = state.limits();
    let steps = Steps::new(first, end, step, limits.steps)?;
    state
        .ask(name::project(&request.parent), move |view| {
            let rows = learned::rows(&query, view, steps, &limits)?;
            let found = learned::each(&rows, steps, &limits, |row, fit| {
                let fit = fit?;
                series(row, &fit, &fit.anomalies(&row.values, start, least))
            })?;
            let mut series: Vec<AnomalousSeries> = found.into_iter().flatten().collect();
            let anomalous = series.len();
            series.sort_by(|one, other| other.peak_score.total_cmp(&one.peak_score));
            series.truncate(MOST_SERIES);
            Ok(FindAnomaliesResponse {
                series,
                step: Some(time::duration(step)),
                series_count: learned::count(rows.len()),
                anomalous_series_count: learned::count(anomalous),
            })
        })
        .await
}

/// A series with its anomalies, the highest score first; nothing if it has none.
fn series(row: &Row, fit: &Fit, found: &[forecast::Anomaly]) -> Option<AnomalousSeries> {
    let mut sorted: Vec<&forecast::Anomaly> = found.iter().collect();
    sorted.sort_by(|one, other| other.score.total_cmp(&one.score));
    let peak_score = sorted.first()?.score;
    Some(AnomalousSeries {
        labels: message::labels(&row.labels).labels,
        peak_score,
        anomalies: sorted.into_iter().take(MOST_ANOMALIES).map(anomaly).collect(),
        anomaly_count: learned::count(found.len()),
        season: fit.season().map(learned::season),
    })
}

fn anomaly(found: &forecast::Anomaly) -> Anomaly {
    Anomaly {
        start_time: Some(time::timestamp(found.start)),
        end_time: Some(time::timestamp(found.end)),
        peak_time: Some(time::timestamp(found.peak)),
        peak_score: found.score,
        expected_value: found.expected,
        seen_value: found.seen,
    }
}
