//! Executions and steps as clients see them.

use bytes::Bytes;
use prost::Message;
use prost_types::{Value as Field, value::Kind};
use serde_json::Value as Json;
use uuid::Uuid;
use weft_kit::json::{of_struct, to_struct};
use weft_kit::span;
use weft_proto::weft::execution::v1::{
    ApprovalRequest, Execution, ExecutionError, ExecutionState, NodeKind, Port, Step as Shown, StepState,
    WorkflowFault,
};
use weft_store::{ExecutionChange, ExecutionRow, NewExecution, Timestamp};

use super::{
    fault::Fault,
    name,
    run::{Run, Status, Step, StepIs},
};
use crate::kinds::{self, Kind as NodeOf};

/// What the service remembers of an execution beside its journal.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Head {
    #[prost(string, tag = "1")]
    pub(crate) display_name: String,
    #[prost(string, tag = "2")]
    pub(crate) creator: String,
    /// The creator's role in the project.
    #[prost(int32, tag = "3")]
    pub(crate) role: i32,
    #[prost(string, repeated, tag = "4")]
    pub(crate) scopes: Vec<String>,
    /// How long the run may take, in microseconds.
    #[prost(int64, optional, tag = "5")]
    pub(crate) timeout: Option<i64>,
    #[prost(bool, tag = "6")]
    pub(crate) pause_on_failure: bool,
    /// Number of the workflow that the run began with.
    #[prost(int64, tag = "7")]
    pub(crate) definition: i64,
    /// How many runs led to this one.
    #[prost(int32, tag = "8")]
    pub(crate) depth: i32,
    /// How urgent it is where it waits for limits of runs, as the contract says it.
    #[prost(int32, tag = "9")]
    pub(crate) priority: i32,
}

/// The head in a row.
pub(crate) fn head(bytes: &Bytes) -> Head {
    Head::decode(bytes.clone()).unwrap_or_default()
}

/// A state as a number of the store: those of the contract.
pub(crate) fn state_number(status: Status) -> i32 {
    match status {
        Status::Queued => ExecutionState::Queued,
        Status::Running => ExecutionState::Running,
        Status::Paused => ExecutionState::Paused,
        Status::Succeeded => ExecutionState::Succeeded,
        Status::Failed => ExecutionState::Failed,
        Status::Cancelled => ExecutionState::Cancelled,
        Status::Terminated => ExecutionState::Terminated,
    }
    .into()
}

/// The id of an execution, chosen or made up.
pub(crate) fn id_of(execution: &NewExecution) -> String {
    execution.name.clone().unwrap_or_else(|| name::made_up(execution.id))
}

/// An execution as its row tells it: without input, output and steps that are not counted yet.
pub(crate) fn of_row(row: &ExecutionRow) -> Execution {
    let head = head(&row.execution.head);
    let NewExecution { project, graph, at, uid, .. } = &row.execution;
    let ExecutionChange { state, reason, steps, retries, approvals, ended, revision, .. } = &row.change;
    let error = (!reason.is_empty()).then(|| ExecutionError { reason: reason.clone(), ..Default::default() });
    Execution {
        name: name::of_execution(project, &id_of(&row.execution)),
        uid: uid.to_string(),
        graph: format!("projects/{project}/graphs/{graph}"),
        graph_revision: *revision,
        display_name: head.display_name,
        timeout: head.timeout.map(span::of_micros),
        pause_on_failure: head.pause_on_failure,
        state: *state,
        error,
        creator: head.creator,
        create_time: Some((*at).into()),
        end_time: ended.map(Into::into),
        step_count: *steps,
        retry_count: *retries,
        approval_count: (*approvals).max(0),
        depth: head.depth,
        priority: head.priority,
        ..Execution::default()
    }
}

/// An execution with everything that its run knows.
pub(crate) fn of_run(row: &ExecutionRow, run: &Run) -> Execution {
    let mut execution = of_row(row);
    execution.state = state_number(run.status());
    execution.input = run.input().is_object().then(|| to_struct((**run.input()).clone()));
    if run.status() == Status::Succeeded {
        execution.output = Some(value(run.output().map_or(&Json::Null, |output| output)));
    }
    execution.error = run.error().map(|(step, error)| ExecutionError {
        reason: error.reason.clone(),
        message: error.message.clone(),
        step: step.map(|step| format!("{}/steps/{step}", execution.name)).unwrap_or_default(),
    });
    execution.step_count = i32::try_from(run.steps().count()).unwrap_or(i32::MAX);
    execution.retry_count = run.retries().cast_signed();
    execution.approval_count = i32::try_from(run.asking().len()).unwrap_or(i32::MAX);
    execution
}

