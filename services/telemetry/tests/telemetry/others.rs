//! What others send: remote write and OTLP.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    metrics::v1::{
        ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
        NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
        exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
        summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::telemetry::v1::{
    ListLabelValuesRequest, ListMetricsRequest, ListSeriesRequest, SampleFormat, WriteSamplesRequest,
    WriteSamplesResponse,
};
use weft_telemetry::Options;

use crate::world::{PROJECT, Running, World};

async fn write(
    running: &Running,
    format: SampleFormat,
    content: Vec<u8>,
) -> Result<WriteSamplesResponse, Status> {
    let request =
        WriteSamplesRequest { parent: PROJECT.into(), format: format.into(), content: content.into() };
    running.operator().write_samples(request).await.map(tonic::Response::into_inner)
}

/// The parts of `prometheus.WriteRequest` that are written here.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    let label = |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
    TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples
            .iter()
            .map(|(timestamp, value)| Sample { value: *value, timestamp: *timestamp })
            .collect(),
    }
}

fn packed(request: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

#[tokio::test]
async fn remote_write_is_kept_and_listed() {
    let world = World::new(Options { max_series: 3, ..Options::default() }).await;
    let now = world.now();
    let running = world.start().await;
    let up = |instance: &str, value| {
        series(
            &[("__name__", "up"), ("job", "node"), ("instance", instance)],
            &[(now - 1_000, 0.0), (now, value)],
        )
    };
    let request =
        WriteRequest { timeseries: vec![up("a", 1.0), up("b", f64::from_bits(0x7ff0_0000_0000_0002))] };
    let written = write(&running, SampleFormat::RemoteWrite, packed(&request)).await.unwrap();
    assert_eq!((written.sample_count, written.refused_sample_count), (4, 0));
    // The mark of an end hides the series that has it.
    assert_eq!(running.ask("up", now).await, [("__name__=up,instance=a,job=node".to_owned(), 1.0)]);
    let request = WriteRequest { timeseries: vec![up("c", 1.0), up("d", 1.0)] };
    let written = write(&running, SampleFormat::RemoteWrite, packed(&request)).await.unwrap();
    assert_eq!(
        (written.sample_count, written.refused_sample_count, &*written.reason),
        (2, 2, "TOO_MANY_SERIES")
    );
    let refused =
        write(&running, SampleFormat::RemoteWrite, packed(&WriteRequest { timeseries: vec![up("e", 1.0)] }));
    assert_eq!(refused.await.unwrap_err().code(), Code::ResourceExhausted);

    let mut client = running.operator();
    let request = ListSeriesRequest { parent: PROJECT.into(), page_size: 2, ..ListSeriesRequest::default() };
    let page = client.list_series(request.clone()).await.unwrap().into_inner();
    assert_eq!(page.series.len(), 2);
    let request = ListSeriesRequest { page_token: page.next_page_token, ..request };
    let page = client.list_series(request).await.unwrap().into_inner();
    assert_eq!((page.series.len(), &*page.next_page_token), (1, ""));
    let values = ListLabelValuesRequest {
        parent: PROJECT.into(),
        label: "instance".into(),
        selector: "up{instance!=\"b\"}".into(),
        ..ListLabelValuesRequest::default()
    };
    assert_eq!(client.list_label_values(values).await.unwrap().into_inner().values, ["a", "c"]);
    let names = ListLabelValuesRequest { parent: PROJECT.into(), ..ListLabelValuesRequest::default() };
    let names = client.list_label_values(names).await.unwrap().into_inner().values;
    assert_eq!(names, ["__name__", "instance", "job"]);
}

#[tokio::test]
async fn bombs_and_nonsense_are_refused() {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 33 << 20]).unwrap();
    let refused = write(&running, SampleFormat::RemoteWrite, bomb).await.unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "SAMPLES_TOO_LARGE");
    for format in [SampleFormat::RemoteWrite, SampleFormat::Otlp, SampleFormat::OtlpJson] {
        let refused = write(&running, format, b"\xff\xff\xff nonsense".to_vec()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{format:?}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(write(&running, SampleFormat::OtlpJson, deep.into_bytes()).await.is_err());
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn number(nanos: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![attribute("route", "/a")],
        time_unix_nano: nanos,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        unit: unit.into(),
        description: "for people".into(),
        data: Some(data),
        ..Metric::default()
    }
}

fn export(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "shop"),
            attribute("service.instance.id", "one"),
            attribute("host.name", "h"),
        ],
        ..Resource::default()
    };
    let scope = ScopeMetrics { metrics, ..ScopeMetrics::default() };
    let resource = ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![scope],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource] }
}

