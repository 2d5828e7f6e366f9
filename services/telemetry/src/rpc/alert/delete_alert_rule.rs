//! DeleteAlertRule: its alerts go with it.

use weft_kit::Call;
use weft_proto::weft::telemetry::v1::DeleteAlertRuleRequest;
use weft_store::AlertSettingKind;

use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<DeleteAlertRuleRequest>) -> Result<(), Error> {
    let DeleteAlertRuleRequest { name: full, etag } = call.message;
    let (project, id) = name::alert_rule(&full);
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(etag.parse().map_err(|_| Error::EtagMismatch(full.clone()))?),
    };
    let deleted = state.alert_store.delete_alert_setting(AlertSettingKind::Rule, project, id, expected).await;
    deleted.map_err(Error::of_setting(&full))
}
