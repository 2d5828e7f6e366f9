//! EndSilence.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{EndSilenceRequest, Silence};
use weft_store::{AlertSettingKind, AlertSettingUpdate, StoreError};

use crate::{
    Error,
    alerts::silence,
    domain::{name, time},
    state::State,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn handle(state: &State, call: Call<EndSilenceRequest>) -> Result<Silence, Error> {
    let full = &call.message.name;
    let (project, id) = name::silence(full);
    let mut tries = 0;
    loop {
        let row = state.alert_store.get_alert_setting(AlertSettingKind::Silence, project, id).await;
        let row = row.map_err(Error::of_setting(full))?;
        let known = silence::read(&row)?;
        let now = state.now();
        if known.end_time.as_ref().is_some_and(|end| time::millis(end) <= now) {
            return Ok(known);
        }
        let ended = Silence { end_time: Some(time::timestamp(now)), ..known };
        let update = AlertSettingUpdate {
            uid: row.uid,
            expected_version: row.version,
            settings: silence::settings(&ended),
            at: state.clock.now().into(),
        };
        match state.alert_store.update_alert_setting(update).await {
            Err(StoreError::Stale { .. }) if tries < TRIES => tries += 1,
            written => return Ok(silence::read(&written.map_err(Error::of_setting(full))?)?),
        }
    }
}
