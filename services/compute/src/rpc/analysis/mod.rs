//! The methods of the analysis service. One file each.

pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod list_values;
pub(crate) mod stream_values;
pub(crate) mod watch;
pub(crate) mod watch_communities;

use std::sync::Arc;

use weft_proto::weft::compute::v1::AnalysisState;
use weft_store::AnalysisRow;

use crate::{
    Error,
    analysis::{Analyses, message, table::Table},
    domain::name::AnalysisName,
};

/// The stored analysis of a name.
async fn row(analyses: &Analyses, name: &AnalysisName) -> Result<AnalysisRow, Error> {
    let AnalysisName { graph, analysis } = name;
    let found = analyses.store.get_analysis(&graph.project, &graph.graph, analysis).await;
    found.map_err(Error::analysis_store(name))
}

/// The values of an analysis, by the name in the field `name`.
async fn table(analyses: &Analyses, name: &str) -> Result<Arc<Table>, Error> {
    let row = row(analyses, &AnalysisName::parse(name, "name")?).await?;
    let analysis = message::analysis(&row)?;
    match (analysis.state(), &analysis.result) {
        (AnalysisState::Succeeded, Some(result)) => {
            let rows = usize::try_from(result.row_count).unwrap_or_default();
            analyses.table(row.uid, rows, name).await
        }
        (state, _) => Err(Error::NoValues { analysis: name.to_owned(), state: message::state_word(state) }),
    }
}
