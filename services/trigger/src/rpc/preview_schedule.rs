//! PreviewSchedule: the next times of a schedule that nobody has saved yet.

use weft_kit::{Call, paging::page_size};
use weft_proto::weft::trigger::v1::{PreviewScheduleRequest, PreviewScheduleResponse, Tick};
use weft_store::Timestamp;

use crate::{Error, domain::schedule::Schedule, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<PreviewScheduleRequest>,
) -> Result<PreviewScheduleResponse, Error> {
    let request = call.message;
    let now = state.now().as_micros();
    let schedule = Schedule::read(&request.schedule.unwrap_or_default(), now)
        .map_err(|(field, problem)| Error::field(format!("schedule.{field}"), problem))?;
    let most = page_size(request.max_ticks, 5, 100) as usize;
    // One that never ticks is looked for in thousands of years, which takes a moment.
    let ticks = tokio::task::spawn_blocking(move || next_ticks(&schedule, now, most));
    // Only a process that ends lets go of it.
    Ok(PreviewScheduleResponse { ticks: ticks.await.map_err(|_| Error::Draining)? })
}

fn next_ticks(schedule: &Schedule, now: i64, most: usize) -> Vec<Tick> {
    std::iter::successors(schedule.next_after(now), |tick| schedule.next_after(*tick))
        .take(most)
        .map(|tick| Tick { schedule_time: Some(Timestamp::from_micros(tick).into()), due_time: None })
        .collect()
}
