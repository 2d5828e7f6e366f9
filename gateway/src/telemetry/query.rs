//! Questions of Prometheus' HTTP API, as Grafana and others ask them.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use prost_types::Timestamp;
use serde_json::{Value, json};
use tonic::{Status, body::Body};
use weft_kit::{Clock, Problem};
use weft_proto::weft::telemetry::v1::{
    Alert, AlertRule, ListAlertRulesRequest, ListAlertRulesResponse, ListAlertsRequest, ListAlertsResponse,
    ListLabelValuesRequest, ListLabelValuesResponse, ListMetricsRequest, ListMetricsResponse,
    ListSeriesRequest, ListSeriesResponse, MetricType, QueryInstantRequest, QueryInstantResponse,
    QueryRangeRequest, QueryRangeResponse,
};

use super::{
    answer,
    ask::{From, ask},
    params::Params,
    parent, rules,
};
use crate::{
    body,
    percent::{self, Part},
    refusal::Refusal,
    shared::Shared,
};

/// Longest form: a query is at most 8 KiB.
const LONGEST_FORM: usize = 64 << 10;
/// Series, values and metrics in one answer.
const MOST: usize = 50_000;
/// In one page of them.
const PAGE: i32 = 10_000;

/// Why there is no answer.
enum Failed {
    Bad(String),
    Refused(Box<Status>),
}

impl std::convert::From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl std::convert::From<String> for Failed {
    fn from(problem: String) -> Self {
        Self::Bad(problem)
    }
}

/// Answers a question; gives back what is none.
pub(super) async fn handle(
    shared: &Arc<Shared>,
    request: Request<Body>,
    project: Option<&str>,
    what: &str,
) -> Result<Response<Body>, Request<Body>> {
    let label = what.strip_prefix("label/").and_then(|rest| rest.strip_suffix("/values"));
    let is_known = label.is_some()
        || matches!(
            what,
            "query"
                | "query_range"
                | "series"
                | "labels"
                | "metadata"
                | "status/buildinfo"
                | "rules"
                | "alerts"
                | "query_exemplars"
        );
    if !is_known {
        return Err(request);
    }
    if !matches!(*request.method(), Method::GET | Method::POST) {
        let problem = Problem::unimplemented("WRONG_HTTP_METHOD", "questions are asked with GET or POST");
        return Ok(Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
            .with_header(header::ALLOW, HeaderValue::from_static("GET, POST"))
            .into_response(&shared.pool));
    }
    let answered = async {
        let (parts, body) = request.into_parts();
        let mut params = Params::default();
        params.add(parts.uri.query().unwrap_or_default())?;
        if parts.method == Method::POST {
            let form = body::read(&parts.headers, body, LONGEST_FORM).await?;
            params.add(std::str::from_utf8(&form).map_err(|_| "the form is no UTF-8".to_owned())?)?;
        }
        let parent = parent(&parts.headers, project);
        let asker = Asker {
            shared,
            from: From { headers: &parts.headers, extensions: parts.extensions },
            parent,
            params,
        };
        match (label, what) {
            (Some(label), _) => asker.label_values(label).await,
            (None, "query") => asker.query().await,
            (None, "query_range") => asker.query_range().await,
            (None, "series") => asker.series().await,
            (None, "labels") => asker.labels("").await,
            (None, "metadata") => asker.metadata().await,
            (None, "rules") => asker.rules().await,
            (None, "alerts") => asker.alerts().await,
            (None, "query_exemplars") => asker.nothing(json!([])).await,
            // What Grafana looks at to know what may be asked.
            _ => Ok(json!({
                "version": "3.0.0", "revision": concat!("weft ", env!("CARGO_PKG_VERSION")), "branch": "", "buildUser": "",
                "buildDate": "", "goVersion": "",
            })),
        }
    };
    Ok(match answered.await {
        Ok(data) => answer::success(&data),
        Err(Failed::Bad(problem)) => answer::bad(&problem),
        Err(Failed::Refused(status)) => answer::refused(&status),
    })
}

struct Asker<'r> {
    shared: &'r Shared,
    from: From<'r>,
    parent: String,
    params: Params,
}

