//! `weft telemetry forecast`: what series are likely to be, and when they come to a threshold, in words.

use std::time::Duration;

use anyhow::Result;
use prost_types::Timestamp;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    Crossing, CrossingDirection, Forecast, GetForecastRequest, GetForecastResponse, Series,
};

use super::{duration, parent, show};
use crate::{
    cli::output::{self, OutputFormat},
    client::Connection,
};

const DAY: f64 = 86_400.0;

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct ForecastArgs {
    /// The query, in PromQL. Of a counter take `rate(…)`.
    query: String,
    /// Learn from so long ago until now.
    #[arg(long, default_value = "7d", value_parser = duration)]
    past: Duration,
    /// Look so far ahead.
    #[arg(long, default_value = "30d", value_parser = duration)]
    ahead: Duration,
    /// Tell when a series rises to this value.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Tell when it falls to it.
    #[arg(long, requires = "threshold")]
    below: bool,
    /// From one value that is learned from to the next; about a thousand of them if not told.
    #[arg(long, value_parser = duration)]
    step: Option<Duration>,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
}

impl ForecastArgs {
    pub(super) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let now = Clock::system().now();
        let direction = if self.below { CrossingDirection::Falling } else { CrossingDirection::Rising };
        let request = GetForecastRequest {
            parent: parent(&self.project),
            query: self.query,
            start_time: Some((now - self.past).into()),
            end_time: Some(now.into()),
            step: self.step.map(prost_types::Duration::try_from).transpose()?,
            horizon: Some(prost_types::Duration::try_from(self.ahead)?),
            threshold: self.threshold,
            direction: direction.into(),
            // A table has the last one, and JSON as many as there are where nobody says.
            point_count: i32::from(format == OutputFormat::Table),
        };
        let answer = connection.telemetry().get_forecast(request).await?.into_inner();
        match format {
            OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.GetForecastResponse"),
            OutputFormat::Table => {
                table(&answer, Timestamp::from(now), self.ahead, self.threshold);
                Ok(())
            }
        }
    }
}

fn table(answer: &GetForecastResponse, now: Timestamp, ahead: Duration, threshold: Option<f64>) {
    let then = format!("in {}", span(ahead.as_secs_f64()));
    let mut head = vec!["series", "now", "trend", "comes again", &*then];
    let reaches = threshold.map(|value| format!("reaches {}", show::value(value)));
    head.extend(reaches.as_deref());
    let rows = answer.forecasts.iter().map(|forecast| {
        let name = show::name(&Series { labels: forecast.labels.clone(), samples: Vec::new() });
        let newest = forecast.newest.as_ref().map_or(String::new(), |newest| show::value(newest.value));
        let Some(point) = forecast.points.last() else {
            let few = format!("{} values are too few", forecast.sample_count);
            return vec![name, newest, few];
        };
        let value = show::value;
        let likely = format!("{} ({} to {})", value(point.value), value(point.lower), value(point.upper));
        let mut row = vec![name, newest, trend(forecast), season(forecast), likely];
        row.extend(threshold.map(|_| words(forecast.crossing.as_ref(), &now, ahead)));
        row
    });
    output::table(&head, &[1], rows);
}

/// How fast it changes, in a unit of time in which that is no long fraction.
fn trend(forecast: &Forecast) -> String {
    let a_day = forecast.trend_per_second * DAY;
    if a_day.abs() < f64::EPSILON {
        return "none".into();
    }
    let sign = if a_day > 0.0 { "+" } else { "" };
    format!("{sign}{} a day", show::value(a_day))
}

fn season(forecast: &Forecast) -> String {
    let Some(season) = &forecast.season else { return "no".into() };
    let days = season.period.as_ref().map_or(0, |period| period.seconds) / DAY as i64;
    let period = if days == 7 { "by week" } else { "by day" };
    format!("{period}, {:.0} %", season.strength * 100.0)
}

