//! ListTicks: the next times of a schedule, paused or not.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::trigger::v1::{ListTicksRequest, ListTicksResponse, Tick};
use weft_store::Timestamp;

use super::get_trigger;
use crate::{
    Error,
    domain::{kept::KeptTrigger, schedule::Schedule, trigger},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<ListTicksRequest>) -> Result<ListTicksResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListTicks", &request.parent, &format!("{:?}", request.after_time)]);
    let mut after = match list.cursor(&request.page_token)?.as_str() {
        "" => request
            .after_time
            .as_ref()
            .map_or(state.now().as_micros(), |time| Timestamp::from(time).as_micros()),
        last => last.parse().map_err(|_| weft_kit::cursor::CursorError)?,
    };
    let size = page_size(request.page_size, 10, 100) as usize;
    let row = get_trigger::row(state, &request.parent).await?;
    let schedule = schedule(&KeptTrigger::read(&row)?, row.created.as_micros())?;
    let mut ticks = Vec::with_capacity(size);
    while ticks.len() < size
        && let Some(tick) = schedule.next_after(after)
    {
        after = tick;
        ticks.push(Tick {
            schedule_time: Some(Timestamp::from_micros(tick).into()),
            due_time: Some(Timestamp::from_micros(tick + schedule.jitter(row.uid, tick)).into()),
        });
    }
    let more = ticks.len() == size && schedule.next_after(after).is_some();
    let next_page_token = if more { list.token(&after.to_string()) } else { String::new() };
    Ok(ListTicksResponse { ticks, next_page_token })
}

/// The schedule of a trigger that has one.
pub(super) fn schedule(kept: &KeptTrigger, created: i64) -> Result<Schedule, Error> {
    let trigger = kept.trigger.clone().unwrap_or_default();
    let schedule = trigger::schedule_of(&trigger, created)?;
    schedule.ok_or(Error::WrongKind("only a schedule has ticks"))
}
