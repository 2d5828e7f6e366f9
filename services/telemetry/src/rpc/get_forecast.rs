//! GetForecast.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    Crossing, CrossingDirection, Forecast, ForecastPoint, GetForecastRequest, GetForecastResponse, Sample,
};
use weft_series::{
    forecast::{self, Ahead, Direction, Fit},
    promql::{Failure, Query, Row, Steps},
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

/// What is learned from where nobody says.
const PAST: i64 = 7 * DAY;
/// No further ahead.
const FURTHEST: i64 = 3_660 * DAY;
/// Points of a series where nobody says.
const POINTS: usize = 120;
/// Points of all series: two or three megabytes.
const MOST_POINTS: u64 = 50_000;

pub(crate) async fn handle(
    state: &State,
    call: Call<GetForecastRequest>,
) -> Result<GetForecastResponse, Error> {
    let request = call.message;
    let query = Query::parse(&request.query)?;
    let (start, end) =
        span::between(request.start_time.as_ref(), request.end_time.as_ref(), state.now(), PAST)?;
    let past = end.saturating_sub(start);
    let step = span::step(request.step.as_ref())?.unwrap_or_else(|| span::step_to_learn(past));
    let horizon = request.horizon.as_ref().map_or_else(|| past.clamp(step, FURTHEST.max(step)), time::span);
    if !(step..=FURTHEST).contains(&horizon) {
        return Err(Error::field("horizon", "must be a step to ten years"));
    }
    let asked = Asked {
        until: end.saturating_add(horizon),
        threshold: request.threshold,
        direction: match request.direction() {
            CrossingDirection::Falling => Direction::Falling,
            _ => Direction::Rising,
        },
        points: usize::try_from(request.point_count).ok().filter(|count| *count > 0),
    };
    let limits = state.limits();
    let steps = Steps::new(start, end, step, limits.steps)?;
    state
        .ask(name::project(&request.parent), move |view| {
            let rows = learned::rows(&query, view, steps, &limits)?;
            let times = asked.times(end, step, rows.len())?;
            let forecasts = learned::each(&rows, steps, &limits, |row, fit| match fit {
                Some(fit) => asked.forecast(row, &fit, end, &times),
                None => too_few(row, steps),
            })?;
            Ok(GetForecastResponse { forecasts, step: Some(time::duration(step)) })
        })
        .await
}

/// What is asked of each series.
struct Asked {
    until: i64,
    threshold: Option<f64>,
    direction: Direction,
    /// How many; as many as fit where nobody says.
    points: Option<usize>,
}

impl Asked {
    /// At which times, after the end: multiples of the step, evenly apart.
    fn times(&self, end: i64, step: i64, series: usize) -> Result<Vec<i64>, Failure> {
        let fitting = (MOST_POINTS as usize / series.max(1)).clamp(1, POINTS);
        let most = self.points.unwrap_or(fitting);
        if series.saturating_mul(most) as u64 > MOST_POINTS {
            return Err(Failure::TooMuch { what: "points", most: MOST_POINTS });
        }
        let ahead = self.until.saturating_sub(end) / step;
        let apart = (ahead as u64).div_ceil(most as u64).max(1) as i64;
        Ok((1..=ahead / apart).map(|which| end.saturating_add(which * apart * step)).collect())
    }

    fn forecast(&self, row: &Row, fit: &Fit, end: i64, times: &[i64]) -> Forecast {
        let (at, value) = fit.newest();
        let threshold = self.threshold.and_then(|value| fit.crossing(end, self.until, value, self.direction));
        Forecast {
            labels: message::labels(&row.labels).labels,
            sample_count: learned::count(fit.count()),
            newest: Some(message::sample(at, value)),
            trend_per_second: fit.trend_per_second(),
            season: fit.season().map(learned::season),
            points: times.iter().map(|time| point(fit.ahead(*time))).collect(),
            crossing: threshold.map(crossing),
        }
    }
}

/// Of a series of too few values it is said how many there are.
fn too_few(row: &Row, steps: Steps) -> Forecast {
    let there = || row.values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let newest: Option<Sample> =
        there().next_back().map(|(step, value)| message::sample(steps.time(step), *value));
    Forecast {
        labels: message::labels(&row.labels).labels,
        sample_count: learned::count(there().count()),
        newest,
        ..Forecast::default()
    }
}

fn point(ahead: Ahead) -> ForecastPoint {
    ForecastPoint {
        point_time: Some(time::timestamp(ahead.time)),
        value: ahead.value,
        lower: ahead.lower,
        upper: ahead.upper,
    }
}

fn crossing(crossing: forecast::Crossing) -> Crossing {
    Crossing {
        cross_time: crossing.time.map(time::timestamp),
        earliest_time: Some(time::timestamp(crossing.earliest)),
        latest_time: crossing.latest.map(time::timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(horizon: i64, points: Option<usize>) -> Asked {
        Asked { until: 1_000 + horizon, threshold: None, direction: Direction::Rising, points }
    }

    #[test]
    fn points_are_on_steps_evenly_apart_and_no_more_than_asked_for() {
        assert_eq!(asked(50, Some(9)).times(1_000, 10, 1).unwrap(), [1_010, 1_020, 1_030, 1_040, 1_050]);
        assert_eq!(asked(50, Some(2)).times(1_000, 10, 1).unwrap(), [1_030]);
        assert_eq!(asked(59, Some(3)).times(1_000, 10, 1).unwrap(), [1_020, 1_040]);
        assert_eq!(asked(100_000, None).times(1_000, 10, 1).unwrap().len(), 119);
        assert_eq!(asked(100_000, None).times(1_000, 10, 2_000).unwrap().len(), 25);
        assert!(asked(100_000, Some(1_000)).times(1_000, 10, 50).is_ok());
        assert!(asked(100_000, Some(1_000)).times(1_000, 10, 51).is_err());
        assert!(asked(50, None).times(1_000, 10, 0).is_ok());
    }
}
