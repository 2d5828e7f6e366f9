//! SearchTraces.

use prost::Message;
use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{SearchTracesRequest, SearchTracesResponse};

use crate::{
    Error,
    domain::{name, span, time},
    events::{
        Kind,
        page::Start,
        traces,
        wanted::{Attribute, Wanted},
    },
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<SearchTracesRequest>,
) -> Result<SearchTracesResponse, Error> {
    let request = call.message;
    let wanted = wanted(&request)?;
    let size = page_size(request.page_size, 20, 100) as usize;
    let list = list(&request);
    let cursor = list.cursor(&request.page_token)?;
    let project = name::project(&request.parent).to_owned();
    let id = project.clone();
    let looked = state.look(Kind::Spans, &id, move |view| {
        let from = Start::read(&cursor, view.newest())?;
        let (traces, next) = traces::search(view, &project, &wanted, from, size)?;
        Ok((traces, next.map(|next| list.token(from.after(next).as_str()))))
    });
    let (traces, next) = looked.await?;
    Ok(SearchTracesResponse { traces, next_page_token: next.unwrap_or_default() })
}

/// The list that a request is a page of.
fn list(request: &SearchTracesRequest) -> List {
    let whole = SearchTracesRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let digits: String = whole.encode_to_vec().iter().map(|byte| char::from(*byte)).collect();
    List::of(&["SearchTraces", &digits])
}

fn wanted(request: &SearchTracesRequest) -> Result<Wanted, Error> {
    let (from, to) = span::within(request.start_time.as_ref(), request.end_time.as_ref())?;
    let length = request.min_duration.as_ref().map_or(0, time::duration_nanos);
    if length < 0 {
        return Err(Error::field("min_duration", "must not be negative"));
    }
    let attributes = request.attributes.iter().map(|text| Attribute::parse(text));
    Ok(Wanted {
        from,
        to,
        service: request.service_name.clone(),
        attributes: attributes.collect::<Result<_, _>>()?,
        operation: request.operation.clone(),
        length,
        errors: request.errors_only,
        ..Wanted::default()
    })
}