impl Asker<'_> {
    async fn query(&self) -> Result<Value, Failed> {
        let at = self.params.time("time")?.unwrap_or_else(now);
        let query = self.params.needed("query")?.to_owned();
        let request = QueryInstantRequest { parent: self.parent.clone(), query, query_time: Some(at) };
        let found: QueryInstantResponse =
            ask(self.shared, &self.from, "TelemetryService/QueryInstant", &request).await?;
        Ok(answer::instant(&found, &at))
    }

    async fn query_range(&self) -> Result<Value, Failed> {
        self.params.needed("start")?;
        self.params.needed("end")?;
        let request = QueryRangeRequest {
            parent: self.parent.clone(),
            query: self.params.needed("query")?.to_owned(),
            start_time: self.params.time("start")?,
            end_time: self.params.time("end")?,
            step: Some(self.params.duration("step")?),
        };
        let found: QueryRangeResponse =
            ask(self.shared, &self.from, "TelemetryService/QueryRange", &request).await?;
        Ok(answer::range(&found))
    }

    fn most(&self) -> usize {
        let asked = self.params.get("limit").and_then(|limit| limit.parse().ok());
        asked.filter(|limit| *limit > 0).unwrap_or(MOST).min(MOST)
    }

    async fn series(&self) -> Result<Value, Failed> {
        let mut found = BTreeSet::new();
        let selectors: Vec<&str> = self.params.all("match[]").collect();
        if selectors.is_empty() {
            return Err(Failed::Bad("no match[] parameter provided".into()));
        }
        for selector in selectors {
            let mut request = ListSeriesRequest {
                parent: self.parent.clone(),
                selector: selector.to_owned(),
                page_size: PAGE,
                page_token: String::new(),
            };
            while found.len() < self.most() {
                let page: ListSeriesResponse =
                    ask(self.shared, &self.from, "TelemetryService/ListSeries", &request).await?;
                found.extend(page.series.iter().map(|series| answer::labels(series).to_string()));
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
        }
        let series = found.into_iter().take(self.most());
        Ok(Value::Array(series.filter_map(|labels| serde_json::from_str(&labels).ok()).collect()))
    }

    async fn label_values(&self, label: &str) -> Result<Value, Failed> {
        let label =
            percent::decode(label, Part::Segment).map_err(|problem| format!("the label {problem}"))?;
        if label.is_empty() {
            return Err(Failed::Bad("invalid label name: it is empty".into()));
        }
        self.labels(&label).await
    }

    async fn labels(&self, label: &str) -> Result<Value, Failed> {
        let mut found = BTreeSet::new();
        let mut selectors: Vec<&str> = self.params.all("match[]").collect();
        if selectors.is_empty() {
            selectors.push("");
        }
        for selector in selectors {
            let mut request = ListLabelValuesRequest {
                parent: self.parent.clone(),
                label: label.to_owned(),
                selector: selector.to_owned(),
                page_size: PAGE,
                page_token: String::new(),
            };
            while found.len() < self.most() {
                let page: ListLabelValuesResponse =
                    ask(self.shared, &self.from, "TelemetryService/ListLabelValues", &request).await?;
                found.extend(page.values);
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
        }
        Ok(json!(found.into_iter().take(self.most()).collect::<Vec<_>>()))
    }

    async fn metadata(&self) -> Result<Value, Failed> {
        let wanted = self.params.get("metric");
        let mut request =
            ListMetricsRequest { parent: self.parent.clone(), page_size: PAGE, page_token: String::new() };
        let mut found = serde_json::Map::new();
        while found.len() < self.most() {
            let page: ListMetricsResponse =
                ask(self.shared, &self.from, "TelemetryService/ListMetrics", &request).await?;
            for metric in page.metrics {
                let kind = match metric.r#type() {
                    MetricType::Unspecified => continue,
                    MetricType::Gauge => "gauge",
                    MetricType::Counter => "counter",
                    MetricType::Histogram => "histogram",
                    MetricType::Summary => "summary",
                };
                if wanted.is_none_or(|wanted| wanted == metric.metric) {
                    let told = json!([{ "type": kind, "help": metric.description, "unit": metric.unit }]);
                    found.insert(metric.metric, told);
                }
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        Ok(Value::Object(found))
    }

    async fn rules(&self) -> Result<Value, Failed> {
        let alerts = self.all_alerts().await?;
        let mut found: Vec<AlertRule> = Vec::new();
        let mut request =
            ListAlertRulesRequest { parent: self.parent.clone(), page_size: PAGE, page_token: String::new() };
        // All rules are alerts.
        while self.params.get("type") != Some("record") && found.len() < self.most() {
            let page: ListAlertRulesResponse =
                ask(self.shared, &self.from, "AlertService/ListAlertRules", &request).await?;
            found.extend(page.alert_rules);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        Ok(rules::groups(&self.parent, &found, &alerts))
    }

    async fn alerts(&self) -> Result<Value, Failed> {
        let alerts = self.all_alerts().await?;
        Ok(json!({ "alerts": alerts.iter().filter_map(rules::alert).collect::<Vec<_>>() }))
    }

    async fn all_alerts(&self) -> Result<Vec<Alert>, Failed> {
        let mut found = Vec::new();
        let mut request =
            ListAlertsRequest { parent: self.parent.clone(), page_size: PAGE, page_token: String::new() };
        while found.len() < self.most() {
            let page: ListAlertsResponse =
                ask(self.shared, &self.from, "AlertService/ListAlerts", &request).await?;
            found.extend(page.alerts);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// What there is none of, for who may look.
    async fn nothing(&self, data: Value) -> Result<Value, Failed> {
        let request =
            ListMetricsRequest { parent: self.parent.clone(), page_size: 1, page_token: String::new() };
        let _: ListMetricsResponse =
            ask(self.shared, &self.from, "TelemetryService/ListMetrics", &request).await?;
        Ok(data)
    }
}

fn now() -> Timestamp {
    Clock::system().now().into()
}
