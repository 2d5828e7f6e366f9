//! WriteSpans.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{WriteSpansRequest, WriteSpansResponse};

use crate::{
    Error,
    events::{Kind, write},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<WriteSpansRequest>,
) -> Result<WriteSpansResponse, Error> {
    let format = call.message.format();
    let WriteSpansRequest { parent, content, .. } = call.message;
    let written = write::write(state, Kind::Spans, &parent, format, content).await?;
    Ok(WriteSpansResponse {
        span_count: written.count,
        refused_span_count: written.refused,
        reason: written.reason,
    })
}