/// A step; with what it was given and gave, if it is asked for.
pub(crate) fn step(execution: &str, uid: Uuid, run: &Run, step: &Step, with_values: bool) -> Shown {
    let (node, kind) = run.node_of(step);
    let mut shown = Shown {
        name: format!("{execution}/steps/{}", step.number),
        uid: kinds::key(uid, step.number, step.generation),
        path: step.path.clone(),
        node: node.to_owned(),
        kind: kind.to_owned(),
        port: step.port.clone().unwrap_or_default(),
        cached_from: step.cached_from.clone().unwrap_or_default(),
        failure_count: step.failures.cast_signed(),
        create_time: Some(Timestamp::from_micros(step.began).into()),
        end_time: step.ended.map(|at| Timestamp::from_micros(at).into()),
        due_time: step.due.or_else(|| step.wait.as_ref()?.until).map(|at| Timestamp::from_micros(at).into()),
        ..Shown::default()
    };
    shown.set_state(match step.is {
        StepIs::Ready if !run.has_started() => StepState::Waiting,
        StepIs::Ready | StepIs::Performing | StepIs::Inside => StepState::Running,
        StepIs::Waiting => StepState::Waiting,
        StepIs::Backoff => StepState::Retrying,
        StepIs::Succeeded => StepState::Succeeded,
        StepIs::Failed => StepState::Failed,
        StepIs::Cancelled => StepState::Cancelled,
    });
    shown.error = step.error.as_ref().map(|error| ExecutionError {
        reason: error.reason.clone(),
        message: error.message.clone(),
        step: shown.name.clone(),
    });
    if let Some(wait) = &step.wait {
        shown.signal = wait.signal.clone().unwrap_or_default();
        shown.approval = wait.approval.as_ref().map(|approval| ApprovalRequest {
            title: approval.title.clone(),
            description: approval.description.clone(),
            form_schema: approval.form.is_object().then(|| to_struct(approval.form.clone())),
        });
    }
    if with_values {
        shown.input = Some(value(&step.input));
        shown.output = step.output.as_deref().map(value);
    }
    shown
}

/// A JSON value in a message.
pub(crate) fn value(json: &Json) -> Field {
    let wrapped = Json::Object([("v".to_owned(), json.clone())].into_iter().collect());
    to_struct(wrapped).fields.remove("v").unwrap_or(Field { kind: Some(Kind::NullValue(0)) })
}

/// A JSON value out of a message.
pub(crate) fn of_value(field: Field) -> Json {
    let wrapped = prost_types::Struct { fields: [("v".to_owned(), field)].into() };
    match of_struct(&wrapped) {
        Json::Object(mut members) => members.remove("v").unwrap_or(Json::Null),
        _ => Json::Null,
    }
}

/// A kind of node.
pub(crate) fn node_kind(kind: &dyn NodeOf) -> NodeKind {
    let port = |port: &kinds::Port| Port {
        name: port.name.to_owned(),
        value_type: port.value_type.to_owned(),
        description: port.description.to_owned(),
        required: port.required,
        many: port.many,
    };
    let (properties, required) = kind.settings();
    let schema = serde_json::json!({"type": "object", "properties": properties, "required": required});
    NodeKind {
        kind: kind.name().to_owned(),
        title: kind.title().to_owned(),
        description: kind.description().to_owned(),
        input_ports: kind.inputs().iter().map(port).collect(),
        output_ports: kind.outputs().iter().map(port).collect(),
        settings_schema: Some(to_struct(schema)),
        has_body: kind.has_body(),
        acts_outside: kind.acts(),
    }
}

/// What is wrong with a workflow.
pub(crate) fn fault(fault: Fault) -> WorkflowFault {
    let Fault { reason, message, node, port, property, warning } = fault;
    WorkflowFault { reason: reason.to_owned(), message, node, port, property, warning }
}
