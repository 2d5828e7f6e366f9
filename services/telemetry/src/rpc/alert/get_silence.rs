//! GetSilence.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{GetSilenceRequest, Silence};
use weft_store::AlertSettingKind;

use crate::{Error, alerts::silence, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetSilenceRequest>) -> Result<Silence, Error> {
    let full = &call.message.name;
    let (project, id) = name::silence(full);
    let row = state.alert_store.get_alert_setting(AlertSettingKind::Silence, project, id).await;
    Ok(silence::read(&row.map_err(Error::of_setting(full))?)?)
}
