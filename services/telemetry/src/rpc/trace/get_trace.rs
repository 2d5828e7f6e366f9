//! GetTrace.

use std::collections::HashSet;

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{GetTraceRequest, Span, Trace};

use crate::{
    Error,
    domain::name,
    events::{Kind, records, spans, traces},
    state::State,
};

/// Spans of one answer.
const MOST: usize = 10_000;
/// Bytes of one answer: of a message that every client reads.
const MOST_BYTES: usize = 3 << 20;
/// Bytes of spans that are sorted for it.
const MOST_READ: usize = 32 << 20;

pub(crate) async fn handle(state: &State, call: Call<GetTraceRequest>) -> Result<Trace, Error> {
    let full = call.message.name;
    let project = name::project(&full).to_owned();
    let id = records::trace(name::last(&full)).ok_or_else(|| Error::TraceNotFound(full.clone()))?;
    let of = project.clone();
    let looked = state.look(Kind::Spans, &of, move |view| {
        let mut known = traces::Known::default();
        let (mut found, mut bytes, mut ids) = (Vec::new(), 0, HashSet::new());
        view.of_traces(&HashSet::from([id]), |event, origin| {
            known.add(event, origin);
            if bytes < MOST_READ && ids.insert(event.span.to_vec()) {
                let span = spans::span(event, origin)?;
                bytes += span.encoded_len();
                found.push((event.time, span));
            }
            Ok(())
        })?;
        let summary = known.summary(&project, &id);
        Ok(summary.map(|summary| Trace { summary: Some(summary), spans: first(found) }))
    });
    looked.await?.ok_or(Error::TraceNotFound(full))
}

/// The first spans by time, as many as an answer has room for.
fn first(mut found: Vec<(i64, Span)>) -> Vec<Span> {
    found.sort_by_key(|(time, _)| *time);
    let mut bytes = 0;
    let spans = found.into_iter().take(MOST).map(|(_, span)| span);
    spans
        .take_while(|span| {
            bytes += span.encoded_len() + 8;
            bytes <= MOST_BYTES
        })
        .collect()
}
