//! CancelAnalysis: asks for the end of an analysis, in whichever process it runs.

use weft_kit::Call;
use weft_proto::weft::compute::v1::{Analysis, CancelAnalysisRequest};

use crate::{
    Error,
    analysis::{Analyses, message, stop_cancelled},
    domain::name::AnalysisName,
};

pub(crate) async fn handle(
    analyses: &Analyses,
    call: Call<CancelAnalysisRequest>,
) -> Result<Analysis, Error> {
    let name = AnalysisName::parse(&call.message.name, "name")?;
    let row = super::row(analyses, &name).await?;
    let cancelled = analyses.store.cancel_analysis(row.uid, analyses.now()).await;
    let row = cancelled.map_err(Error::analysis_store(&name))?;
    stop_cancelled(analyses, &row);
    message::analysis(&row)
}
