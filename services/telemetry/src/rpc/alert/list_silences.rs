//! ListSilences.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{ListSilencesRequest, ListSilencesResponse};
use weft_store::AlertSettingKind;

use crate::{Error, alerts::silence, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListSilencesRequest>,
) -> Result<ListSilencesResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListSilences", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = name::project(&request.parent);
    let kind = AlertSettingKind::Silence;
    let mut rows = state.alert_store.list_alert_settings(kind, project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| list.token(&row.id)).unwrap_or_default();
    let silences = rows.iter().map(silence::read).collect::<Result<_, _>>()?;
    Ok(ListSilencesResponse { silences, next_page_token })
}
