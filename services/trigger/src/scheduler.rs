//! What ticks: one process at a time has the triggers, reads those that are due by the time of their next tick, and
//! writes the tick and the time of the next one together.
//!
//! What is read is what is due within a second, so that a million schedules cost no more than those that tick. A second
//! process that believes to have them too is refused by the epoch; a tick that both wrote is one delivery.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use weft_kit::Lifecycle;
use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause, DeliveryState};
use weft_store::{DeliveryRow, StoreError, Tick, Timestamp, TriggerRow};

use crate::{
    Error,
    domain::{
        delivery::Same,
        kept::{KeptEvent, KeptTrigger},
        trigger,
    },
    pending::Pending,
    state::State,
};

/// How far ahead it is read.
const AHEAD: Duration = Duration::from_secs(1);
/// Triggers that tick in one write.
const TOGETHER: u32 = 500;
/// Ticks of one trigger that are made up for in one write.
const MADE_UP: usize = 100;

/// Ticks for as long as this process has the triggers, and waits for them for as long as it has not.
pub(crate) async fn run(state: Arc<State>, life: Lifecycle) -> Result<(), StoreError> {
    while let Some(epoch) = own(&state, &life).await? {
        state.dispatcher.set_owner(true);
        state.epoch.send_replace(epoch);
        let ended = keep(&state, epoch, &life).await;
        state.epoch.send_replace(0);
        state.dispatcher.set_owner(false);
        match ended {
            // Another process was given them.
            Err(StoreError::Stale { .. }) => {}
            Err(error) => return Err(error),
            Ok(()) => return state.store.leave_triggers(epoch).await,
        }
    }
    Ok(())
}

/// Waits for the triggers; nothing where the process ends first.
async fn own(state: &State, life: &Lifecycle) -> Result<Option<i64>, StoreError> {
    loop {
        let now = state.now();
        match state.store.own_triggers(&state.owner, now, now.after(state.options.lease)).await {
            Ok(epoch) => return Ok(Some(epoch)),
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(state.options.lease / 3) => {}
            () = life.draining() => return Ok(None),
        }
    }
}

async fn keep(state: &State, epoch: i64, life: &Lifecycle) -> Result<(), StoreError> {
    let mut renewed = Instant::now();
    while !life.is_draining() {
        let now = state.now();
        let rows = state.store.due_triggers(now.after(AHEAD), TOGETHER).await?;
        let (due, soon): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.next.is_some_and(|next| next <= now));
        if !due.is_empty() || renewed.elapsed() > state.options.lease / 3 {
            renewed = Instant::now();
            let is_full = due.len() == TOGETHER as usize;
            let were_some = !due.is_empty();
            tick(state, epoch, now, &due).await?;
            if is_full || were_some {
                // More may be due, or a tick that was made up for is followed by another.
                continue;
            }
        }
        let next = soon.first().and_then(|row| row.next).map_or(AHEAD, |next| {
            Duration::from_micros(u64::try_from(next.as_micros() - now.as_micros()).unwrap_or_default())
        });
        tokio::select! {
            () = tokio::time::sleep(next.min(AHEAD)) => {}
            () = state.rescheduled.notified() => {}
            () = life.draining() => {}
        }
    }
    Ok(())
}

async fn tick(state: &State, epoch: i64, now: Timestamp, due: &[TriggerRow]) -> Result<(), StoreError> {
    let mut ticks = Vec::with_capacity(due.len());
    for row in due {
        match of(state, row, now) {
            Ok(tick) => ticks.extend(tick),
            Err(error) => {
                // It was checked when it was written: another program has written it.
                tracing::error!(trigger = %row.uid, %error, "a schedule cannot be read; it ticks no more");
                ticks.extend(row.next.map(|due| Tick {
                    uid: row.uid,
                    due,
                    next: None,
                    deliveries: Vec::new(),
                }));
            }
        }
    }
    let until = now.after(state.options.lease);
    let moved = state.store.tick_triggers(epoch, until, ticks.clone()).await?;
    if !moved.is_empty() {
        state.news.tell();
    }
    for tick in ticks.into_iter().filter(|tick| moved.contains(&tick.uid)) {
        for row in tick.deliveries.into_iter().filter(|row| row.wake.is_some()) {
            state.dispatcher.offer(Pending::of(row)?);
        }
    }
    Ok(())
}

/// The tick of a trigger that is due.
fn of(state: &State, row: &TriggerRow, now: Timestamp) -> Result<Option<Tick>, Error> {
    let Some(due) = row.next else { return Ok(None) };
    let kept = KeptTrigger::read(row)?;
    let trigger = kept.trigger.unwrap_or_default();
    let schedule = trigger::schedule_of(&trigger, row.created.as_micros())?;
    let Some(schedule) = schedule.filter(|_| !trigger.paused) else {
        return Ok(Some(Tick { uid: row.uid, due, next: None, deliveries: Vec::new() }));
    };
    let found = schedule.due(due.as_micros(), now.as_micros(), MADE_UP);
    let mut deliveries: Vec<DeliveryRow> = Vec::with_capacity(found.ticks.len());
    let maker = state.maker();
    if let Some(missed) = found.missed {
        let head = Delivery {
            reason: "MISSED".to_owned(),
            message: "no process ran at this time, and maybe at others after it".to_owned(),
            ..head(missed)
        };
        deliveries.push(maker.idle(row.uid, &Same::Tick(missed), &head, DeliveryState::Skipped));
    }
    for tick in found.ticks {
        let wake = Timestamp::from_micros(tick + schedule.jitter(row.uid, tick));
        let same = Same::Tick(tick);
        deliveries.push(maker.pending((row.uid, &same), &head(tick), &KeptEvent::default(), wake));
    }
    let next = found.next.map(Timestamp::from_micros);
    Ok(Some(Tick { uid: row.uid, due, next, deliveries }))
}

fn head(tick: i64) -> Delivery {
    Delivery {
        cause: DeliveryCause::Schedule.into(),
        schedule_time: Some(Timestamp::from_micros(tick).into()),
        ..Delivery::default()
    }
}
