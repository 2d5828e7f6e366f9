//! ListAnalyses: the analyses of a graph or of a project, the newest first.

use uuid::Uuid;
use weft_kit::{
    Call,
    cursor::{Cursor, CursorError, CursorReader},
    filter::Filter,
    order::parse_order,
    paging::{List, page_size},
};
use weft_proto::weft::compute::v1::{ListAnalysesRequest, ListAnalysesResponse};
use weft_store::Timestamp;

use crate::{
    Error,
    analysis::{
        Analyses,
        filter::{ANALYSIS, AnalysisRecord},
        message,
    },
    domain::name::GraphName,
};

/// Analyses that are read at once where a filter may leave many of them out.
const READ: u32 = 200;
/// Analyses that one call looks at: the page may then be short, and not the last.
const LOOKED_AT: usize = 2_000;

pub(crate) async fn handle(
    analyses: &Analyses,
    call: Call<ListAnalysesRequest>,
) -> Result<ListAnalysesResponse, Error> {
    let request = call.message;
    let parent = GraphName::parse(&request.parent, "parent")?;
    let filter = Filter::parse(&request.filter, &ANALYSIS)
        .map_err(|error| Error::bad_field("filter", error.to_string()))?;
    let order = parse_order(&request.order_by, &[("create_time", ())])
        .map_err(|problem| Error::bad_field("order_by", problem))?;
    if order.iter().any(|key| !key.descending) {
        return Err(Error::bad_field("order_by", "the newest is first: create_time desc"));
    }
    let list = List::of(&["ListAnalyses", &request.parent, &request.filter]);
    let bad_token = || Error::bad_field("page_token", "is not one that this list gave");
    let cursor = list.cursor(&request.page_token).map_err(|_| bad_token())?;
    let mut before = place(&cursor).map_err(|_| bad_token())?;
    let size = page_size(request.page_size, 50, 1_000);
    let read = if request.filter.trim().is_empty() { size } else { READ };
    let graph = Some(parent.graph.as_str()).filter(|graph| *graph != "-");
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let rows = analyses.store.list_analyses(&parent.project, graph, before, read).await;
        let rows = rows.map_err(Error::analysis_store(&parent))?;
        let was_last = rows.len() < read as usize;
        looked_at += rows.len();
        for row in &rows {
            before = Some((row.created, row.uid));
            let analysis = message::analysis(row)?;
            if filter.matches(&AnalysisRecord(&analysis)) {
                found.push(message::brief(analysis));
            }
            if found.len() == size as usize {
                break;
            }
        }
        let is_full = found.len() == size as usize;
        if is_full || looked_at >= LOOKED_AT || was_last {
            let is_end = was_last && rows.last().is_none_or(|last| Some((last.created, last.uid)) == before);
            let next_page_token = match before {
                Some((created, uid)) if !is_end => {
                    let cursor = Cursor::default().text(&created.as_micros().to_string());
                    list.token(cursor.text(&uid.to_string()).as_str())
                }
                _ => String::new(),
            };
            return Ok(ListAnalysesResponse { analyses: found, next_page_token });
        }
    }
}

fn place(cursor: &str) -> Result<Option<(Timestamp, Uuid)>, CursorError> {
    let Some(mut reader) = CursorReader::new(cursor) else { return Ok(None) };
    let created = reader.text()?.parse().map_err(|_| CursorError)?;
    let uid = Uuid::parse_str(reader.text()?).map_err(|_| CursorError)?;
    reader.end()?;
    Ok(Some((Timestamp::from_micros(created), uid)))
}
