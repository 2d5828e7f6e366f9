//! ListAlertRules.

use weft_kit::{
    Call,
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{AlertRule, ListAlertRulesRequest, ListAlertRulesResponse};
use weft_store::AlertSettingKind;

use crate::{Error, alerts::rule, domain::name, state::State};

pub(crate) async fn handle(
    state: &State,
    call: Call<ListAlertRulesRequest>,
) -> Result<ListAlertRulesResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListAlertRules", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = name::project(&request.parent);
    let kind = AlertSettingKind::Rule;
    let mut rows = state.alert_store.list_alert_settings(kind, project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| list.token(&row.id)).unwrap_or_default();
    let shown = rows.iter().map(|row| {
        let rule = rule::read(row)?;
        Ok(AlertRule { problem: state.alerts.problem(row.uid), ..rule })
    });
    Ok(ListAlertRulesResponse { alert_rules: shown.collect::<Result<_, Error>>()?, next_page_token })
}
