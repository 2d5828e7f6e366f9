//! From where on a trigger watches: what is newest when it is created, changed, or goes on after a pause.

use bytes::Bytes;
use tonic::Code;
use weft_kit::Caller;
use weft_proto::weft::{
    execution::v1::{FindExecutionEndsRequest, FindTopicMessagesRequest},
    graph::v1::GetGraphRequest,
    telemetry::v1::GetAlertRuleRequest,
    trigger::v1::trigger::Source,
};
use weft_store::shard_of;

use super::read;
use crate::{
    Error,
    domain::{alert, kept::KeptTrigger, name, place::Place},
    state::{State, may},
};

/// Who may call these may know what happens there.
const EXECUTIONS: &str = "/weft.execution.v1.ExecutionService/ListExecutions";
const GRAPH: &str = "/weft.graph.v1.GraphService/WatchGraph";
const ALERTS: &str = "/weft.telemetry.v1.AlertService/ListAlerts";

/// The place of a trigger that somebody saves; nothing where it watches nothing.
///
/// # Errors
/// They may not read what it watches, there is no such graph, or it cannot be asked.
pub(crate) async fn place(
    state: &State,
    caller: &Caller,
    kept: &KeptTrigger,
) -> Result<Option<Bytes>, Error> {
    let trigger = kept.trigger.as_ref();
    let place = match trigger.and_then(|trigger| trigger.source.as_ref()) {
        Some(Source::ExecutionEnd(_)) => {
            let project = trigger.map_or("", |trigger| name::project(&trigger.graph));
            may(caller, EXECUTIONS, &format!("projects/{project}"))?;
            let shard = shard_of(project, state.shards().await?);
            let request = FindExecutionEndsRequest { shard, ..FindExecutionEndsRequest::default() };
            let newest = state.executions.clone().find_execution_ends(request).await?.into_inner();
            Place { number: newest.newest_number, ..Place::default() }
        }
        Some(Source::Message(_)) => {
            let project = trigger.map_or("", |trigger| name::project(&trigger.graph));
            may(caller, EXECUTIONS, &format!("projects/{project}"))?;
            let shard = shard_of(project, state.shards().await?);
            let request = FindTopicMessagesRequest { shard, ..FindTopicMessagesRequest::default() };
            let newest = state.executions.clone().find_topic_messages(request).await?.into_inner();
            Place { number: newest.newest_number, ..Place::default() }
        }
        Some(Source::GraphChange(change)) => {
            may(caller, GRAPH, &change.graph)?;
            let request = GetGraphRequest { name: change.graph.clone() };
            let found = state.graphs.clone().get_graph(request).await;
            let graph = found.map_err(|status| match status.code() {
                Code::NotFound => Error::field("trigger.graph_change.graph", "there is no such graph"),
                _ => status.into(),
            })?;
            let graph = graph.into_inner();
            Place { number: graph.revision, uid: graph.uid, ..Place::default() }
        }
        Some(Source::Alert(source)) => {
            let project = format!("projects/{}", trigger.map_or("", |trigger| name::project(&trigger.graph)));
            may(caller, ALERTS, &project)?;
            if !source.alert_rule.is_empty() {
                let request = GetAlertRuleRequest { name: source.alert_rule.clone() };
                let found = state.alerts.clone().get_alert_rule(request).await;
                found.map_err(|status| match status.code() {
                    Code::NotFound => Error::field("trigger.alert.alert_rule", "there is no such rule"),
                    _ => status.into(),
                })?;
            }
            match read::alerts(state, project).await? {
                Some(all) => alert::news(&Place::default(), &all, source).1,
                // Its first look, later, only looks.
                None => Place::default(),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(place.bytes()))
}
