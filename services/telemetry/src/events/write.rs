//! From an export of OpenTelemetry to what is on disk.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use serde::de::DeserializeOwned;
use weft_proto::weft::telemetry::v1::ExportFormat;
use weft_store::StoreError;

use super::{
    Kind,
    incoming::{NewChunk, Taken},
    records::{self, Times},
    repeats, spans,
};
use crate::{Error, domain::name, state::State};

/// How chunks are packed for the log: what is sealed is packed again, and better.
const LEVEL: i32 = 1;

/// What came of an export.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) count: i64,
    pub(crate) refused: i64,
    /// Why, if any were refused.
    pub(crate) reason: String,
}

/// Takes an export, and comes back when it is on disk.
///
/// # Errors
/// It cannot be read, or the project sends too much, or the log cannot be written.
pub(crate) async fn write(
    state: &State,
    kind: Kind,
    parent: &str,
    format: ExportFormat,
    content: Bytes,
) -> Result<Written, Error> {
    state.ready()?;
    let is_json = match format {
        ExportFormat::Otlp => false,
        ExportFormat::OtlpJson => true,
        ExportFormat::Unspecified => return Err(Error::field("format", "must say what the content is")),
    };
    let project = state.projects.get(name::project(parent));
    let limit = state.options.event_rate_bytes;
    state
        .rates
        .take(&project.id, content.len(), limit, state.now())
        .map_err(|wait| Error::TooFast { limit, wait })?;
    let now = state.now() * 1_000_000;
    let ahead = i64::try_from(state.options.max_ahead.as_nanos()).unwrap_or(i64::MAX);
    let times = Times { good: state.oldest(kind)..=now.saturating_add(ahead), now };
    let id = std::sync::Arc::clone(&project.id);
    // A large export takes some hundredths of a second.
    let read = tokio::task::spawn_blocking(move || read(kind, &id, &content, is_json, &times)).await;
    let (taken, chunks) = read.map_err(|_| StoreError::Bug("reading an export broke off".to_owned()))??;
    state.write_events(&project, kind, chunks).await?;
    Ok(Written { count: taken.count as i64, refused: taken.refused as i64, reason: taken.reason.to_owned() })
}

fn read(
    kind: Kind,
    project: &str,
    content: &[u8],
    is_json: bool,
    times: &Times,
) -> Result<(Taken, Vec<NewChunk>), Error> {
    let mut taken = match kind {
        Kind::Logs => records::take(&decode::<ExportLogsServiceRequest>(content, is_json)?, times),
        Kind::Spans => spans::take(&decode::<ExportTraceServiceRequest>(content, is_json)?, times),
    };
    let export = repeats::digest(kind, project, content);
    let chunks = std::mem::take(&mut taken.chunks).into_iter().enumerate().map(|(part, chunk)| NewChunk {
        packed: chunk.encode(LEVEL),
        digest: repeats::of_part(&export, part),
        chunk,
    });
    let chunks = chunks.collect();
    Ok((taken, chunks))
}

fn decode<M: Message + Default + DeserializeOwned>(content: &[u8], is_json: bool) -> Result<M, Error> {
    if is_json {
        serde_json::from_slice(content).map_err(|error| Error::Export(error.to_string()))
    } else {
        M::decode(content).map_err(|error| Error::Export(error.to_string()))
    }
}