#[tokio::test]
async fn every_kind_of_point_of_opentelemetry_is_kept() {
    let world = World::new(Options::default()).await;
    let running = world.start().await;
    let now = world.now();
    let nanos = now as u64 * 1_000_000;
    let sum = |value, temporality| {
        Data::Sum(Sum {
            data_points: vec![number(nanos, value)],
            aggregation_temporality: temporality,
            is_monotonic: true,
        })
    };
    let histogram = HistogramDataPoint {
        time_unix_nano: nanos,
        count: 6,
        sum: Some(9.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 1.0],
        ..HistogramDataPoint::default()
    };
    let exponential = ExponentialHistogramDataPoint {
        time_unix_nano: nanos,
        count: 7,
        sum: Some(20.0),
        scale: 0,
        zero_count: 1,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![2, 4] }),
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        time_unix_nano: nanos,
        count: 3,
        sum: 6.0,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 2.0 }],
        ..SummaryDataPoint::default()
    };
    let metrics = vec![
        metric("room.temperature", "Cel", Data::Gauge(Gauge { data_points: vec![number(nanos, 21.5)] })),
        metric("requests", "1", sum(5.0, 2)),
        metric("added", "1", sum(3.0, 1)),
        metric(
            "latency",
            "s",
            Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 2 }),
        ),
        metric(
            "size",
            "By",
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: 2,
            }),
        ),
        metric("old", "s", Data::Summary(Summary { data_points: vec![summary] })),
    ];
    let request = export(metrics);
    let written = write(&running, SampleFormat::Otlp, request.encode_to_vec()).await.unwrap();
    assert_eq!((written.sample_count, written.refused_sample_count), (1 + 1 + 1 + 5 + 6 + 3 + 1, 0));
    let common = "instance=one,job=shop";
    assert_eq!(running.ask("requests_total + 0", now).await, [(format!("{common},route=/a"), 5.0)]);
    assert_eq!(running.ask("room_temperature_celsius + 0", now).await[0].1, 21.5);
    assert_eq!(running.ask("added_total + 0", now).await[0].1, 3.0);
    assert_eq!(
        running.ask("histogram_quantile(0.5, latency_seconds_bucket)", now).await,
        [(common.to_owned(), 1.0)]
    );
    assert_eq!(running.ask("latency_seconds_sum / latency_seconds_count > 1.5", now).await[0].1, 9.5 / 6.0);
    assert_eq!(running.ask("size_bytes_bucket{le=\"4\"} + 0", now).await[0].1, 7.0);
    assert_eq!(running.ask("old_seconds{quantile=\"0.5\"} + 0", now).await[0].1, 2.0);
    assert_eq!(
        running.ask("target_info", now).await[0].0,
        format!("__name__=target_info,host_name=h,{common}")
    );

    // As JSON, and what was added since: it is added up.
    world.clock.advance(std::time::Duration::from_secs(10));
    let later = number(nanos + 10_000_000_000, 4.0);
    let added = Sum { data_points: vec![later], aggregation_temporality: 1, is_monotonic: true };
    let request = export(vec![metric("added", "1", Data::Sum(added))]);
    let json = serde_json::to_vec(&request).unwrap();
    assert_eq!(write(&running, SampleFormat::OtlpJson, json).await.unwrap().refused_sample_count, 0);
    assert_eq!(running.ask("added_total + 0", world.now()).await[0].1, 7.0);

    let metrics = ListMetricsRequest { parent: PROJECT.into(), ..ListMetricsRequest::default() };
    let metrics = running.operator().list_metrics(metrics).await.unwrap().into_inner().metrics;
    let added = metrics.iter().find(|metric| metric.metric == "added_total").unwrap();
    assert_eq!((added.r#type, &*added.description, added.series_count), (2, "for people", 1));
}
