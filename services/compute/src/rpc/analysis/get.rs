//! GetAnalysis: where an analysis is, and what it found.

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Analysis, GetAnalysisRequest};

use crate::{
    Error,
    analysis::{Analyses, message},
    domain::name::AnalysisName,
};

pub(crate) async fn handle(analyses: &Analyses, call: Call<GetAnalysisRequest>) -> Result<Analysis, Error> {
    let row = super::row(analyses, &AnalysisName::parse(&call.message.name, "name")?).await?;
    // Who runs it here knows better than what was written down a second ago.
    match analyses.running(row.uid) {
        Some(running) => Ok(running.states.borrow().clone()),
        None => message::analysis(&row),
    }
}
