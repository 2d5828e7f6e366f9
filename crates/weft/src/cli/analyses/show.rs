//! Analyses and their values for people.

use anyhow::Result;
use weft_proto::weft::compute::v1::{
    Analysis, AnalysisState, AnalysisValue, GetAnalysisRequest, ListAnalysesRequest, ListAnalysesResponse,
    ListAnalysisValuesRequest, ListAnalysisValuesResponse, algorithm::Kind,
};

use crate::{
    cli::output::{self, OutputFormat},
    client::AnalysisClient,
};

/// Rows of a page.
const PAGE: i32 = 10_000;
/// Rows that are shown with an analysis.
const SHOWN: usize = 10;

fn state_word(state: AnalysisState) -> &'static str {
    match state {
        AnalysisState::Unspecified => "",
        AnalysisState::Pending => "pending",
        AnalysisState::Running => "running",
        AnalysisState::Succeeded => "succeeded",
        AnalysisState::Failed => "failed",
        AnalysisState::Cancelled => "cancelled",
    }
}

fn algorithm_word(analysis: &Analysis) -> &'static str {
    match analysis.algorithm.as_ref().and_then(|algorithm| algorithm.kind.as_ref()) {
        None => "",
        Some(Kind::WeakComponents(_)) => "weak-components",
        Some(Kind::StrongComponents(_)) => "strong-components",
        Some(Kind::BreadthFirst(_)) => "breadth-first",
        Some(Kind::ShortestPaths(_)) => "shortest-paths",
        Some(Kind::PageRank(_)) => "page-rank",
        Some(Kind::Betweenness(_)) => "betweenness",
        Some(Kind::Closeness(_)) => "closeness",
        Some(Kind::Cores(_)) => "cores",
        Some(Kind::Triangles(_)) => "triangles",
        Some(Kind::LabelPropagation(_)) => "label-propagation",
        Some(Kind::Communities(_)) => "communities",
        Some(Kind::Precedence(_)) => "precedence",
        Some(Kind::KMeans(_)) => "k-means",
        Some(Kind::Dbscan(_)) => "dbscan",
        Some(Kind::Anomalies(_)) => "anomalies",
        Some(Kind::Similarity(_)) => "similarity",
    }
}

/// A number in at most six digits.
fn short(value: f64) -> String {
    if value.fract().abs() < f64::EPSILON && value.abs() < 1e15 {
        output::number(value as i64)
    } else if (1e-3..1e6).contains(&value.abs()) {
        format!("{value:.6}")
    } else {
        format!("{value:.4e}")
    }
}

pub(super) fn analysis(analysis: &Analysis, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(analysis, "weft.compute.v1.Analysis");
    }
    let result = analysis.result.clone().unwrap_or_default();
    let graph = match result.graph_revision {
        0 => String::new(),
        revision => format!(
            "revision {}: {} nodes, {} edges",
            output::number(revision),
            output::number(result.node_count),
            output::number(result.edge_count)
        ),
    };
    let written = match result.written_revision {
        0 => String::new(),
        revision => {
            let what = match analysis.algorithm.as_ref().and_then(|algorithm| algorithm.kind.as_ref()) {
                Some(Kind::Similarity(asked)) => &asked.write_edge_type,
                _ => &analysis.write_property,
            };
            format!("{what} as revision {}", output::number(revision))
        }
    };
    let running = analysis.state() == AnalysisState::Running;
    let progress = if running { format!(", {:.0} %", analysis.progress * 100.0) } else { String::new() };
    let computed = analysis.result.as_ref().map(|result| format!("{:.1} ms", result.compute_duration_ms));
    let lines = [
        ("name", analysis.name.clone()),
        ("algorithm", algorithm_word(analysis).to_owned()),
        ("state", format!("{}{progress}", state_word(analysis.state()))),
        ("error", analysis.error.as_ref().map(|error| error.message.clone()).unwrap_or_default()),
        ("graph", graph),
        ("written", written),
        ("by", analysis.creator.clone()),
        ("accepted", output::time(analysis.create_time.as_ref())),
        ("ended", output::time(analysis.end_time.as_ref())),
        ("computed", computed.unwrap_or_default()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:>10}  {value}"));
    }
    let mut numbers: Vec<_> = result.numbers.iter().collect();
    numbers.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in numbers {
        output::line(&format!("{:>10}  {}", short(*value), name.replace('_', " ")));
    }
    if !result.groups.is_empty() {
        output::line("");
        let groups = result.groups.iter().take(SHOWN);
        let rows = groups.map(|group| vec![group.node.clone(), output::number(group.node_count)]);
        output::table(&["group of", "nodes"], &[1], rows);
    }
    if !result.top.is_empty() {
        output::line("");
        table(&result.columns, result.top.iter().take(SHOWN));
    }
    Ok(())
}

fn table<'a>(columns: &[String], values: impl Iterator<Item = &'a AnalysisValue>) {
    let values: Vec<&AnalysisValue> = values.collect();
    let has_pairs = values.first().is_some_and(|value| value.other_ordinal.is_some());
    let nodes: &[&str] = if has_pairs { &["node", "and"] } else { &["node"] };
    let head: Vec<&str> = nodes.iter().copied().chain(columns.iter().map(String::as_str)).collect();
    let numbers: Vec<usize> = (nodes.len()..head.len()).collect();
    let rows = values.into_iter().map(|value| {
        let mut row = vec![value.node.clone()];
        row.extend(has_pairs.then(|| value.other_node.clone()));
        row.extend(value.values.iter().copied().map(short));
        row
    });
    output::table(&head, &numbers, rows);
}

pub(super) async fn list(
    client: &mut AnalysisClient,
    mut request: ListAnalysesRequest,
    limit: usize,
    format: OutputFormat,
) -> Result<()> {
    let mut all = ListAnalysesResponse::default();
    while all.analyses.len() < limit {
        request.page_size = i32::try_from((limit - all.analyses.len()).min(1_000)).unwrap_or(1_000);
        let page = client.list_analyses(request.clone()).await?.into_inner();
        all.analyses.extend(page.analyses);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.compute.v1.ListAnalysesResponse");
    }
    let rows = all.analyses.iter().map(|analysis| {
        vec![
            analysis.name.clone(),
            algorithm_word(analysis).to_owned(),
            state_word(analysis.state()).to_owned(),
            output::time(analysis.create_time.as_ref()),
        ]
    });
    output::table(&["name", "algorithm", "state", "accepted"], &[], rows);
    Ok(())
}

pub(super) async fn values(
    client: &mut AnalysisClient,
    mut request: ListAnalysisValuesRequest,
    limit: usize,
    format: OutputFormat,
) -> Result<()> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut all = ListAnalysisValuesResponse::default();
    while all.values.len() < limit {
        request.page_size = i32::try_from(limit - all.values.len()).map_or(PAGE, |missing| missing.min(PAGE));
        let page = client.list_analysis_values(request.clone()).await?.into_inner();
        all.values.extend(page.values);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.compute.v1.ListAnalysisValuesResponse");
    }
    let analysis = client.get_analysis(GetAnalysisRequest { name: request.name }).await?.into_inner();
    table(&analysis.result.unwrap_or_default().columns, all.values.iter());
    Ok(())
}
