//! WriteSamples: what others send, in their formats.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{SampleFormat, WriteSamplesRequest, WriteSamplesResponse};

use crate::{
    Error,
    domain::name,
    ingest::{self, Taken},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<WriteSamplesRequest>,
) -> Result<WriteSamplesResponse, Error> {
    let request = call.message;
    state.ready()?;
    let project = state.projects.get(name::project(&request.parent));
    let taken = match request.format() {
        SampleFormat::RemoteWrite => ingest::remote_write::read(state, &project, &request.content)?,
        SampleFormat::Otlp => ingest::otlp::read(state, &project, &request.content, false)?,
        SampleFormat::OtlpJson => ingest::otlp::read(state, &project, &request.content, true)?,
        SampleFormat::Unspecified => return Err(Error::field("format", "must say what the content is")),
    };
    let Taken { table, mut refused, reason } = taken;
    let mut batches = table.into_batches();
    for (_, batch) in &mut batches {
        refused += state.refuse_times(batch);
    }
    batches.retain(|(_, batch)| !batch.times.is_empty());
    project.write().counts.refused += refused;
    let sample_count: usize = batches.iter().map(|(_, batch)| batch.sample_count()).sum();
    if sample_count == 0 && reason == ingest::TOO_MANY_SERIES {
        return Err(Error::TooManySeries(state.options.max_series));
    }
    state.write(&project, batches).await?;
    let reason = if refused > 0 && reason.is_empty() { ingest::BAD_TIME } else { reason };
    Ok(WriteSamplesResponse {
        sample_count: sample_count as i64,
        refused_sample_count: refused as i64,
        reason: reason.to_owned(),
    })
}
