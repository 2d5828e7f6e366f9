//! Executions and steps as people and programs read them.

use anyhow::Result;
use weft_proto::weft::execution::v1::{
    Execution, ExecutionState, ExecutionWait, ListExecutionsRequest, ListStepsRequest, ListStepsResponse,
    Step, StepState,
};

use crate::{
    cli::output::{self, OutputFormat},
    client::ExecutionClient,
};

/// The word for a state.
pub(super) fn state_word(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Unspecified => "unspecified",
        ExecutionState::Queued => "queued",
        ExecutionState::Running => "running",
        ExecutionState::Paused => "paused",
        ExecutionState::Succeeded => "succeeded",
        ExecutionState::Failed => "failed",
        ExecutionState::Cancelled => "cancelled",
        ExecutionState::Terminated => "terminated",
    }
}

/// The word for a step's state.
pub(super) fn step_word(state: StepState) -> &'static str {
    match state {
        StepState::Unspecified => "unspecified",
        StepState::Running => "running",
        StepState::Waiting => "waiting",
        StepState::Retrying => "retrying",
        StepState::Succeeded => "succeeded",
        StepState::Failed => "failed",
        StepState::Cancelled => "cancelled",
    }
}

/// A JSON value in one line.
fn value(field: Option<&prost_types::Value>) -> Option<String> {
    let wrapped = prost_types::Struct { fields: [("v".to_owned(), field?.clone())].into() };
    Some(weft_kit::json::of_struct(&wrapped)["v"].to_string())
}

/// One execution.
pub(super) fn execution(execution: &Execution, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(execution, "weft.execution.v1.Execution");
    }
    output::line(&format!("{}  {}", execution.name, state_word(execution.state())));
    let mut rows = vec![("graph", format!("{} at revision {}", execution.graph, execution.graph_revision))];
    rows.push((
        "created",
        format!("{} by {}", output::time(execution.create_time.as_ref()), execution.creator),
    ));
    if !execution.display_name.is_empty() {
        rows.push(("title", execution.display_name.clone()));
    }
    if let Some(ended) = &execution.end_time {
        rows.push(("ended", output::time(Some(ended))));
    }
    rows.extend(execution.wait.as_ref().map(|wait| ("waits", waits_for(wait))));
    if let Some(input) = &execution.input {
        rows.push(("input", weft_kit::json::of_struct(input).to_string()));
    }
    rows.extend(value(execution.output.as_ref()).map(|output| ("output", output)));
    if let Some(error) = &execution.error {
        rows.push(("error", format!("{} {}", error.reason, error.message)));
        if !error.step.is_empty() {
            rows.push(("at", error.step.clone()));
        }
    }
    for (name, value) in rows {
        output::line(&format!("  {name:<8} {value}"));
    }
    Ok(())
}

/// What an execution waits for.
pub(super) fn waits_for(wait: &ExecutionWait) -> String {
    let limit = wait.run_limit.rsplit('/').next().unwrap_or_default();
    let key = if wait.key.is_empty() { String::new() } else { format!(" for {}", wait.key) };
    let from = wait.start_time.as_ref().map(|at| format!(", from {} on", output::time(Some(at))));
    format!("number {} of limit {limit}{key}{}", wait.position, from.unwrap_or_default())
}

/// Executions of a project.
pub(super) async fn list(
    client: &mut ExecutionClient,
    mut request: ListExecutionsRequest,
    limit: usize,
    format: OutputFormat,
) -> Result<()> {
    let mut found = Vec::new();
    loop {
        request.page_size = i32::try_from(limit - found.len()).unwrap_or(i32::MAX).min(1_000);
        let page = client.list_executions(request.clone()).await?.into_inner();
        found.extend(page.executions);
        if page.next_page_token.is_empty() || found.len() >= limit {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        for execution in &found {
            output::json(execution, "weft.execution.v1.Execution")?;
        }
        return Ok(());
    }
    let rows = found.iter().map(|execution| {
        vec![
            execution.name.rsplit('/').next().unwrap_or_default().to_owned(),
            execution.graph.rsplit('/').next().unwrap_or_default().to_owned(),
            state_word(execution.state()).to_owned(),
            output::time(execution.create_time.as_ref()),
            output::time(execution.end_time.as_ref()),
            match (&execution.error, &execution.wait) {
                (Some(error), _) => error.reason.clone(),
                (None, Some(wait)) => waits_for(wait),
                (None, None) => String::new(),
            },
        ]
    });
    output::table(
        &["execution", "graph", "state", "created", "ended", "error, or what it waits for"],
        &[],
        rows,
    );
    Ok(())
}

/// All steps of an execution.
pub(super) async fn steps(client: &mut ExecutionClient, parent: String, format: OutputFormat) -> Result<()> {
    let mut request = ListStepsRequest { parent, page_size: 1_000, ..ListStepsRequest::default() };
    let mut all = Vec::new();
    loop {
        let page = client.list_steps(request.clone()).await?.into_inner();
        all.extend(page.steps);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        let all = ListStepsResponse { steps: all, next_page_token: String::new() };
        return output::json(&all, "weft.execution.v1.ListStepsResponse");
    }
    let rows = all.iter().map(|step| {
        let error = step.error.as_ref().map(|error| format!("{} {}", error.reason, error.message));
        let waits = match (&step.approval, step.signal.as_str()) {
            (Some(approval), _) => approval.title.clone(),
            (None, "") => output::time(step.due_time.as_ref()),
            (None, signal) => format!("signal {signal}"),
        };
        vec![
            step.name.rsplit('/').next().unwrap_or_default().to_owned(),
            step.path.clone(),
            step.kind.clone(),
            step_word(step.state()).to_owned(),
            step.port.clone(),
            error.unwrap_or(waits),
        ]
    });
    output::table(&["step", "path", "kind", "state", "port", "waits for, or failed with"], &[0], rows);
    Ok(())
}

/// One step.
pub(super) fn step(step: &Step, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(step, "weft.execution.v1.Step");
    }
    output::line(&format!("{}  {}  {}  {}", step.name, step.path, step.kind, step_word(step.state())));
    let mut rows = Vec::new();
    rows.extend(value(step.input.as_ref()).map(|input| ("input", input)));
    rows.extend(value(step.output.as_ref()).map(|output| ("output", output)));
    if !step.port.is_empty() {
        rows.push(("port", step.port.clone()));
    }
    if let Some(error) = &step.error {
        rows.push(("error", format!("{} {}", error.reason, error.message)));
    }
    if let Some(approval) = &step.approval {
        rows.push(("asks", approval.title.clone()));
    }
    for (name, value) in rows {
        output::line(&format!("  {name:<8} {value}"));
    }
    Ok(())
}
