//! `weft telemetry anomalies`: when series were not what they usually are.

use std::time::Duration;

use anyhow::Result;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    AnomalousSeries, Anomaly, FindAnomaliesRequest, FindAnomaliesResponse, Series,
};

use super::{duration, parent, show};
use crate::{
    cli::output::{self, OutputFormat},
    client::Connection,
};

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct AnomaliesArgs {
    /// The query, in PromQL. Of a counter take `rate(…)`.
    query: String,
    /// Look from so long ago until now.
    #[arg(long, default_value = "24h", value_parser = duration)]
    last: Duration,
    /// Learn from so much before that, too.
    #[arg(long, default_value = "7d", value_parser = duration)]
    past: Duration,
    /// Leave out what is less than so many standard deviations off.
    #[arg(long, default_value_t = 5.0, value_name = "SCORE")]
    min_score: f64,
    /// From one value to the next; about a thousand of them if not told.
    #[arg(long, value_parser = duration)]
    step: Option<Duration>,
    /// How many lines at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
}

impl AnomaliesArgs {
    pub(super) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let now = Clock::system().now();
        let request = FindAnomaliesRequest {
            parent: parent(&self.project),
            query: self.query,
            start_time: Some((now - self.last).into()),
            end_time: Some(now.into()),
            step: self.step.map(prost_types::Duration::try_from).transpose()?,
            learn_duration: Some(prost_types::Duration::try_from(self.past)?),
            min_score: self.min_score,
        };
        let answer = connection.telemetry().find_anomalies(request).await?.into_inner();
        match format {
            OutputFormat::Json => output::json(&answer, "weft.telemetry.v1.FindAnomaliesResponse"),
            OutputFormat::Table => {
                table(&answer, self.limit);
                Ok(())
            }
        }
    }
}

fn table(answer: &FindAnomaliesResponse, limit: usize) {
    let of = |series: i32| format!("{series} of {} series have anomalies", answer.series_count);
    if answer.series.is_empty() {
        return output::line(&of(0));
    }
    let found = worst(answer);
    let shown = found.len().min(limit);
    let rows = found.into_iter().take(limit).map(|(series, anomaly)| {
        vec![
            show::name(&Series { labels: series.labels.clone(), samples: Vec::new() }),
            output::time(anomaly.start_time.as_ref()),
            output::time(anomaly.end_time.as_ref()),
            show::value(anomaly.seen_value),
            show::value(anomaly.expected_value),
            format!("{:.1}", anomaly.peak_score),
        ]
    });
    output::table(&["series", "from", "until", "seen", "expected", "score"], &[3, 4, 5], rows);
    let all: i32 = answer.series.iter().map(|series| series.anomaly_count).sum();
    output::line(&format!("{}; {shown} of {all} anomalies are shown", of(answer.anomalous_series_count)));
}

/// All anomalies, the highest score first.
fn worst(answer: &FindAnomaliesResponse) -> Vec<(&AnomalousSeries, &Anomaly)> {
    let each = answer.series.iter().flat_map(|series| series.anomalies.iter().map(move |one| (series, one)));
    let mut all: Vec<_> = each.collect();
    all.sort_by(|(_, one), (_, other)| other.peak_score.total_cmp(&one.peak_score));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_series_is_first() {
        let series = |scores: &[f64]| AnomalousSeries {
            anomalies: scores
                .iter()
                .map(|score| Anomaly { peak_score: *score, ..Anomaly::default() })
                .collect(),
            ..AnomalousSeries::default()
        };
        let answer = FindAnomaliesResponse {
            series: vec![series(&[9.0, 5.0]), series(&[7.0])],
            ..FindAnomaliesResponse::default()
        };
        let scores: Vec<f64> = worst(&answer).iter().map(|(_, anomaly)| anomaly.peak_score).collect();
        assert_eq!(scores, [9.0, 7.0, 5.0]);
    }
}
