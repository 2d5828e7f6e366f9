//! DeleteAnalysis: forgets an analysis and its values, whatever it is doing.

use weft_kit::Call;
use weft_proto::weft::compute::v1::DeleteAnalysisRequest;

use crate::{Error, analysis::Analyses, domain::name::AnalysisName};

pub(crate) async fn handle(analyses: &Analyses, call: Call<DeleteAnalysisRequest>) -> Result<(), Error> {
    let name = AnalysisName::parse(&call.message.name, "name")?;
    let row = super::row(analyses, &name).await?;
    match analyses.forget(row.uid).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::AnalysisNotFound(name.to_string())),
        Err(error) => Err(Error::analysis_store(&name)(error)),
    }
}
