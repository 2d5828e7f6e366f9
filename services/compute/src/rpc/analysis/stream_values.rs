//! StreamAnalysisValues: all values as columns, by ordinal.

use futures::{Stream, stream};
use weft_kit::Call;
use weft_proto::weft::compute::v1::{StreamAnalysisValuesRequest, StreamAnalysisValuesResponse};

use crate::{Error, analysis::Analyses};

pub(crate) async fn handle(
    analyses: &Analyses,
    call: Call<StreamAnalysisValuesRequest>,
) -> Result<impl Stream<Item = Result<StreamAnalysisValuesResponse, Error>> + Send + use<>, Error> {
    let StreamAnalysisValuesRequest { name, ordinals_only, after_ordinal } = call.message;
    let table = super::table(analyses, &name).await?;
    let begin = match after_ordinal {
        None => 0,
        Some(after) => table.ordinals.partition_point(|ordinal| *ordinal <= after),
    };
    Ok(stream::unfold((table, begin), move |(table, begin)| async move {
        if begin >= table.len() {
            return None;
        }
        let end = table.end_of_piece(begin);
        let columns = table.piece(begin..end, !ordinals_only);
        let last_ordinal = table.ordinals[end - 1];
        Some((Ok(StreamAnalysisValuesResponse { columns: Some(columns), last_ordinal }), (table, end)))
    }))
}
