//! Rows as clients see them.

use prost::Message;
use weft_proto::weft::compute::v1::{Analysis, AnalysisState as Shown};
use weft_store::{AnalysisRow, AnalysisState};

use crate::{
    Error,
    domain::name::{AnalysisName, GraphName},
};

/// Seconds that an analysis may be given.
pub(crate) const TIMEOUTS: std::ops::RangeInclusive<i64> = 1..=3_600;

/// Name of a stored analysis.
pub(crate) fn name(row: &AnalysisRow) -> AnalysisName {
    let graph = GraphName { project: row.project.clone(), graph: row.graph.clone() };
    AnalysisName { graph, analysis: row.id.clone() }
}

/// What is to be computed.
pub(super) fn settings(row: &AnalysisRow) -> Result<Analysis, Error> {
    let unreadable = |_| Error::Unreadable { layout: name(row).to_string(), what: "settings" };
    Analysis::decode(row.settings.clone()).map_err(unreadable)
}

/// What a client may set, of what it sent.
pub(crate) fn settable(sent: Analysis) -> Analysis {
    Analysis {
        algorithm: sent.algorithm,
        weight_property: sent.weight_property,
        write_property: sent.write_property,
        timeout: sent.timeout,
        ..Analysis::default()
    }
}

/// An analysis as a client sees it.
///
/// # Errors
/// What is stored cannot be read.
pub(crate) fn analysis(row: &AnalysisRow) -> Result<Analysis, Error> {
    let unreadable = |_| Error::Unreadable { layout: name(row).to_string(), what: "report" };
    let settings = settings(row)?;
    let report = Analysis::decode(row.report.clone()).map_err(unreadable)?;
    Ok(Analysis {
        name: name(row).to_string(),
        uid: row.uid.to_string(),
        state: shown(row.state).into(),
        phase: if row.state == AnalysisState::Running { report.phase } else { 0 },
        progress: report.progress,
        cancel_requested: row.cancel_asked,
        error: report.error,
        result: report.result,
        attempt_count: row.attempts,
        creator: row.creator.clone(),
        create_time: Some(row.created.into()),
        start_time: row.started.map(Into::into),
        end_time: row.ended.map(Into::into),
        ..settings
    })
}

/// An analysis in a list: without what is long.
pub(crate) fn brief(mut analysis: Analysis) -> Analysis {
    if let Some(result) = &mut analysis.result {
        result.top.clear();
        result.groups.clear();
        result.histogram = None;
    }
    analysis
}

fn shown(state: AnalysisState) -> Shown {
    match state {
        AnalysisState::Pending => Shown::Pending,
        AnalysisState::Running => Shown::Running,
        AnalysisState::Succeeded => Shown::Succeeded,
        AnalysisState::Failed => Shown::Failed,
        AnalysisState::Cancelled => Shown::Cancelled,
    }
}

/// Whether nothing will happen to it any more.
pub(crate) fn has_ended(analysis: &Analysis) -> bool {
    matches!(analysis.state(), Shown::Succeeded | Shown::Failed | Shown::Cancelled)
}

/// The word for a state.
pub(crate) fn state_word(state: Shown) -> &'static str {
    match state {
        Shown::Unspecified => "unspecified",
        Shown::Pending => "pending",
        Shown::Running => "running",
        Shown::Succeeded => "succeeded",
        Shown::Failed => "failed",
        Shown::Cancelled => "cancelled",
    }
}
