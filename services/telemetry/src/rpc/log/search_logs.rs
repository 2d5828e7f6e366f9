//! SearchLogs.

use prost::Message;
use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{SearchLogsRequest, SearchLogsResponse};

use crate::{
    Error,
    domain::{name, span},
    events::{
        Kind,
        page::{Page, Start},
        records,
        wanted::{Attribute, Wanted},
        words::Query,
    },
    state::State,
};

/// Bytes of a page: of a message that every client reads.
const PAGE_BYTES: usize = 2 << 20;

pub(crate) async fn handle(
    state: &State,
    call: Call<SearchLogsRequest>,
) -> Result<SearchLogsResponse, Error> {
    let request = call.message;
    let (from, to) = span::within(request.start_time.as_ref(), request.end_time.as_ref())?;
    let wanted = Wanted { from, to, ..wanted(&Filter::from(&request))? };
    let size = page_size(request.page_size, 100, 1_000) as usize;
    let list = list(&request);
    let cursor = list.cursor(&request.page_token)?;
    let looked = state.look(Kind::Logs, name::project(&request.parent), move |view| {
        let from = Start::read(&cursor, view.newest())?;
        let mut page = Page::new(from, size, PAGE_BYTES);
        view.search(&wanted, &mut page, |event, origin| {
            let record = records::record(event, origin)?;
            let bytes = record.encoded_len();
            Ok((record, bytes))
        })?;
        let (logs, next) = page.finish();
        let next = next.map(|next| list.token(from.after(next).as_str()));
        Ok((logs.into_iter().map(|(_, record)| record).collect(), next))
    });
    let (logs, next) = looked.await?;
    Ok(SearchLogsResponse { logs, next_page_token: next.unwrap_or_default() })
}

/// The list that a request is a page of.
fn list(request: &SearchLogsRequest) -> List {
    let whole = SearchLogsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let digits: String = whole.encode_to_vec().iter().map(|byte| char::from(*byte)).collect();
    List::of(&["SearchLogs", &digits])
}

/// What searches and watches have in common.
pub(super) struct Filter<'r> {
    pub(super) query: &'r str,
    pub(super) severity: i32,
    pub(super) service: &'r str,
    pub(super) attributes: &'r [String],
    pub(super) trace: &'r str,
}

impl<'r> From<&'r SearchLogsRequest> for Filter<'r> {
    fn from(request: &'r SearchLogsRequest) -> Self {
        Self {
            query: &request.query,
            severity: request.min_severity,
            service: &request.service_name,
            attributes: &request.attributes,
            trace: &request.trace_id,
        }
    }
}

/// What is wanted, at any time.
pub(super) fn wanted(filter: &Filter<'_>) -> Result<Wanted, Error> {
    let query = Query::parse(filter.query).map_err(|problem| Error::field("query", problem))?;
    Ok(Wanted {
        from: i64::MIN,
        to: i64::MAX,
        query,
        severity: u32::try_from(filter.severity).unwrap_or_default(),
        service: filter.service.to_owned(),
        attributes: filter.attributes.iter().map(|text| Attribute::parse(text)).collect::<Result<_, _>>()?,
        trace: records::trace(filter.trace),
        ..Wanted::default()
    })
}
