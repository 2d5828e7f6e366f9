//! ListAnalysisValues: a page of values, by node or by value.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    order::parse_order,
    paging::{List, page_size},
};
use weft_proto::weft::compute::v1::{ListAnalysisValuesRequest, ListAnalysisValuesResponse};

use crate::{
    Error,
    analysis::{Analyses, table::Order},
};

pub(crate) async fn handle(
    analyses: &Analyses,
    call: Call<ListAnalysisValuesRequest>,
) -> Result<ListAnalysisValuesResponse, Error> {
    let request = call.message;
    let fields = [("node", Order::Node), ("ordinal", Order::Ordinal), ("value", Order::Value)];
    let order =
        parse_order(&request.order_by, &fields).map_err(|problem| Error::bad_field("order_by", problem))?;
    let (order, descending) = match &order[..] {
        [] => (Order::Ordinal, false),
        [key] => (key.field, key.descending),
        _ => return Err(Error::bad_field("order_by", "names one field")),
    };
    // The values never change, and a name can stand for another analysis one day: its row count and this token
    // would fit by chance only.
    let list = List::of(&["ListAnalysisValues", &request.name, &request.order_by]);
    let bad_token = || Error::bad_field("page_token", "is not one that this list gave");
    let cursor = list.cursor(&request.page_token).map_err(|_| bad_token())?;
    let from = match CursorReader::new(&cursor) {
        None => 0,
        Some(mut reader) => reader.number().map_err(|_| bad_token())? as usize,
    };
    let size = page_size(request.page_size, 100, 10_000) as usize;
    let table = super::table(analyses, &request.name).await?;
    // Sorting millions of rows takes a moment, once.
    let sorted = tokio::task::spawn_blocking(move || {
        let rows = table.page(order, descending, from, size);
        let values: Vec<_> = rows.into_iter().map(|row| table.value(row)).collect();
        (values, table.len())
    });
    let (values, rows) = sorted.await.map_err(|_| Error::Panicked)?;
    let next = from.saturating_add(values.len());
    let next_page_token = if next < rows && !values.is_empty() {
        list.token(Cursor::default().number(next as u32).as_str())
    } else {
        String::new()
    };
    Ok(ListAnalysisValuesResponse { values, next_page_token })
}
