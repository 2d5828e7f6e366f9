//! ListNodeKinds: what nodes there are.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListNodeKindsRequest, ListNodeKindsResponse};

use crate::{Error, domain::message, kinds::KINDS};

pub(crate) fn handle(call: Call<ListNodeKindsRequest>) -> Result<ListNodeKindsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListNodeKinds", &request.parent]);
    let cursor = list.cursor(&request.page_token)?;
    let from = match CursorReader::new(&cursor) {
        None => 0,
        Some(mut reader) => {
            let from = reader.number()? as usize;
            reader.end()?;
            from
        }
    };
    let mut kinds = KINDS.to_vec();
    kinds.sort_by_key(|kind| kind.name());
    let size = page_size(request.page_size, 100, 1_000) as usize;
    let node_kinds: Vec<_> =
        kinds.iter().skip(from).take(size).map(|kind| message::node_kind(*kind)).collect();
    let next = from + node_kinds.len();
    let next_page_token = if next < kinds.len() {
        list.token(Cursor::default().number(next as u32).as_str())
    } else {
        String::new()
    };
    Ok(ListNodeKindsResponse { node_kinds, next_page_token })
}
