//! OTLP: metrics of OpenTelemetry, as protocol buffers or as JSON.
//!
//! Resources become `job` (`service.namespace/service.name`) and `instance` (`service.instance.id`), and the rest of
//! what they say a series `target_info`, as Prometheus has it.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    metrics::v1::{Metric as OtlpMetric, metric::Data},
    resource::v1::Resource,
};
use prost::Message;

use super::{
    MOST_BYTES, Taken,
    otlp_labels::{labels, value},
    otlp_names as names,
    otlp_points::Points,
    remote_write::shortened,
};
use crate::{
    Error,
    samples::{project::Metric, projects::Shared},
    state::State,
};

pub(crate) fn read(state: &State, project: &Shared, content: &[u8], is_json: bool) -> Result<Taken, Error> {
    if content.len() > MOST_BYTES {
        return Err(Error::TooLarge(MOST_BYTES));
    }
    let request: ExportMetricsServiceRequest = if is_json {
        serde_json::from_slice(content).map_err(|error| Error::Samples(format!("OTLP: {error}")))?
    } else {
        ExportMetricsServiceRequest::decode(content)
            .map_err(|error| Error::Samples(format!("OTLP: {error}")))?
    };
    let mut taken = Taken::default();
    for resource in &request.resource_metrics {
        let common = common(resource.resource.as_ref());
        let mut newest = 0;
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let mut points =
                Points { state, project, taken: &mut taken, common: &common, newest: &mut newest };
            one(&mut points, metric);
        }
        if newest > 0 {
            info(state, project, &mut taken, resource.resource.as_ref(), &common, newest);
        }
    }
    Ok(taken)
}

/// `job` and `instance`.
fn common(resource: Option<&Resource>) -> Vec<(String, String)> {
    let of = |name: &str| {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        attributes
            .iter()
            .find(|attribute| attribute.key == name)
            .map(|attribute| value(attribute.value.as_ref()))
    };
    let service = of("service.name").unwrap_or_default();
    let job = match of("service.namespace") {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{service}"),
        _ => service,
    };
    vec![("job".to_owned(), job), ("instance".to_owned(), of("service.instance.id").unwrap_or_default())]
}

/// What else is known of the resource, once for each of its reports.
fn info(
    state: &State,
    project: &Shared,
    taken: &mut Taken,
    resource: Option<&Resource>,
    common: &[(String, String)],
    time: i64,
) {
    let Some(resource) = resource else { return };
    let skipped = ["service.name", "service.namespace", "service.instance.id"];
    let others: Vec<_> = resource
        .attributes
        .iter()
        .filter(|attribute| !skipped.contains(&attribute.key.as_str()))
        .cloned()
        .collect();
    if others.is_empty() {
        return;
    }
    let labels = labels("target_info", common, &others, None);
    if let Some(place) = taken.place(state, project, &labels, 1) {
        taken.table.add(place.group, place.number, time, 1.0);
    }
}

fn one(points: &mut Points<'_>, metric: &OtlpMetric) {
    let Some(data) = &metric.data else { return };
    let (kind, is_counter, is_ratio) = match data {
        Data::Gauge(_) => (1, false, metric.unit == "1"),
        Data::Sum(sum) if sum.is_monotonic => (2, true, false),
        Data::Sum(_) => (1, false, false),
        Data::Histogram(_) | Data::ExponentialHistogram(_) => (3, false, false),
        Data::Summary(_) => (4, false, false),
    };
    let name = names::metric(&metric.name, &metric.unit, is_counter, is_ratio);
    let (unit, description) = (shortened(&metric.unit, 63), shortened(&metric.description, 500));
    points.project.write().tell(&name, Metric { kind, unit, description });
    match data {
        Data::Gauge(gauge) => points.numbers(&name, &gauge.data_points, false),
        Data::Sum(sum) => points.numbers(&name, &sum.data_points, sum.aggregation_temporality == 1),
        Data::Histogram(histogram) => {
            points.histograms(&name, &histogram.data_points, histogram.aggregation_temporality == 1);
        }
        Data::ExponentialHistogram(histogram) => {
            points.exponential(&name, &histogram.data_points, histogram.aggregation_temporality == 1);
        }
        Data::Summary(summary) => points.summaries(&name, &summary.data_points),
    }
}
