//! ListSteps: in the order in which they began.

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::execution::v1::{ListStepsRequest, ListStepsResponse};

use super::find;
use crate::{Error, domain::message, state::State};

/// About how many bytes of values a page has at most.
const PAGE_BYTES: usize = 1 << 20;

pub(crate) async fn handle(state: &State, call: Call<ListStepsRequest>) -> Result<ListStepsResponse, Error> {
    let ListStepsRequest { parent, page_size: size, page_token, include_values } = call.message;
    let list = List::of(&["ListSteps", &parent]);
    let cursor = list.cursor(&page_token)?;
    let after = match CursorReader::new(&cursor) {
        None => 0,
        Some(mut reader) => {
            let after = reader.number()?;
            reader.end()?;
            after
        }
    };
    let size = page_size(size, 100, 1_000) as usize;
    let row = find::row(state, &parent).await?;
    let (steps, is_last) = find::see(state, &row, move |row, run| {
        let mut bytes = 0;
        let mut steps = Vec::new();
        for step in run.steps().filter(|step| step.number > after) {
            if steps.len() == size || bytes > PAGE_BYTES {
                return (steps, false);
            }
            let shown = message::step(&parent, row.execution.uid, run, step, include_values);
            bytes += prost::Message::encoded_len(&shown);
            steps.push((step.number, shown));
        }
        (steps, true)
    })
    .await?;
    let next_page_token = match steps.last() {
        Some((last, _)) if !is_last => list.token(Cursor::default().number(*last).as_str()),
        _ => String::new(),
    };
    Ok(ListStepsResponse { steps: steps.into_iter().map(|(_, step)| step).collect(), next_page_token })
}