/// When it comes to the threshold: `in 12 days (9 to 17)`.
fn words(crossing: Option<&Crossing>, now: &Timestamp, ahead: Duration) -> String {
    let far = ahead.as_secs_f64();
    let seconds = |time: &Timestamp| {
        ((time.seconds - now.seconds) as f64 + f64::from(time.nanos - now.nanos) / 1e9).max(0.0)
    };
    let none = || format!("not in {}", span(far));
    let Some(crossing) = crossing else { return none() };
    let earliest = crossing.earliest_time.as_ref().map_or(0.0, seconds);
    let Some(time) = crossing.cross_time.as_ref().map(seconds) else {
        return format!("{}, at the earliest in {}", none(), span(earliest));
    };
    if time < 1.0 {
        return "now".into();
    }
    let (unit, _) = unit(time);
    let number = |seconds: f64| format!("{:.0}", seconds / unit);
    let latest = match crossing.latest_time.as_ref().map(seconds) {
        Some(latest) => number(latest),
        None => format!("more than {}", number(far)),
    };
    let earliest = number(earliest);
    if earliest == latest {
        format!("in {}", span(time))
    } else {
        format!("in {} ({earliest} to {latest})", span(time))
    }
}

/// The unit in which a time is one or two digits long.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        seconds if seconds < 120.0 => (1.0, "second"),
        seconds if seconds < 7_200.0 => (60.0, "minute"),
        seconds if seconds < 2.0 * DAY => (3_600.0, "hour"),
        _ => (DAY, "day"),
    }
}

fn span(seconds: f64) -> String {
    let (unit, name) = unit(seconds);
    let count = (seconds / unit).round();
    let plural = if (count - 1.0).abs() < 0.5 { "" } else { "s" };
    format!("{count:.0} {name}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp { seconds: 1_800_000_000, nanos: 0 };
    const MONTH: Duration = Duration::from_hours(30 * 24);

    fn after(days: f64) -> Timestamp {
        Timestamp { seconds: NOW.seconds + (days * DAY) as i64, nanos: 0 }
    }

    fn told(earliest: f64, time: Option<f64>, latest: Option<f64>) -> String {
        let crossing = Crossing {
            earliest_time: Some(after(earliest)),
            cross_time: time.map(after),
            latest_time: latest.map(after),
        };
        words(Some(&crossing), &NOW, MONTH)
    }

    #[test]
    fn when_a_threshold_is_reached_is_told_in_words() {
        assert_eq!(told(9.1, Some(12.0), Some(16.7)), "in 12 days (9 to 17)");
        assert_eq!(told(9.1, Some(12.0), None), "in 12 days (9 to more than 30)");
        assert_eq!(told(4.9, Some(5.0), Some(5.2)), "in 5 days");
        assert_eq!(told(21.0, None, None), "not in 30 days, at the earliest in 21 days");
        assert_eq!(told(0.0, Some(0.0), Some(0.1)), "now");
        assert_eq!(told(0.5, Some(1.0), Some(2.0)), "in 24 hours (12 to 48)");
        assert_eq!(told(0.02, Some(0.05), Some(0.1)), "in 72 minutes (29 to 144)");
        assert_eq!(words(None, &NOW, MONTH), "not in 30 days");
    }

    #[test]
    fn trends_and_seasons_are_told_in_words() {
        let forecast = |trend_per_second| Forecast { trend_per_second, ..Forecast::default() };
        assert_eq!(trend(&forecast(0.0)), "none");
        assert_eq!(trend(&forecast(0.5 / DAY)), "+0.5 a day");
        assert_eq!(trend(&forecast(-2.0)), "-172,800 a day");
        assert_eq!(season(&forecast(0.0)), "no");
        let period = Some(prost_types::Duration { seconds: 7 * 86_400, nanos: 0 });
        let season_of_a_week = weft_proto::weft::telemetry::v1::Season { period, strength: 0.934 };
        let weekly = Forecast { season: Some(season_of_a_week), ..Forecast::default() };
        assert_eq!(season(&weekly), "by week, 93 %");
    }
}
