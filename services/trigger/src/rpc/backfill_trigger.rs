//! BackfillTrigger: the ticks of a span of time that is over, one delivery each.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::{
    BackfillTriggerRequest, BackfillTriggerResponse, Delivery, DeliveryCause,
};
use weft_store::Timestamp;

use super::{fire_trigger::OURS, get_trigger, list_ticks};
use crate::{
    Error,
    domain::{
        delivery::Same,
        kept::{KeptEvent, KeptTrigger, Rights},
    },
    pending::Pending,
    state::{State, may_start},
};

/// Ticks that are made up for at once.
const MOST: usize = 1_000;

pub(crate) async fn handle(
    state: &State,
    call: Call<BackfillTriggerRequest>,
) -> Result<BackfillTriggerResponse, Error> {
    let Call { caller, message: request, .. } = call;
    let row = get_trigger::row(state, &request.name).await?;
    may_start(&caller, &row.project)?;
    let schedule = list_ticks::schedule(&KeptTrigger::read(&row)?, row.created.as_micros())?;
    let now = state.now();
    let instant = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().map_or(0, |time| Timestamp::from(time).as_micros())
    };
    let (start, end) = (instant(&request.start_time), instant(&request.end_time));
    if end > now.as_micros() {
        return Err(Error::field("end_time", "is not over yet"));
    }
    let (mut ticks, mut after) = (Vec::new(), start - 1);
    while let Some(tick) = schedule.next_after(after).filter(|tick| *tick < end) {
        if ticks.len() == MOST {
            return Err(Error::TooManyTicks(MOST));
        }
        ticks.push(tick);
        after = tick;
    }
    let event = KeptEvent { rights: Some(Rights::of(&caller, &row.project)), ..KeptEvent::default() };
    let own = state.ids.uuid().to_string();
    let request_id = if request.request_id.is_empty() { &own } else { &request.request_id };
    let maker = state.maker();
    let deliveries: Vec<_> = ticks
        .iter()
        .zip(0_i64..)
        .map(|(tick, place)| {
            let head = Delivery {
                cause: DeliveryCause::Backfill.into(),
                schedule_time: Some(Timestamp::from_micros(*tick).into()),
                ..Delivery::default()
            };
            let same = Same::Backfill(&caller.name, request_id, *tick);
            // One after the other, whoever finds them.
            let wake = weft_store::Timestamp::from_micros(now.after(OURS).as_micros() + place);
            maker.pending((row.uid, &same), &head, &event, wake)
        })
        .collect();
    if !deliveries.is_empty() {
        let accepted = state.store.accept_deliveries(deliveries.clone()).await?;
        state.news.tell();
        for (delivery, accepted) in deliveries.into_iter().zip(accepted) {
            if accepted == weft_store::Accepted::New {
                let mut pending = Pending::of(delivery)?;
                pending.due = now.as_micros();
                state.dispatcher.offer(pending);
            }
        }
    }
    Ok(BackfillTriggerResponse { tick_count: i32::try_from(ticks.len()).unwrap_or(i32::MAX) })
}
