//! CreateSilence.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{CreateSilenceRequest, Silence};
use weft_store::{AlertSettingKind, NewAlertSetting, StoreError, Written, once};

use super::create_alert_rule::as_row;
use crate::{
    Error,
    alerts::silence,
    domain::{name, time},
    state::State,
};

/// The furthest end, in milliseconds from now.
const LONGEST: i64 = 366 * 24 * 3_600_000;
/// Silences that a project may have.
const MOST: u32 = 1_000;

pub(crate) async fn handle(state: &State, call: Call<CreateSilenceRequest>) -> Result<Silence, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateSilence", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.alert_store.recall(once).await.map_err(Error::reused)?
    {
        return once::replay(&answer);
    }
    let made = Silence { creator: caller.name.to_string(), ..request.silence.take().unwrap_or_default() };
    let made = checked(made, state.now())?;
    let project = name::project(&request.parent).to_owned();
    let there = state.alert_store.list_alert_settings(AlertSettingKind::Silence, &project, "", MOST).await?;
    if there.len() >= MOST as usize {
        return Err(Error::TooManyRules(MOST));
    }
    let id = if request.silence_id.is_empty() { state.ids.short() } else { request.silence_id };
    let new = NewAlertSetting {
        kind: AlertSettingKind::Silence,
        project,
        id,
        uid: state.ids.uuid(),
        settings: silence::settings(&made),
        at: state.clock.now().into(),
    };
    let full = name::of_silence(&new.project, &new.id);
    let answer = silence::read(&as_row(&new))?;
    match state.alert_store.create_alert_setting(new, once::remember(once, &answer)).await {
        Ok(Written::Done(row)) => Ok(silence::read(&row)?),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::Exists(full)),
        Err(error) => Err(Error::reused(error)),
    }
}

fn checked(made: Silence, now: i64) -> Result<Silence, Error> {
    for matcher in made.matchers.iter().filter(|matcher| matcher.regex) {
        silence::pattern(&matcher.value)
            .map_err(|problem| Error::field("silence.matchers.value", problem))?;
    }
    let start = made.start_time.as_ref().map_or(now, time::millis);
    let end = made.end_time.as_ref().map_or(0, time::millis);
    if end <= start.max(now) || end > now + LONGEST {
        return Err(Error::field(
            "silence.end_time",
            "must be after now and after the start, a year from now at most",
        ));
    }
    Ok(Silence { start_time: Some(time::timestamp(start)), ..made })
}
