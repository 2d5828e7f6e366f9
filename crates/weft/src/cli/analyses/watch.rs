//! `weft analyses watch`, and `run`: how an analysis goes, and how it ends.

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use prost_reflect::prost::Message;
use tonic::{Code, Status};
use weft_proto::weft::compute::v1::{Analysis, AnalysisPhase, AnalysisState, WatchAnalysisRequest};

use super::show;
use crate::{cli::output::OutputFormat, client::AnalysisClient};

/// Until it has ended; the error is the analysis' own.
pub(super) async fn to_its_end(
    client: &mut AnalysisClient,
    name: String,
    format: OutputFormat,
) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}  {msg}")?;
    let bar = ProgressBar::new(1_000).with_style(style);
    let mut last: Option<Analysis> = None;
    // A stream that breaks off is gone on with.
    while last.as_ref().is_none_or(|last| !has_ended(last)) {
        let request = WatchAnalysisRequest { name: name.clone() };
        let mut states = client.watch_analysis(request).await?.into_inner();
        loop {
            match states.message().await {
                Ok(Some(state)) => {
                    bar.set_position((state.progress * 1_000.0) as u64);
                    bar.set_message(doing(&state));
                    last = Some(state);
                }
                Ok(None) => break,
                Err(status) if status.code() == Code::Unavailable => break,
                Err(status) => return Err(status.into()),
            }
        }
    }
    bar.finish_and_clear();
    let last = last.context("the analysis told nothing")?;
    match last.state() {
        AnalysisState::Cancelled => Err(Status::aborted("somebody ended the analysis").into()),
        AnalysisState::Failed => {
            let error = last.error.unwrap_or_default();
            let details = error.encode_to_vec();
            Err(Status::with_details(Code::from(error.code), error.message, details.into()).into())
        }
        _ => show::analysis(&last, format),
    }
}

fn has_ended(analysis: &Analysis) -> bool {
    matches!(analysis.state(), AnalysisState::Succeeded | AnalysisState::Failed | AnalysisState::Cancelled)
}

fn doing(analysis: &Analysis) -> &'static str {
    match analysis.phase() {
        _ if analysis.state() == AnalysisState::Pending => "waiting for its turn",
        AnalysisPhase::Unspecified => "",
        AnalysisPhase::Reading => "reading the graph",
        AnalysisPhase::Computing => "computing",
        AnalysisPhase::Saving => "keeping the values",
        AnalysisPhase::Writing => "writing to the graph",
    }
}
