//! WriteLogs.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{WriteLogsRequest, WriteLogsResponse};

use crate::{
    Error,
    events::{Kind, write},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<WriteLogsRequest>) -> Result<WriteLogsResponse, Error> {
    let format = call.message.format();
    let WriteLogsRequest { parent, content, .. } = call.message;
    let written = write::write(state, Kind::Logs, &parent, format, content).await?;
    Ok(WriteLogsResponse {
        log_count: written.count,
        refused_log_count: written.refused,
        reason: written.reason,
    })
}
